#include "cache/single_flight.h"

namespace leat::cache {

// Under its shard's mutex.
struct SingleFlight::Flight {
  Shard* shard;
  std::string key;
  http::Ticket leader;
  Seat* newest = nullptr;  // of those that wait
  Seat* oldest = nullptr;
  bool retried = false;
  bool over = false;
  Outcome outcome = Outcome::Gone;

  [[nodiscard]] bool is_led_by(const http::Ticket& ticket) const {
    return leader.worker == ticket.worker && leader.slot == ticket.slot &&
           leader.generation == ticket.generation;
  }
};

SingleFlight::SingleFlight(http::WorkerContext::Resume wake) : wake_(wake), secret_(random_sip_key()) {
  for (auto& shard : shards_) shard = std::make_unique<Shard>(secret_);
}

void SingleFlight::enqueue(Flight& flight, Seat& seat) {
  seat.waits_ = true;
  seat.older_ = flight.newest;
  seat.newer_ = nullptr;
  (flight.newest != nullptr ? flight.newest->newer_ : flight.oldest) = &seat;
  flight.newest = &seat;
}

void SingleFlight::dequeue(Flight& flight, Seat& seat) {
  if (!seat.waits_) return;
  seat.waits_ = false;
  (seat.newer_ != nullptr ? seat.newer_->older_ : flight.newest) = seat.older_;
  (seat.older_ != nullptr ? seat.older_->newer_ : flight.oldest) = seat.newer_;
}

bool SingleFlight::join(std::string_view key, const http::Ticket& ticket, Seat& seat) {
  Shard& shard = *shards_[sip_hash(key, secret_) % kShards];
  const std::lock_guard lock(shard.mutex);
  seat.ticket_ = ticket;
  if (const auto found = shard.flights.find(key); found != shard.flights.end()) {
    seat.flight_ = found->second;
    enqueue(*seat.flight_, seat);
    return false;
  }
  seat.flight_ = std::make_shared<Flight>(Flight{.shard = &shard, .key = std::string(key), .leader = ticket});
  shard.flights.emplace(seat.flight_->key, seat.flight_);
  return true;
}

SingleFlight::State SingleFlight::state(const Seat& seat) const {
  const Flight& flight = *seat.flight_;
  const std::lock_guard lock(flight.shard->mutex);
  return {flight.over, flight.is_led_by(seat.ticket_), flight.outcome};
}

bool SingleFlight::take_over(Seat& seat) {
  Flight& flight = *seat.flight_;
  const std::lock_guard lock(flight.shard->mutex);
  dequeue(flight, seat);
  if (flight.over || flight.retried) return false;
  flight.retried = true;
  flight.leader = seat.ticket_;
  return true;
}

// Under the mutex.
void SingleFlight::end(Flight& flight, Outcome outcome, http::WorkerContext& worker) const {
  flight.over = true;
  flight.outcome = outcome;
  while (Seat* seat = flight.oldest) {
    dequeue(flight, *seat);
    // One whose request has just ended needs no waking.
    (void)worker.resume_from_any_thread(seat->ticket_, wake_, nullptr);
  }
  flight.shard->flights.erase(flight.key);
}

void SingleFlight::finish(Seat& seat, Outcome outcome, http::WorkerContext& worker) {
  Flight& flight = *seat.flight_;
  const std::lock_guard lock(flight.shard->mutex);
  if (flight.over) return;
  const bool good = outcome == Outcome::Stored || outcome == Outcome::Pass;
  if (!good && !flight.is_led_by(seat.ticket_)) return;
  if (outcome == Outcome::Gone || (outcome == Outcome::Failed && !flight.retried)) {
    flight.retried = flight.retried || outcome == Outcome::Failed;
    while (Seat* next = flight.oldest) {
      dequeue(flight, *next);
      flight.leader = next->ticket_;
      if (worker.resume_from_any_thread(next->ticket_, wake_, nullptr)) return;
    }
  }
  end(flight, outcome, worker);
}

void SingleFlight::leave(Seat& seat, http::WorkerContext& worker) {
  if (!seat.taken()) return;
  finish(seat, Outcome::Gone, worker);
  {
    const std::lock_guard lock(seat.flight_->shard->mutex);
    dequeue(*seat.flight_, seat);
  }
  seat.flight_.reset();
}

}  // namespace leat::cache

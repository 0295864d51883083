#include "cache/single_flight.h"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace leat::cache {

namespace {

void on_wake(http::Exchange&, void*) {}

// A worker that notes who is woken, and knows who has gone.
class Worker final : public http::WorkerContext {
 public:
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return 0; }
  [[nodiscard]] std::string_view date() const override { return {}; }
  [[nodiscard]] BlockPool& blocks() override { return blocks_; }
  [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
  void forget_timers(http::Exchange&) override {}
  [[nodiscard]] bool resume_from_any_thread(http::Ticket ticket, Resume resume, void*) override {
    CHECK(resume == on_wake);
    if (gone.contains(ticket.slot)) return false;
    woken.push_back(ticket.slot);
    return true;
  }
  void run_soon(std::function<void()>) override {}

  std::vector<uint32_t> woken;
  std::set<uint32_t> gone;

 private:
  BlockPool blocks_{1, 0};
};

http::Ticket ticket(uint32_t slot) { return {.worker = 0, .slot = slot, .generation = 1}; }
using Slots = std::vector<uint32_t>;

}  // namespace

TEST_CASE("flights: the first leads, the others are woken when its answer is stored") {
  SingleFlight flights(on_wake);
  Worker worker;
  SingleFlight::Seat seats[4];
  CHECK(flights.join("k", ticket(0), seats[0]));
  CHECK_FALSE(flights.join("k", ticket(1), seats[1]));
  CHECK_FALSE(flights.join("k", ticket(2), seats[2]));
  CHECK(flights.join("other", ticket(3), seats[3]));
  flights.finish(seats[0], Outcome::Stored, worker);
  CHECK(worker.woken == Slots{1, 2});
  CHECK(flights.state(seats[1]).over);
  CHECK(flights.state(seats[1]).outcome == Outcome::Stored);
  for (auto& seat : seats) flights.leave(seat, worker);
  CHECK(flights.join("k", ticket(5), seats[0]));
  flights.leave(seats[0], worker);
}

TEST_CASE("flights: a leader that leaves is followed by the next who is still there") {
  SingleFlight flights(on_wake);
  Worker worker;
  SingleFlight::Seat seats[4];
  for (uint32_t i = 0; i < 4; ++i) (void)flights.join("k", ticket(i), seats[i]);
  worker.gone = {1};
  flights.leave(seats[0], worker);
  CHECK(worker.woken == Slots{2});
  CHECK(flights.state(seats[2]).leads);
  CHECK_FALSE(flights.state(seats[3]).leads);
  // One that was made leader and goes before it knew.
  flights.leave(seats[2], worker);
  CHECK(worker.woken == Slots{2, 3});
  flights.finish(seats[3], Outcome::Stored, worker);
  flights.leave(seats[1], worker);
  flights.leave(seats[3], worker);
  CHECK(worker.woken == Slots{2, 3});
}

TEST_CASE("flights: one retry leads after a failure, then all are told") {
  SingleFlight flights(on_wake);
  Worker worker;
  SingleFlight::Seat seats[4];
  for (uint32_t i = 0; i < 4; ++i) (void)flights.join("k", ticket(i), seats[i]);
  flights.finish(seats[0], Outcome::Failed, worker);
  CHECK(worker.woken == Slots{1});
  CHECK(flights.state(seats[1]).leads);
  flights.finish(seats[0], Outcome::Failed, worker);  // it leads no more
  CHECK(worker.woken == Slots{1});
  flights.finish(seats[1], Outcome::Failed, worker);
  CHECK(worker.woken == Slots{1, 2, 3});
  CHECK(flights.state(seats[3]).outcome == Outcome::Failed);
  for (auto& seat : seats) flights.leave(seat, worker);
}

TEST_CASE("flights: who has waited for long enough takes over, once; a late good end still counts") {
  SingleFlight flights(on_wake);
  Worker worker;
  SingleFlight::Seat seats[4];
  for (uint32_t i = 0; i < 4; ++i) (void)flights.join("k", ticket(i), seats[i]);
  CHECK(flights.take_over(seats[2]));
  CHECK(flights.state(seats[2]).leads);
  CHECK_FALSE(flights.take_over(seats[1]));
  flights.leave(seats[1], worker);
  flights.finish(seats[0], Outcome::Gone, worker);
  CHECK(worker.woken.empty());
  flights.finish(seats[0], Outcome::Stored, worker);
  CHECK(worker.woken == Slots{3});
  flights.finish(seats[2], Outcome::Stored, worker);  // over already
  for (auto& seat : seats) flights.leave(seat, worker);
}

TEST_CASE("flights: many threads come, wait and leave, and nobody is left behind") {
  SingleFlight flights(on_wake);
  std::atomic<uint64_t> led = 0;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      // Its own worker: nothing is woken, since all of its own have gone.
      class Nobody final : public http::WorkerContext {
       public:
        [[nodiscard]] uint32_t index() const override { return 0; }
        [[nodiscard]] uint64_t now_ns() const override { return 0; }
        [[nodiscard]] std::string_view date() const override { return {}; }
        [[nodiscard]] BlockPool& blocks() override { return blocks_; }
        [[nodiscard]] bool resume_after(http::Ticket, uint64_t, Resume, void*) override { return false; }
        void forget_timers(http::Exchange&) override {}
        [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return true; }
        void run_soon(std::function<void()>) override {}

       private:
        BlockPool blocks_{1, 0};
      } worker;
      std::minstd_rand random(t);
      for (uint32_t i = 0; i < 20'000; ++i) {
        SingleFlight::Seat seat;
        const std::string key(1, static_cast<char>('a' + random() % 3));
        if (flights.join(key, {t, i, 1}, seat)) {
          ++led;
          if (random() % 2 == 0) flights.finish(seat, Outcome::Stored, worker);
        } else if (random() % 4 == 0 && flights.take_over(seat)) {
          flights.finish(seat, Outcome::Failed, worker);
        }
        flights.leave(seat, worker);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(led > 0);
  // Every key is free again.
  Worker worker;
  for (const char* key : {"a", "b", "c"}) {
    SingleFlight::Seat seat;
    CHECK(flights.join(key, ticket(1), seat));
    flights.leave(seat, worker);
  }
}

}  // namespace leat::cache

#include "middleware/verifier.h"

#include <algorithm>
#include <utility>

namespace leat::middleware {

void Verification::run() {
  {
    const std::lock_guard lock(mutex_);
    if (left_) return;
  }
  outcome_ = hash_->verify(password_);
  const std::lock_guard lock(mutex_);
  // Where that is refused the request has just ended, and has not said so yet.
  if (!left_) (void)worker_.resume_from_any_thread(ticket_, resume_, argument_);
}

void Verification::leave() {
  const std::lock_guard lock(mutex_);
  left_ = true;
}

Verifier::Verifier(ThreadPool& pool, size_t lanes, size_t queue) : pool_(pool), queue_(queue) {
  for (size_t i = 0; i < lanes; ++i) idle_.push_back(lanes_.emplace_back(std::make_unique<Lane>()).get());
}

bool Verifier::submit(std::shared_ptr<Verification> verification) {
  const std::lock_guard lock(mutex_);
  const bool starts = !idle_.empty();
  // Those for whom a lane is on its way do not wait for one.
  if (!starts && waiting_.size() >= queue_ + starting_) return false;
  waiting_.push_back(std::move(verification));
  if (!starts) return true;
  Lane* const lane = idle_.back();
  lane->owner = shared_from_this();
  if (pool_.submit(*lane)) {
    idle_.pop_back();
    lane->starts = true;
    ++starting_;
    return true;
  }
  lane->owner.reset();
  waiting_.pop_back();
  return false;
}

void Verifier::withdraw(Verification& verification) {
  verification.leave();
  const std::lock_guard lock(mutex_);
  std::erase_if(waiting_, [&](const auto& each) { return each.get() == &verification; });
}

std::shared_ptr<Verification> Verifier::take(Lane& lane) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(lane.starts, false)) --starting_;
  if (waiting_.empty()) {
    lane.owner.reset();
    idle_.push_back(&lane);
    return nullptr;
  }
  auto next = std::move(waiting_.front());
  waiting_.pop_front();
  return next;
}

// One, so that others who wait for the pool have their turn between two.
bool Verifier::Lane::run() {
  // As soon as it is idle it may be submitted again, and without this it may be gone.
  const std::shared_ptr<Verifier> kept = owner;
  if (const auto verification = kept->take(*this)) {
    verification->run();
    return true;
  }
  return false;
}

}  // namespace leat::middleware

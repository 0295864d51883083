// Activity: what a thread runs of code that is not Leat's own, for whoever must name it when that code does not come back.
//
// Published by title: one store at a callback's begin and one at its end, and no clock.
#pragma once

#include <atomic>
#include <string>

namespace leat {

// What a thread runs of plugins, for other threads to see; and what it has run, for itself. A title says all:
// "plugin demo: handler json on route GET /json".
class Activity {
 public:
  // Null outside of plugins' code. Any thread.
  [[nodiscard]] const std::string* now() const { return now_.load(std::memory_order_acquire); }

  // The rest is the thread's own. The only one that ran since forget(), or the last of several; null for
  // none.
  [[nodiscard]] const std::string* ran() const { return ran_; }
  [[nodiscard]] bool several() const { return several_; }
  void forget() {
    if (ran_ != nullptr) last_ = ran_;
    ran_ = nullptr;
    several_ = false;
  }
  // What runs now, or ran last, also before forget().
  [[nodiscard]] const std::string* last() const {
    if (const std::string* running = now()) return running;
    return ran_ != nullptr ? ran_ : last_;
  }
  void reset() {
    now_ = nullptr;
    ran_ = last_ = nullptr;
    several_ = false;
  }

 private:
  friend class RunningScope;
  std::atomic<const std::string*> now_ = nullptr;
  const std::string* ran_ = nullptr;
  const std::string* last_ = nullptr;
  bool several_ = false;
};

// Where this thread's callbacks are told; null for nowhere.
inline constinit thread_local Activity* thread_activity = nullptr;

// A callback with that title runs, for as long as this lives.
class RunningScope {
 public:
  explicit RunningScope(const std::string& title) : activity_(thread_activity) {
    if (activity_ == nullptr) return;
    outer_ = activity_->now_.load(std::memory_order_relaxed);
    activity_->now_.store(&title, std::memory_order_release);
    if (activity_->ran_ == &title) return;
    activity_->several_ = activity_->ran_ != nullptr;
    activity_->ran_ = &title;
  }
  ~RunningScope() {
    if (activity_ != nullptr) activity_->now_.store(outer_, std::memory_order_release);
  }
  RunningScope(const RunningScope&) = delete;
  RunningScope& operator=(const RunningScope&) = delete;

 private:
  Activity* activity_;
  const std::string* outer_ = nullptr;
};

}  // namespace leat

// Stalls: while a callback keeps a worker's loop from turning, all other clients of that worker wait. These
// find it and name the callback.
//
// Two look, since neither sees all. The worker measures each turn at its end (StallMeter): it misses none,
// but of several handlers that ran in a long turn it cannot tell which one took the time, and of a turn that
// never ends it cannot tell at all. Another thread looks at the worker from outside (StallWatch, of the
// StallWatchdog): it sees what runs, and tells the meter.
//
// Nothing here costs a request a clock. A turn's end is checked against the coarse clock, which is a read of
// memory, and only a turn in which that has ticked is measured. Rejected: a time-stamp for each callback; a
// signal from a timer, which would interrupt plugins' system calls.
#pragma once

#include <atomic>
#include <cstdint>
#include <ctime>
#include <string>

#include "base/activity.h"

namespace leat::worker {

// The worker's part. Its thread's, except suspect() and stalls().
class StallMeter {
 public:
  // Has the callbacks of this thread told to the meter, for as long as it lives.
  class Thread {
   public:
    // Where the thread has an activity already, which others look at too, the meter goes by that one.
    explicit Thread(StallMeter& meter) {
      if (thread_activity != nullptr) {
        meter.activity_ = thread_activity;
      } else if (meter.limit_ns_ != 0) {
        thread_activity = meter.activity_;
      }
    }
    ~Thread() { thread_activity = nullptr; }
    Thread(const Thread&) = delete;
    Thread& operator=(const Thread&) = delete;
  };

  // A turn of more than `limit_ms` is a stall; 0: none is.
  StallMeter(uint32_t worker, uint64_t limit_ms);

  // The turn that began at `begin_ns` (CLOCK_MONOTONIC) is over: warns if it was a stall.
  void turn_ends(uint64_t begin_ns) {
    if (limit_ns_ == 0) return;
    if (read(clock_) > begin_ns) [[unlikely]]
      warn(begin_ns);
    activity_->forget();
  }
  // The same for a turn that ended at `end_ns`: the line for the log, or nothing.
  std::string judge(uint64_t begin_ns, uint64_t end_ns);

  // The watch's: `title` was seen to run in the turn that began at `begin_ns`. The last word counts.
  void suspect(uint64_t begin_ns, const std::string& title);
  // How many there were. Any thread.
  [[nodiscard]] uint64_t stalls() const { return stalls_.load(std::memory_order_relaxed); }
  [[nodiscard]] const Activity& activity() const { return *activity_; }
  [[nodiscard]] uint32_t worker() const { return worker_; }

 private:
  static uint64_t read(clockid_t clock) {
    timespec now;
    ::clock_gettime(clock, &now);
    return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
  }
  [[gnu::cold]] void warn(uint64_t begin_ns);
  [[nodiscard]] std::string culprit(uint64_t begin_ns) const;

  const uint32_t worker_;
  const uint64_t limit_ns_;
  const clockid_t clock_;  // the coarse one, unless a stall could hide between two of its ticks
  Activity own_activity_;
  Activity* activity_ = &own_activity_;
  uint64_t quiet_until_ns_ = 0;  // a warning was given: the next ones are only counted
  uint64_t left_out_ = 0;

  alignas(64) std::atomic<uint64_t> suspect_turn_ = UINT64_MAX;
  std::atomic<const std::string*> suspect_ = nullptr;
  std::atomic<uint64_t> stalls_ = 0;
};

// What another thread sees of one worker, look by look. That thread's.
class StallWatch {
 public:
  // A turn that lasts this long is a hang, and told of while it lasts; then again each time it has doubled.
  static constexpr uint64_t kHangNs = 1'000'000'000;

  StallWatch(StallMeter& meter, uint64_t limit_ms);

  // Looks at `now_ns`. The turn under way began at `begin_ns` (0: there is none) and runs what `title` says
  // (may be null). Returns a line for the log, or nothing.
  std::string look(uint64_t begin_ns, const std::string* title, uint64_t now_ns);

 private:
  StallMeter& meter_;
  const uint64_t first_hang_ns_;
  uint64_t turn_ = 0;                   // the one of the last look, by its begin
  uint64_t next_hang_ns_ = 0;           // the age at which it is told of
  const std::string* title_ = nullptr;  // seen last in it ...
  uint32_t times_ = 0;                  // ... this often in a row
  uint32_t most_ = 0;                   // the longest such row
};

}  // namespace leat::worker

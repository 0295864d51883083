// TimerWheel: the deadlines of a worker.
//
// A hierarchical wheel of 1 ms ticks: starting, moving and stopping a timer are constant time and allocate
// nothing, because the node lives in its owner. Deadlines are approximate upwards: a timer runs at the
// first advance() at or after its deadline, never before.
//
// The timers of a server are moved on every request and nearly never reached, so moving one to a later time
// is a single store: the timer stays where it is, and is put where it belongs when the wheel comes by.
//
// A timer lies on the lowest level on which its slot differs from the present one. So the present slot of
// every level but the lowest is empty, all slots that hold timers lie ahead, and the lowest level that holds
// any holds the earliest.
//
// A kernel timeout per connection (IORING_OP_LINK_TIMEOUT) was measured at 4% more CPU and 350 bytes a
// connection; a heap would cost log n for each move.
//
// Thread: the owning worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace leat::net {

// A resource of its owner: immovable, and stopped before it is destroyed.
class Timer {
 public:
  using Callback = void (*)(Timer&);
  explicit Timer(Callback callback) : callback_(callback) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer();

  [[nodiscard]] bool running() const { return link_ != nullptr; }
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }

 private:
  friend class TimerWheel;

  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points to this timer, null while it does not run
  uint64_t deadline_ms_ = 0;
  uint64_t placed_ms_ = 0;  // the time it is filed under, never later than the deadline
  Callback callback_;
};

class TimerWheel {
 public:
  explicit TimerWheel(uint64_t now_ms);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();  // no timer may run any more

  // Runs `timer` at `deadline_ms` (the clock of advance()). A running timer is moved. A deadline that has
  // passed runs at the next advance().
  void start(Timer& timer, uint64_t deadline_ms) {
    timer.deadline_ms_ = deadline_ms;
    if (timer.running() && deadline_ms >= timer.placed_ms_) return;
    place(timer);
  }
  void stop(Timer& timer);

  // Runs what is due, earlier ticks first; `now_ms` is less than UINT64_MAX and never goes back. A callback
  // may start and stop any timer, its own included; one that it starts anew with a deadline already passed
  // runs at the next advance().
  void advance(uint64_t now_ms);

  // The earliest time at which advance() may have something to do, UINT64_MAX when nothing runs. Exact for
  // a timer within 64 ms that was not moved, else possibly early, never late.
  [[nodiscard]] uint64_t next_ms() const;
  [[nodiscard]] size_t running() const { return running_; }

 private:
  static constexpr unsigned kLevels = 11;  // 64^11 is past any 64-bit time: the highest level never wraps
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;
  using Slots = std::array<Timer*, kSlots>;

  void place(Timer& timer);
  void insert(Timer& timer);
  void unlink(Timer& timer);
  Timer* take(unsigned level, unsigned slot);

  uint64_t now_ms_;
  size_t running_ = 0;
  std::array<uint64_t, kLevels> occupied_{};  // a bit for each slot that holds a timer
  std::array<Slots, kLevels> slots_{};
};

}  // namespace leat::net

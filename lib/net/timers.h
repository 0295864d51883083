// TimerWheel: the deadlines of a worker.
//
// A hierarchical wheel of 1 ms ticks: starting, moving and stopping a timer are constant time and allocate
// nothing, because the node lives in its owner. Deadlines are approximate upwards: a timer runs at the
// first advance() at or after its deadline, never before.
//
// A kernel timeout per connection (IORING_OP_LINK_TIMEOUT) was measured at 4% more CPU and 350 bytes a
// connection; a heap would cost log n for deadlines that are nearly always moved and nearly never reached.
//
// Thread: the owning worker's.
#pragma once

#include <array>
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

  [[nodiscard]] bool running() const { return next_ != nullptr; }
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }

 private:
  friend class TimerWheel;
  Timer() = default;  // a list head

  Timer* next_ = nullptr;
  Timer* previous_ = nullptr;
  uint64_t deadline_ms_ = 0;
  Callback callback_ = nullptr;
};

class TimerWheel {
 public:
  explicit TimerWheel(uint64_t now_ms);
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;
  ~TimerWheel();

  // Runs `timer` at `deadline_ms` (the clock of advance()). A running timer is moved. A deadline that has
  // passed runs at the next advance().
  void start(Timer& timer, uint64_t deadline_ms);
  void stop(Timer& timer);

  // Runs what is due. A callback may start and stop any timer, its own included.
  void advance(uint64_t now_ms);

  // The earliest time at which advance() may have something to do, UINT64_MAX when nothing runs. Exact for
  // deadlines within 64 ms, else possibly early, never late.
  [[nodiscard]] uint64_t next_ms() const;
  [[nodiscard]] size_t running() const { return running_; }

 private:
  static constexpr unsigned kLevels = 5;  // 64^5 ms: twelve days; farther deadlines wait in the last slot
  static constexpr unsigned kBits = 6;
  static constexpr unsigned kSlots = 1U << kBits;

  void insert(Timer& timer);
  void unlink(Timer& timer);
  void cascade(unsigned level, unsigned slot);

  uint64_t now_ms_;
  size_t running_ = 0;
  std::array<uint64_t, kLevels> occupied_{};  // a bit for each slot that holds a timer
  std::array<std::array<Timer, kSlots>, kLevels> slots_;
};

}  // namespace leat::net

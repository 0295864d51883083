// QuickClock: CLOCK_MONOTONIC for who asks several times in a request.
//
// The kernel's clock is asked once a millisecond; in between the processor's counter says how much later it is, by how
// fast it went in the milliseconds before. So it is a few nanoseconds off, in place of some thirty that a look takes
// under a hypervisor. Where the counter does not run evenly, or is no x86's, each look is one at the kernel's clock.
//
// Thread: its own. quick_ns() has one for each.
#pragma once

#include <cstdint>

#include "base/clock.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

namespace leat {

class QuickClock {
 public:
#if defined(__x86_64__)
  uint64_t now_ns() {
    const uint64_t ticks = __rdtsc() - tick_;
    if (ticks < most_ticks_) [[likely]]
      return ns_ + (ticks * scale_ >> kShift);
    return look();
  }

 private:
  static constexpr unsigned kShift = 32;
  static constexpr uint64_t kPeriodNs = 1'000'000;  // for which one look is good
  static constexpr uint64_t kLongNs = 1'000'000'000;

  // CPUID 8000'0007, EDX bit 8: the counter runs at one speed, whatever the processor does.
  static bool is_even() {
    static const bool even = [] {
      unsigned a = 0, b = 0, c = 0, d = 0;
      return __get_cpuid(0x8000'0007, &a, &b, &c, &d) != 0 && (d & 1U << 8) != 0;
    }();
    return even;
  }

  [[gnu::noinline]] uint64_t look() {
    // Both at the same moment: a thread that is interrupted in between tries again.
    constexpr uint64_t kMoment = 2000;
    uint64_t before = 0, after = 0, ns = 0;
    for (int i = 0; i < 3 && (i == 0 || after - before > kMoment); ++i) {
      before = __rdtsc();
      ns = monotonic_ns();
      after = __rdtsc();
    }
    const uint64_t tick = after;
    if (after - before > kMoment || !is_even()) {
      most_ticks_ = 0;
      tick_ = ns_ = 0;
      return ns;
    }
    const uint64_t passed = ns - ns_;
    if (tick_ == 0 || passed >= kLongNs) {
      begin(tick, ns, 0);
    } else if (passed >= kPeriodNs) {
      begin(tick, ns, (passed << kShift) / (tick - tick_));
    }
    return ns;
  }
  void begin(uint64_t tick, uint64_t ns, uint64_t scale) {
    tick_ = tick;
    ns_ = ns;
    scale_ = scale;
    most_ticks_ = scale == 0 ? 0 : (kPeriodNs << kShift) / scale;
  }

  uint64_t tick_ = 0;        // of the last look
  uint64_t ns_ = 0;          // likewise
  uint64_t scale_ = 0;       // nanoseconds of a tick, times 2 to the kShift
  uint64_t most_ticks_ = 0;  // from that look on until the next; 0: at once
#else
  static uint64_t now_ns() { return monotonic_ns(); }
#endif
};

inline constinit thread_local QuickClock quick_clock;

inline uint64_t quick_ns() { return quick_clock.now_ns(); }

}  // namespace leat

#include "worker/stall.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace leat::worker {

namespace {

constexpr uint64_t kMsNs = 1'000'000;
constexpr uint64_t kSecondNs = 1000 * kMsNs;

// One warning a second and worker shows that there is something, and what; a plugin that blocks in each
// request would fill the log.
constexpr uint64_t kQuietNs = kSecondNs;

std::string duration(uint64_t ns) {
  return ns < kSecondNs ? fmt::format("{:.1f} ms", static_cast<double>(ns) / kMsNs)
                        : fmt::format("{:.1f} s", static_cast<double>(ns) / kSecondNs);
}

// The coarse clock lags by one of its ticks at most, 1 to 10 ms, so that it passes the beginning of each turn
// that is longer than a tick.
clockid_t clock_for(uint64_t limit_ns) {
  timespec tick{};
  const bool known = ::clock_getres(CLOCK_MONOTONIC_COARSE, &tick) == 0;
  return known && tick.tv_sec == 0 && static_cast<uint64_t>(tick.tv_nsec) <= limit_ns ? CLOCK_MONOTONIC_COARSE
                                                                                      : CLOCK_MONOTONIC;
}

}  // namespace

StallMeter::StallMeter(uint32_t worker, uint64_t limit_ms)
    : worker_(worker), limit_ns_(limit_ms * kMsNs), clock_(clock_for(limit_ns_)) {}

void StallMeter::warn(uint64_t begin_ns) {
  const std::string line = judge(begin_ns, read(CLOCK_MONOTONIC));
  if (!line.empty()) log::warn("{}", line);
}

std::string StallMeter::judge(uint64_t begin_ns, uint64_t end_ns) {
  if (end_ns - begin_ns <= limit_ns_) return {};
  stalls_.store(stalls() + 1, std::memory_order_relaxed);
  if (end_ns < quiet_until_ns_) {
    ++left_out_;
    return {};
  }
  quiet_until_ns_ = end_ns + kQuietNs;
  std::string line = fmt::format("worker {} was blocked for {}: {}", worker_, duration(end_ns - begin_ns),
                                 culprit(begin_ns));
  if (const uint64_t left_out = std::exchange(left_out_, 0))
    line += fmt::format(" ({} more since the last such line)", left_out);
  return line;
}

std::string StallMeter::culprit(uint64_t begin_ns) const {
  if (suspect_turn_.load(std::memory_order_acquire) == begin_ns)
    return *suspect_.load(std::memory_order_relaxed);
  if (activity_->ran() == nullptr) return "no plugin's code ran";
  if (activity_->several()) return fmt::format("one of several; the last was {}", *activity_->ran());
  return *activity_->ran();
}

// The turn is stored last: whoever reads it sees at least its title.
void StallMeter::suspect(uint64_t begin_ns, const std::string& title) {
  suspect_.store(&title, std::memory_order_relaxed);
  suspect_turn_.store(begin_ns, std::memory_order_release);
}

StallWatch::StallWatch(StallMeter& meter, uint64_t limit_ms)
    : meter_(meter), first_hang_ns_(std::max(kHangNs, limit_ms * kMsNs)) {}

std::string StallWatch::look(uint64_t begin_ns, const std::string* title, uint64_t now_ns) {
  if (begin_ns == 0 || now_ns < begin_ns) return {};
  if (begin_ns != turn_) {
    turn_ = begin_ns;
    next_hang_ns_ = first_hang_ns_;
    title_ = nullptr;
    most_ = times_ = 0;
  }
  times_ = title == title_ ? times_ + 1 : 1;
  title_ = title;
  if (title != nullptr && times_ > most_) {
    most_ = times_;
    meter_.suspect(begin_ns, *title);
  }
  const uint64_t age_ns = now_ns - begin_ns;
  if (age_ns < next_hang_ns_) return {};
  next_hang_ns_ = std::max(next_hang_ns_, age_ns) * 2;
  return fmt::format("worker {} has been blocked for {} and still is: {}", meter_.worker(), duration(age_ns),
                     title != nullptr ? *title : "no plugin's code runs");
}

}  // namespace leat::worker

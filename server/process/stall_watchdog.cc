#include "server/process/stall_watchdog.h"

#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "server/process/crash_report.h"

namespace leat::server {

namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;  // CLOCK_MONOTONIC

constexpr milliseconds kSlow{worker::StallWatch::kHangNs / 1'000'000};
// Turns a second from which on one turn is likely to run more than one handler. With fewer, the worker's own
// look knows.
constexpr uint64_t kBusyTurns = 500;

uint64_t now_ns() {
  return static_cast<uint64_t>(std::chrono::nanoseconds(Clock::now().time_since_epoch()).count());
}

struct Watched {
  worker::Worker& worker;
  worker::StallWatch watch;
  uint64_t turns = 0;  // as of the last second
  uint64_t stalls = 0;

  void look() {
    const net::Loop& loop = worker.loop();
    const uint64_t begin_ns = loop.busy_since_ns();
    const std::string* title = worker.stalls().activity().now();
    // In another turn by now: the title may be either's.
    if (loop.busy_since_ns() != begin_ns) return;
    const std::string line = watch.look(begin_ns, title, now_ns());
    if (!line.empty()) log::warn("{}", line);
  }

  // Called once a second.
  bool wants_close_looks() {
    const uint64_t turned = worker.loop().turns() - std::exchange(turns, worker.loop().turns());
    const uint64_t stalled = worker.stalls().stalls() - std::exchange(stalls, worker.stalls().stalls());
    return turned > kBusyTurns || stalled > 0;
  }
};

}  // namespace

StallWatchdog::StallWatchdog(std::span<const std::unique_ptr<worker::Worker>> workers, uint64_t limit_ms,
                             std::vector<int> descriptors)
    : workers_(workers),
      limit_ms_(limit_ms),
      descriptors_(std::move(descriptors)),
      thread_([this](const std::stop_token& stopping) { run(stopping); }) {}

void StallWatchdog::look_at_descriptors() const {
  for (const auto& worker : workers_)
    if (!worker->is_whole()) descriptor_lost("a listening socket");
  for (const int fd : descriptors_)
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF) descriptor_lost("one that the main thread waits on");
}

void StallWatchdog::run(const std::stop_token& stopping) {
  ::pthread_setname_np(::pthread_self(), "leat-watch");
  const milliseconds close = std::clamp(milliseconds(limit_ms_ / 2), milliseconds(1), kSlow);
  std::vector<Watched> all;
  for (const auto& worker : workers_)
    all.push_back({*worker, worker::StallWatch(worker->stalls(), limit_ms_)});
  bool closely = false;
  Clock::time_point next_second = Clock::now();
  std::unique_lock lock(mutex_);
  while (!stopping.stop_requested()) {
    wake_.wait_for(lock, stopping, closely ? close : kSlow, [] { return false; });
    if (limit_ms_ != 0)
      for (Watched& each : all) each.look();
    if (Clock::now() < next_second) continue;
    next_second = Clock::now() + kSlow;
    look_at_descriptors();
    keep_signal_handlers({});
    closely = false;
    if (limit_ms_ != 0)
      for (Watched& each : all) closely |= each.wants_close_looks();
  }
}

}  // namespace leat::server

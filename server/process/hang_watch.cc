#include "server/process/hang_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "base/clock.h"
#include "server/process/crash_report.h"
#include "server/process/exit_code.h"
#include "server/process/signals.h"

namespace leat::server {

namespace {

// How long a daemon of which a worker serves already may take to hear its signals itself.
constexpr uint64_t kHandOverMs = 3'000;

}  // namespace

HangWatch::HangWatch(std::function<void()> stop)
    : stop_(std::move(stop)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

HangWatch::~HangWatch() {
  ending_ = true;
  wake();
  thread_.join();
}

void HangWatch::expect(uint64_t within_ms, const char* otherwise) {
  otherwise_ = otherwise;
  deadline_ms_ = within_ms == 0 ? UINT64_MAX : monotonic_ms() + within_ms;
  wake();
}

void HangWatch::serves() {
  deadline_ms_ = UINT64_MAX;
  loading_ = false;
  wake();
}

void HangWatch::wake() const {
  const uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void HangWatch::run() {
  ::pthread_setname_np(::pthread_self(), "leat-hangs");
  bool hears = heard_signals_fd() >= 0;
  std::vector<int> later;  // signals that came too early for those who act on them
  uint64_t stop_at_ms = UINT64_MAX;
  while (!ending_) {
    if (!loading_ && hears) {
      hears = false;
      stop_at_ms = UINT64_MAX;
      for (const int signal : later) ::kill(::getpid(), signal);
    }
    const uint64_t now = monotonic_ms();
    if (now >= deadline_ms_) end_for_hanging(otherwise_.load());
    if (now >= stop_at_ms) {
      stop_();
      ::_exit(kExitFine);
    }
    const uint64_t next = std::min<uint64_t>(deadline_ms_, stop_at_ms);
    const int wait = next == UINT64_MAX ? -1 : static_cast<int>(std::min<uint64_t>(next - now, INT32_MAX));
    pollfd events[] = {{wake_.get(), POLLIN, 0}, {heard_signals_fd(), POLLIN, 0}};
    ::poll(events, hears ? 2 : 1, wait);
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    if (!loading_) continue;
    for (int signal; hears && (signal = next_signal()) != 0;) {
      later.push_back(signal);
      if (signal == SIGHUP || signal == SIGUSR1 || signal == SIGUSR2) continue;
      stop_at_ms = std::min(stop_at_ms, monotonic_ms() + (one_serves_ ? kHandOverMs : 0));
    }
  }
}

}  // namespace leat::server

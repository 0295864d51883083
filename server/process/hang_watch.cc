#include "server/process/hang_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <vector>

#include "base/clock.h"
#include "server/process/crash_report.h"
#include "server/process/daemon.h"
#include "server/process/exit_code.h"

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
  const sigset_t set = daemon_signals();
  Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  std::vector<int> later;  // signals that came too early for those who act on them
  uint64_t stop_at_ms = UINT64_MAX;
  while (!ending_) {
    if (!loading_ && signals) {
      signals.reset();
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
    pollfd events[] = {{wake_.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    ::poll(events, signals ? 2 : 1, wait);
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    if (!loading_) continue;
    signalfd_siginfo info{};
    while (signals && ::read(signals.get(), &info, sizeof info) == sizeof info) {
      later.push_back(static_cast<int>(info.ssi_signo));
      if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGUSR1 || info.ssi_signo == SIGUSR2) continue;
      stop_at_ms = std::min(stop_at_ms, monotonic_ms() + (one_serves_ ? kHandOverMs : 0));
    }
  }
}

}  // namespace leat::server

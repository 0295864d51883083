#include "server/hang_watch.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "base/clock.h"
#include "server/crash_report.h"
#include "server/daemon.h"
#include "server/exit_code.h"

namespace leat::server {

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
  while (!ending_) {
    const uint64_t now = monotonic_ms();
    const uint64_t deadline = deadline_ms_;
    if (now >= deadline) end_for_hanging(otherwise_.load());
    if (!loading_ && signals) {
      signals.reset();
      // They came too early for those who act on them.
      if (hup_) ::kill(::getpid(), SIGHUP);
      if (usr1_) ::kill(::getpid(), SIGUSR1);
    }
    const int wait =
        deadline == UINT64_MAX ? -1 : static_cast<int>(std::min<uint64_t>(deadline - now, INT32_MAX));
    pollfd events[] = {{wake_.get(), POLLIN, 0}, {signals.get(), POLLIN, 0}};
    ::poll(events, signals ? 2 : 1, wait);
    uint64_t count = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &count, sizeof count);
    if (!loading_) continue;
    signalfd_siginfo info{};
    while (signals && ::read(signals.get(), &info, sizeof info) == sizeof info) {
      if (info.ssi_signo == SIGHUP) {
        hup_ = true;
      } else if (info.ssi_signo == SIGUSR1) {
        usr1_ = true;
      } else {
        stop_();
        ::_exit(kExitFine);
      }
    }
  }
}

}  // namespace leat::server

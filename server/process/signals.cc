#include "server/process/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "server/process/exit_code.h"

namespace leat::server {

namespace {

constexpr int kDaemonSignals[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

std::atomic<int> pipe_in = -1, pipe_out = -1;
std::atomic<pid_t> owner = 0;

void write_down(int signal) {
  const int before = errno;
  if (owner.load(std::memory_order_relaxed) == ::getpid()) {
    const auto number = static_cast<char>(signal);
    [[maybe_unused]] const auto written = ::write(pipe_in.load(std::memory_order_relaxed), &number, 1);
  } else {
    // Of a plugin's child that has not called exec yet, and has the same pipe: what it gets is not for the daemon.
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  errno = before;
}

void set_handler(int signal, void (*handler)(int)) {
  struct sigaction action{};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

sigset_t daemon_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kDaemonSignals) sigaddset(&set, signal);
  return set;
}

void block_signals() {
  sigset_t set = daemon_signals();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored by whoever started this, it would hide how a child ended
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void hear_signals() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    std::fprintf(stderr, "leat: signals cannot be heard: pipe: %s\n", std::strerror(errno));
    std::_Exit(kExitFailure);
  }
  pipe_out = ends[0];
  pipe_in = ends[1];
  owner = ::getpid();
  for (const int signal : kDaemonSignals) set_handler(signal, write_down);
  // Not ignored, which children would inherit: a client that leaves must end nothing but its connection.
  set_handler(SIGPIPE, [](int) {});
  let_signals_in();
}

int heard_signals_fd() { return pipe_out; }

int next_signal() {
  char number = 0;
  return ::read(pipe_out, &number, 1) == 1 ? number : 0;
}

void let_signals_in() {
  sigset_t set = daemon_signals();
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace leat::server

#include "server/process/supervisor.h"

#include <fmt/core.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>
#include <new>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "server/process/daemon.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

constexpr uint64_t kFirstDelayMs = 100;

class Supervisor {
 public:
  Supervisor(const config::Settings::Supervision& options, ListeningSockets& sockets, LifeSigns& signs)
      : options_(options), sockets_(sockets), signs_(signs), signals_(daemon_signals()) {
    start_.signs = &signs;
    sigaddset(&signals_, SIGCHLD);
  }

  int run(const std::function<int(const ServingStart&)>& serve) {
    ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
    const pid_t supervisor = ::getpid();
    for (;;) {
      signs_.serving = signs_.ended = false;
      signs_.words.clear();
      const pid_t child = ::fork();
      if (child == 0) {
        const int code = become_child(supervisor) ? serve(start_) : kExitFailure;
        signs_.ended = true;
        return code;
      }
      if (child < 0) {
        log::error("cannot start a process that serves: fork: {}", std::strerror(errno));
        if (!restarting_) return kExitFailure;
        crashes_.push_back({monotonic_ms(), {}});
      } else {
        const int status = watch(child);
        if (const auto code = judge(status)) return *code;
      }
      restarting_ = true;
      if (!wait_before_restart()) return kExitFine;
    }
  }

 private:
  struct Crash {
    uint64_t at_ms;
    std::string plugin;  // empty: nobody is blamed
  };

  // False when the supervisor died before its death could be noticed.
  static bool become_child(pid_t supervisor) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != supervisor) return false;
    // A group of its own: what a terminal sends comes from the supervisor, and once.
    ::setpgid(0, 0);
    sigset_t chld;
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    ::sigprocmask(SIG_UNBLOCK, &chld, nullptr);
    return true;
  }

  // Passes signals on until the child has ended. Returns its wait status.
  int watch(pid_t child) {
    for (;;) {
      int status = 0;
      if (::waitpid(child, &status, WNOHANG) == child) return status;
      siginfo_t info{};
      const int signal = ::sigwaitinfo(&signals_, &info);
      if (signal < 0 || signal == SIGCHLD) continue;
      ::kill(child, signal);
      if (ends(signal)) {
        stopping_ = true;
        sockets_.close();
      }
    }
  }

  static bool ends(int signal) { return signal == SIGTERM || signal == SIGQUIT || signal == SIGINT; }

  // The exit code, or nothing when another child shall follow.
  std::optional<int> judge(int status) {
    const bool crashed = WIFSIGNALED(status) || !signs_.ended;
    if (!crashed && (!restarting_ || stopping_ || signs_.serving)) return WEXITSTATUS(status);
    if (signs_.pardoned.exchange(false)) start_.quarantined.clear();
    const auto [how, plugin] =
        crashed ? judge_end(status, signs_.words)
                : Ending{fmt::format("could not start: status {}", WEXITSTATUS(status)), ""};
    start_.proven = signs_.serving || !start_.proven;
    start_.former_end = "the process that served before " + how;
    log::error("the process that serves {}", how);
    if (stopping_) return kExitFailure;
    crashes_.push_back({monotonic_ms(), plugin});
    count(plugin);
    return std::nullopt;
  }

  void count(const std::string& plugin) {
    const uint64_t now = monotonic_ms();
    std::erase_if(crashes_, [&](const Crash& each) { return now - each.at_ms > options_.crash_window_ms; });
    // What is older than this many counts for nothing.
    if (crashes_.size() > kMostCrashes) crashes_.erase(crashes_.begin());
    if (plugin.empty() || std::ranges::contains(start_.quarantined, plugin)) return;
    if (std::ranges::count(crashes_, plugin, &Crash::plugin) < options_.crash_limit) return;
    start_.quarantined.push_back(plugin);
    // It is dealt with: it is no reason to delay what comes.
    std::erase_if(crashes_, [&](const Crash& each) { return each.plugin == plugin; });
    log::error("plugin {} has crashed {} time{}: it is quarantined", plugin, options_.crash_limit,
               options_.crash_limit == 1 ? "" : "s");
  }

  // False when it was told to stop meanwhile.
  bool wait_before_restart() {
    const size_t beyond = crashes_.size() > options_.crash_limit ? crashes_.size() - options_.crash_limit : 0;
    uint64_t delay_ms = 0;
    if (beyond > 0)
      delay_ms = std::min(options_.restart_delay_ms, kFirstDelayMs << std::min<size_t>(beyond - 1, 20));
    if (delay_ms > 0) log::error("too many crashes: the next process starts in {} ms", delay_ms);
    const uint64_t until = monotonic_ms() + delay_ms;
    for (uint64_t now = monotonic_ms();; now = monotonic_ms()) {
      const uint64_t left = until > now ? until - now : 0;
      const timespec wait{static_cast<time_t>(left / 1000), static_cast<long>(left % 1000 * 1'000'000)};
      const int signal = ::sigtimedwait(&signals_, nullptr, &wait);
      if (ends(signal)) return false;
      if (signal < 0 && left == 0) return true;
    }
  }

  static constexpr size_t kMostCrashes = 2048;

  const config::Settings::Supervision& options_;
  ListeningSockets& sockets_;
  LifeSigns& signs_;
  sigset_t signals_;
  ServingStart start_;
  std::vector<Crash> crashes_;  // within the window, oldest first
  bool restarting_ = false;
  bool stopping_ = false;
};

}  // namespace

LifeSigns* make_life_signs() {
  void* page = ::mmap(nullptr, sizeof(LifeSigns), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (page != MAP_FAILED) return new (page) LifeSigns;
  log::error("no memory can be shared with another process: mmap: {}", std::strerror(errno));
  return nullptr;
}

int supervise(const config::Settings::Supervision& options, ListeningSockets& sockets,
              const std::function<int(const ServingStart&)>& serve) {
  LifeSigns* signs = make_life_signs();
  return signs == nullptr ? kExitFailure : Supervisor(options, sockets, *signs).run(serve);
}

}  // namespace leat::server

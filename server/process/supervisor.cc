#include "server/process/supervisor.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <iterator>
#include <memory>
#include <new>
#include <optional>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "server/process/exit_code.h"
#include "server/process/signals.h"

namespace leat::server {

namespace {

constexpr uint64_t kFirstDelayMs = 100;
constexpr uint64_t kUpgradeMoreMs = 10'000;
// Of a daemon that has never served, beyond the crash limit: it will not come to.
constexpr uint32_t kMoreStarts = 8;

class Supervisor {
 public:
  Supervisor(ListeningSockets& sockets, const SocketChannel& channel, UpgradeOptions upgrades,
             LifeSigns& signs)
      : sockets_(sockets),
        channel_(channel),
        upgrades_(std::move(upgrades)),
        signs_(signs),
        signals_(daemon_signals()) {
    start_.signs = &signs;
    sigaddset(&signals_, SIGCHLD);
  }

  int run(const std::function<int(const ServingStart&)>& serve) {
    ::sigprocmask(SIG_BLOCK, &signals_, nullptr);
    signal_fd_.reset(::signalfd(-1, &signals_, SFD_CLOEXEC | SFD_NONBLOCK));
    if (!signal_fd_) {
      log::error("signals cannot be waited for: signalfd: {}", std::strerror(errno));
      return kExitFailure;
    }
    const pid_t supervisor = ::getpid();
    for (;;) {
      signs_.serving = signs_.ended = false;
      signs_.words.clear();
      channel_.take_up(sockets_);  // also what a process said last that has crashed
      sockets_.number_anew();
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
  bool become_child(pid_t supervisor) {
    signal_fd_.reset();
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
      const int signal = wait_for_signal();
      channel_.take_up(sockets_);
      if (stopping_) sockets_.close();
      if (upgrade_) look_at_upgrade(child);
      if (signal < 0 || signal == SIGCHLD) continue;
      if (signal == SIGUSR2) {
        begin_upgrade();
        continue;
      }
      if (ends(signal)) {
        stopping_ = true;
        sockets_.close();  // first: what connects after the child has looked for the last time is refused
      }
      ::kill(child, signal);
    }
  }

  // Below 0 when it is time to look at an upgrade, or at what the child says.
  [[nodiscard]] int wait_for_signal() const {
    constexpr int kStepMs = 20;
    pollfd events[] = {{signal_fd_.get(), POLLIN, 0}, {channel_.supervisor_fd(), POLLIN, 0}};
    ::poll(events, std::size(events), upgrade_ ? kStepMs : -1);
    signalfd_siginfo info{};
    return ::read(signal_fd_.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                       : -1;
  }

  void begin_upgrade() {
    if (upgrade_ || stopping_) return;
    log::info("upgrading: {} is started and takes over", upgrades_.invocation.program);
    auto started = Upgrade::start(upgrades_.invocation, sockets_.to_pass(), signs_.tickets.text());
    if (!started) return fail_upgrade("could not be started: " + started.error().text());
    upgrade_.emplace(std::move(*started));
    signs_.upgrading = true;
    upgrade_until_ms_ = monotonic_ms() + signs_.upgrade_within_ms;
  }

  void look_at_upgrade(pid_t child) {
    switch (upgrade_->look()) {
      case Upgrade::State::Starting:
        if (monotonic_ms() < upgrade_until_ms_) return;
        upgrade_->give_up();
        [[fallthrough]];
      case Upgrade::State::Failed:
        fail_upgrade(upgrade_->why());
        upgrade_.reset();
        return;
      case Upgrade::State::Serves:
        log::info("process {} has taken over: this one answers what it has begun, and ends", upgrade_->pid());
        upgrade_.reset();
        signs_.replaced = true;
        stopping_ = true;
        sockets_.disown();
        ::kill(child, SIGTERM);
    }
  }
  void fail_upgrade(std::string_view why) {
    log::error("the upgrade has failed, this process goes on: the new one {}", why);
    signs_.upgrading = false;
    ++signs_.failed_upgrades;
  }

  static bool ends(int signal) { return signal == SIGTERM || signal == SIGQUIT || signal == SIGINT; }

  // The exit code, or nothing when another child shall follow.
  std::optional<int> judge(int status) {
    const bool crashed = WIFSIGNALED(status) || !signs_.ended;
    if (upgrades_.takes_over && !has_served_ && !signs_.serving) {
      log::error("the process that was to take over {}",
                 crashed ? judge_end(status, signs_.words).how : "could not start");
      return kExitFailure;
    }
    if (!crashed && (!restarting_ || stopping_ || signs_.serving)) return WEXITSTATUS(status);
    if (signs_.pardoned.exchange(false)) start_.quarantined.clear();
    const auto [how, plugin] =
        crashed ? judge_end(status, signs_.words)
                : Ending{fmt::format("could not start: status {}", WEXITSTATUS(status)), ""};
    start_.last_good = signs_.serving || !start_.last_good;
    start_.former_end = "the process that served before " + how;
    log::error("the process that serves {}", how);
    if (stopping_) return kExitFailure;
    crashes_.push_back({monotonic_ms(), plugin});
    has_served_ = has_served_ || signs_.serving;
    const size_t left_out = start_.quarantined.size();
    count(plugin);
    // Whoever is left out from now on may have been the reason.
    failed_starts_ = start_.quarantined.size() > left_out ? 0 : failed_starts_ + 1;
    if (!has_served_ && failed_starts_ > signs_.crash_limit + kMoreStarts) {
      log::error("{} starts have failed and none has served: giving up", failed_starts_);
      return kExitFailure;
    }
    return std::nullopt;
  }

  void count(const std::string& plugin) {
    const uint32_t limit = signs_.crash_limit;
    const uint64_t now = monotonic_ms();
    std::erase_if(crashes_, [&](const Crash& each) { return now - each.at_ms > signs_.crash_window_ms; });
    // What is older than this many counts for nothing.
    if (crashes_.size() > kMostCrashes) crashes_.erase(crashes_.begin());
    if (plugin.empty() || std::ranges::contains(start_.quarantined, plugin)) return;
    if (std::ranges::count(crashes_, plugin, &Crash::plugin) < limit) return;
    start_.quarantined.push_back(plugin);
    // It is dealt with: it is no reason to delay what comes.
    std::erase_if(crashes_, [&](const Crash& each) { return each.plugin == plugin; });
    log::error("plugin {} has crashed {}: it is quarantined", plugin, counted(limit, "time"));
  }

  // False when it was told to stop meanwhile.
  bool wait_before_restart() {
    const size_t limit = signs_.crash_limit;
    const size_t beyond = crashes_.size() > limit ? crashes_.size() - limit : 0;
    uint64_t delay_ms = 0;
    if (beyond > 0)
      delay_ms =
          std::min<uint64_t>(signs_.restart_delay_ms, kFirstDelayMs << std::min<size_t>(beyond - 1, 20));
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

  ListeningSockets& sockets_;
  const SocketChannel& channel_;
  UpgradeOptions upgrades_;
  std::optional<Upgrade> upgrade_;  // under way
  uint64_t upgrade_until_ms_ = 0;
  LifeSigns& signs_;
  sigset_t signals_;
  Fd signal_fd_;
  ServingStart start_;
  std::vector<Crash> crashes_;  // within the window, oldest first
  uint32_t failed_starts_ = 0;
  bool has_served_ = false;
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

// For another process to start and tell of it, beside loading.
void LifeSigns::set(const config::Settings& settings) {
  crash_limit = settings.supervision.crash_limit;
  crash_window_ms = settings.supervision.crash_window_ms;
  restart_delay_ms = settings.supervision.restart_delay_ms;
  upgrade_within_ms = settings.load_timeout_ms + kUpgradeMoreMs;
}

int supervise(const config::Settings& settings, ListeningSockets& sockets, const SocketChannel& channel,
              UpgradeOptions upgrades, const std::function<int(const ServingStart&)>& serve) {
  LifeSigns* signs = make_life_signs();
  if (signs == nullptr) return kExitFailure;
  signs->set(settings);
  signs->tickets.take(std::exchange(upgrades.tickets, {}));
  return Supervisor(sockets, channel, std::move(upgrades), *signs).run(serve);
}

}  // namespace leat::server

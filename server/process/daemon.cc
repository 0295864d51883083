#include "server/process/daemon.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <latch>
#include <mutex>

#include "base/check.h"
#include "base/log.h"
#include "server/process/cpus.h"
#include "server/process/notify.h"
#include "server/process/stall_watchdog.h"

namespace leat::server {

namespace {

// A connection costs a descriptor, and the soft limit is often 1024 for historical reasons only (select(2)).
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Fleet {
 public:
  Fleet(const DaemonOptions& options, std::span<http::Service* const> services,
        std::vector<std::vector<Fd>> listeners)
      : ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), hangs_(options.hangs) {
    const std::vector<int> cpus = usable_cpus();
    for (uint32_t i = 0; i < options.workers; ++i) {
      worker::WorkerOptions worker = options.worker;
      worker.index = worker.connections.worker = i;
      worker.cpu = options.pin ? cpus[i % cpus.size()] : -1;
      workers_.push_back(std::make_unique<worker::Worker>(std::move(worker), std::move(listeners[i]),
                                                          *services[i], workers_, options.hooks));
    }
  }

  // Starts every worker; false, with all of them stopped, when one cannot serve.
  bool start() {
    std::latch ready(static_cast<std::ptrdiff_t>(workers_.size()));
    for (const auto& worker : workers_) {
      threads_.emplace_back([this, &ready, worker = worker.get()] {
        worker->run([&](const Expected<std::string>& result) {
          if (result) {
            if (hangs_ != nullptr) hangs_->one_serves();
            log::info("worker {}: {}", worker->index(), *result);
          } else {
            log::error("worker {} cannot serve: {}", worker->index(), result.error().text());
            const std::lock_guard lock(mutex_);
            failed_.push_back(worker->index());
          }
          ready.count_down();
        });
        const uint64_t one = 1;
        [[maybe_unused]] const auto written = ::write(ended_.get(), &one, sizeof one);
      });
    }
    ready.wait();
    if (failed_.empty()) return true;
    for (const auto& worker : workers_)
      if (std::ranges::find(failed_, worker->index()) == failed_.end()) worker->stop();
    join();
    return false;
  }

  void drain() {
    for (const auto& worker : workers_) worker->drain();
  }
  void stop() {
    for (const auto& worker : workers_) worker->stop();
  }
  void join() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }
  [[nodiscard]] std::span<const std::unique_ptr<worker::Worker>> workers() const { return workers_; }
  [[nodiscard]] int ended_fd() const { return ended_.get(); }
  // Whether every worker has returned, going by what can be read from ended_fd().
  bool all_ended() {
    uint64_t more = 0;
    if (::read(ended_.get(), &more, sizeof more) == sizeof more) ended_count_ += more;
    return ended_count_ >= workers_.size();
  }

 private:
  Fd ended_;
  HangWatch* hangs_;
  uint64_t ended_count_ = 0;
  std::vector<std::unique_ptr<worker::Worker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::vector<uint32_t> failed_;
};

constexpr int kDaemonSignals[] = {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1};

// What ends the process when a worker, or a plugin that is to be destroyed, does not come back.
constexpr uint64_t kEndMs = 10'000;
constexpr const char* kDoesNotEnd = "did not end in time";

// Acts on one signal. `draining` remembers whether stopping has been asked for before.
void on_signal(int signal, Fleet& fleet, DaemonClient& client, bool& draining, uint64_t drain_timeout_ms,
               const std::function<void(uint64_t ms)>& must_end_within) {
  switch (signal) {
    case SIGUSR1:
      log::reopen();
      break;
    case SIGHUP:
      client.on_reload();
      break;
    case SIGINT:
      client.on_stopping();
      must_end_within(0);
      fleet.stop();
      break;
    default:
      client.on_stopping();
      if (draining) {
        log::warn("stopping at once");
        must_end_within(0);
        fleet.stop();
      } else {
        draining = true;
        log::info("draining: requests in flight are finished, new connections refused");
        notify_manager("STOPPING=1");
        must_end_within(drain_timeout_ms);
        fleet.drain();
      }
  }
}

}  // namespace

sigset_t daemon_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kDaemonSignals) sigaddset(&set, signal);
  return set;
}

namespace {

// A plugin has let one of the daemon's signals through to a thread: it is sent again, to whoever waits for
// it, and let through no more when this returns.
void send_again(int signal, siginfo_t*, void* context) {
  const sigset_t set = daemon_signals();
  sigset_t& after = static_cast<ucontext_t*>(context)->uc_sigmask;
  for (int each = 1; each < SIGRTMIN; ++each)
    if (sigismember(&set, each) == 1) sigaddset(&after, each);
  ::kill(::getpid(), signal);
}

}  // namespace

void block_signals() {
  sigset_t set = daemon_signals();
  struct sigaction again{};
  again.sa_sigaction = send_again;
  again.sa_flags = SA_SIGINFO | SA_RESTART;
  again.sa_mask = set;
  for (const int signal : kDaemonSignals) ::sigaction(signal, &again, nullptr);
  // Blocked as well as ignored: a plugin may not want it ignored, and then a client that leaves must not end
  // the process.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGCHLD, SIG_DFL);  // ignored by whoever started this, it would hide how a child ended
  sigaddset(&set, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int run_daemon(const DaemonOptions& options, ListeningSockets& sockets,
               std::span<http::Service* const> services, DaemonClient& client) {
  raise_descriptor_limit();
  for (const std::string& address : sockets.addresses()) log::info("listening on {}", address);
  const sigset_t set = daemon_signals();
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  Fleet fleet(options, services, sockets.take());
  if (!fleet.start()) return 1;
  // At once: a request that comes now may be the one that ends the process.
  if (options.serving != nullptr) *options.serving = true;
  const StallWatchdog watchdog(fleet.workers(), options.worker.stall_warning_ms,
                               {signals.get(), fleet.ended_fd()});
  if (options.hangs != nullptr) options.hangs->serves();
  client.on_serving(fleet.workers());
  notify_manager("READY=1");
  bool draining = false;
  const auto must_end_within = [&options](uint64_t ms) {
    if (options.hangs != nullptr) options.hangs->expect(ms + kEndMs, kDoesNotEnd);
  };
  while (!fleet.all_ended()) {
    pollfd events[] = {{signals.get(), POLLIN, 0}, {fleet.ended_fd(), POLLIN, 0}};
    ::poll(events, 2, -1);
    if (((events[0].revents | events[1].revents) & POLLNVAL) != 0) descriptor_lost("what brings signals");
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info)
      on_signal(static_cast<int>(info.ssi_signo), fleet, client, draining, options.worker.drain_timeout_ms,
                must_end_within);
  }
  fleet.join();
  client.on_stopped();
  log::info("stopped");
  return 0;
}

}  // namespace leat::server

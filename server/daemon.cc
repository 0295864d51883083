#include "server/daemon.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <latch>
#include <mutex>

#include "base/log.h"
#include "server/cpus.h"
#include "server/notify.h"
#include "server/stall_watchdog.h"

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
      : ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const std::vector<int> cpus = usable_cpus();
    for (uint32_t i = 0; i < options.workers; ++i) {
      WorkerOptions worker = options.worker;
      worker.index = worker.connections.worker = i;
      worker.cpu = options.pin ? cpus[i % cpus.size()] : -1;
      workers_.push_back(std::make_unique<Worker>(std::move(worker), std::move(listeners[i]), *services[i],
                                                  workers_, options.hooks));
    }
  }

  // Starts every worker; false, with all of them stopped, when one cannot serve.
  bool start() {
    std::latch ready(static_cast<std::ptrdiff_t>(workers_.size()));
    for (const auto& worker : workers_) {
      threads_.emplace_back([this, &ready, worker = worker.get()] {
        worker->run([&](const Expected<std::string>& result) {
          if (result) {
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
  [[nodiscard]] std::span<const std::unique_ptr<Worker>> workers() const { return workers_; }
  [[nodiscard]] int ended_fd() const { return ended_.get(); }
  // Whether every worker has returned, going by what can be read from ended_fd().
  bool all_ended() {
    uint64_t more = 0;
    if (::read(ended_.get(), &more, sizeof more) == sizeof more) ended_count_ += more;
    return ended_count_ >= workers_.size();
  }

 private:
  Fd ended_;
  uint64_t ended_count_ = 0;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::vector<uint32_t> failed_;
};

// Acts on one signal. `draining` remembers whether stopping has been asked for before.
void on_signal(int signal, Fleet& fleet, DaemonClient& client, bool& draining) {
  switch (signal) {
    case SIGUSR1:
      log::reopen();
      break;
    case SIGHUP:
      client.on_reload();
      break;
    case SIGINT:
      client.on_stopping();
      fleet.stop();
      break;
    default:
      client.on_stopping();
      if (draining) {
        log::warn("stopping at once");
        fleet.stop();
      } else {
        draining = true;
        log::info("draining: requests in flight are finished, new connections refused");
        notify_manager("STOPPING=1");
        fleet.drain();
      }
  }
}

}  // namespace

sigset_t daemon_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, signal);
  return set;
}

void block_signals() {
  const sigset_t set = daemon_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

int run_daemon(const DaemonOptions& options, ListeningSockets& sockets,
               std::span<http::Service* const> services, DaemonClient& client) {
  raise_descriptor_limit();
  for (const std::string& address : sockets.addresses()) log::info("listening on {}", address);
  const sigset_t set = daemon_signals();
  const Fd signals(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  Fleet fleet(options, services, sockets.take());
  if (!fleet.start()) return 1;
  const StallWatchdog watchdog(fleet.workers(), options.worker.stall_warning_ms);
  client.on_serving(fleet.workers());
  if (options.serving != nullptr) *options.serving = true;
  notify_manager("READY=1");
  bool draining = false;
  while (!fleet.all_ended()) {
    pollfd events[] = {{signals.get(), POLLIN, 0}, {fleet.ended_fd(), POLLIN, 0}};
    ::poll(events, 2, -1);
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) == sizeof info)
      on_signal(static_cast<int>(info.ssi_signo), fleet, client, draining);
  }
  fleet.join();
  client.on_stopped();
  log::info("stopped");
  return 0;
}

}  // namespace leat::server

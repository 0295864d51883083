#include "server/process/daemon.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <functional>
#include <latch>
#include <mutex>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "server/process/cpus.h"
#include "server/process/notify.h"
#include "server/process/short_start.h"
#include "server/process/signals.h"
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

}  // namespace

void fit_connections(worker::ConnectionOptions& options, uint32_t workers) {
  constexpr uint64_t kOthers = 256;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const uint64_t room = limit.rlim_cur > 2 * kOthers ? limit.rlim_cur - kOthers : limit.rlim_cur / 2;
  const uint64_t each = std::max<uint64_t>(room / workers, 2);
  if (uint64_t{options.most} + options.most_turned_away <= each) return;
  options.most_turned_away =
      static_cast<uint32_t>(std::min<uint64_t>(options.most_turned_away, each / 8 + 1));
  const uint64_t most = each - options.most_turned_away;
  if (options.most <= most) return;
  log::warn(
      "limits.connections is {} for each of {}, but there may be {} descriptors: it is {}. "
      "LimitNOFILE= of "
      "a unit or `ulimit -n` gives more",
      options.most, counted(workers, "worker"), limit.rlim_cur, most);
  options.most = static_cast<uint32_t>(most);
}

namespace {

class WorkerThreads {
 public:
  WorkerThreads(const DaemonOptions& options, std::span<http::Service* const> services,
                std::vector<std::vector<worker::AcceptingSocket>> listeners)
      : ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), hangs_(options.hangs) {
    const std::vector<int> cpus = usable_cpus();
    worker::ConnectionOptions connections = options.worker.connections;
    fit_connections(connections, options.workers);
    for (uint32_t i = 0; i < options.workers; ++i) {
      worker::WorkerOptions worker = options.worker;
      worker.connections.most = connections.most;
      worker.connections.most_turned_away = connections.most_turned_away;
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
  // Whether none has been kept from its loop for longer.
  [[nodiscard]] bool turns(uint64_t within_ms) const {
    const uint64_t now = monotonic_ns();
    return std::ranges::none_of(workers_, [&](const auto& worker) {
      const uint64_t busy_since_ns = worker->loop().busy_since_ns();
      return busy_since_ns != 0 && now > busy_since_ns + within_ms * 1'000'000;
    });
  }
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

// What ends the process when a worker does not come back that was told to stop, or when what plugins do at
// their end takes longer.
// Of it a worker may take one second for what its errands have left to say.
constexpr uint64_t kWorkersEndMs = 2'000;
constexpr uint64_t kEndMs = 10'000;
// For plugins to be told that the daemon stops, before it does.
constexpr uint64_t kTellPluginsMs = 1'000;
constexpr const char* kDoesNotEnd = "did not end in time";
// How often a manager is told that stopping goes on, and how far beyond that it is to wait.
constexpr uint64_t kTellMs = 5'000;
constexpr uint64_t kPatienceMs = 3 * kTellMs;

// What the main thread does while the workers serve.
class Watch {
 public:
  Watch(const DaemonOptions& options, WorkerThreads& fleet, DaemonClient& client)
      : options_(options), fleet_(fleet), client_(client), watchdog_ms_(watchdog_ms()) {}

  void on_signal(int signal) {
    switch (signal) {
      case SIGUSR1:
        log::reopen();
        if (options_.reopen) options_.reopen();
        break;
      case SIGHUP:
        client_.on_reload();
        break;
      case SIGUSR2:
        client_.on_upgrade();
        break;
      case SIGINT:
        stop();
        break;
      default:
        if (leave_at_ms_ != UINT64_MAX) {
          leave_at_ms_ = UINT64_MAX;
          drain();
        } else if (stopping_) {
          log::warn("stopping at once");
          stop();
        } else {
          leave();
        }
    }
  }
  void must_end_within(uint64_t ms) {
    if (options_.hangs != nullptr) options_.hangs->expect(ms, kDoesNotEnd);
  }

  // Does what is due, and returns how long to wait until more is; -1: for ever.
  int tick() {
    uint64_t next = UINT64_MAX;
    if (leave_at_ms_ != UINT64_MAX && monotonic_ms() >= leave_at_ms_) {
      leave_at_ms_ = UINT64_MAX;
      drain();
    } else if (leave_at_ms_ != UINT64_MAX) {
      next = leave_at_ms_ - monotonic_ms();
    }
    if (const uint64_t now = monotonic_ms(); now >= drain_at_ms_) {
      drain_at_ms_ = UINT64_MAX;
      fleet_.drain();
    } else if (drain_at_ms_ != UINT64_MAX) {
      next = std::min(next, drain_at_ms_ - now);
    }
    if (stopping_ && speaks_) {
      next = std::min(next, kTellMs);
      notify_manager(fmt::format("EXTEND_TIMEOUT_USEC={}", kPatienceMs * 1000));
    }
    if (watchdog_ms_ != 0 && speaks_) {
      next = std::min(next, std::max<uint64_t>(watchdog_ms_ / 4, 1));
      if (fleet_.turns(watchdog_ms_ / 4)) notify_manager("WATCHDOG=1");
    }
    return next == UINT64_MAX ? -1 : static_cast<int>(std::min<uint64_t>(next, INT32_MAX));
  }

 private:
  void announce() {
    if (stopping_) return;
    stopping_ = true;
    if (options_.leaving != nullptr) *options_.leaving = true;
    speaks_ = options_.replaced == nullptr || !*options_.replaced;
    if (speaks_) notify_manager("STOPPING=1");
  }
  void stop() {
    announce();
    leave_at_ms_ = UINT64_MAX;
    client_.on_stopping();
    must_end_within(kWorkersEndMs);
    fleet_.stop();
  }
  void leave() {
    announce();
    const uint64_t delay_ms = speaks_ ? options_.drain_delay_ms() : 0;
    if (delay_ms == 0) return drain();
    log::info("not ready any more, and going on for {} ms before draining", delay_ms);
    notify_manager(fmt::format("STATUS=going on for {} ms before draining", delay_ms));
    leave_at_ms_ = monotonic_ms() + delay_ms;
  }
  void drain() {
    log::info("draining: requests in flight are finished, new connections refused");
    const uint64_t timeout_ms = client_.drain_timeout_ms();
    if (speaks_) notify_manager(fmt::format("STATUS=draining for {} s at most", (timeout_ms + 999) / 1000));
    drain_at_ms_ = monotonic_ms() + kTellPluginsMs;
    must_end_within(kTellPluginsMs + timeout_ms + kWorkersEndMs);
    client_.on_draining(monotonic_ms() + timeout_ms, [this] { fleet_.drain(); });
  }

  const DaemonOptions& options_;
  WorkerThreads& fleet_;
  DaemonClient& client_;
  const uint64_t watchdog_ms_;
  bool stopping_ = false;
  bool speaks_ = true;  // with the service manager
  uint64_t leave_at_ms_ = UINT64_MAX;
  uint64_t drain_at_ms_ = UINT64_MAX;
};

}  // namespace

int run_daemon(const DaemonOptions& options, ListeningSockets& sockets,
               std::span<http::Service* const> services, DaemonClient& client) {
  raise_descriptor_limit();
  std::vector<std::string> addresses;
  for (const ListeningAddress& each : sockets.addresses()) addresses.push_back(each.bound.text());
  WorkerThreads fleet(options, services, sockets.take(options.workers));
  if (!fleet.start()) return 1;
  // At once: a request that comes now may be the one that ends the process.
  if (options.serving != nullptr) *options.serving = true;
  const StallWatchdog watchdog(fleet.workers(), options.worker.stall_warning_ms,
                               {heard_signals_fd(), fleet.ended_fd()});
  if (options.hangs != nullptr) options.hangs->serves();
  client.on_serving(fleet.workers());
  // Not before the last thread has begun: that there is no memory for one is a start that fails, and no crash.
  start_is_over();
  // Not before: whoever reads it may count on being answered, and on a drain.
  for (const std::string& address : addresses) log::info("listening on {}", address);
  const std::string main =
      options.takes_over_as != 0 ? fmt::format("MAINPID={}\n", options.takes_over_as) : std::string();
  notify_manager(main + "READY=1\nSTATUS=serving");
  Watch watch(options, fleet, client);
  while (!fleet.all_ended()) {
    pollfd events[] = {{heard_signals_fd(), POLLIN, 0}, {fleet.ended_fd(), POLLIN, 0}};
    ::poll(events, 2, watch.tick());
    if (((events[0].revents | events[1].revents) & POLLNVAL) != 0) descriptor_lost("what brings signals");
    while (const int signal = next_signal()) watch.on_signal(signal);
  }
  watch.must_end_within(kEndMs);
  fleet.join();
  client.on_stopped();
  log::info("stopped");
  return 0;
}

}  // namespace leat::server

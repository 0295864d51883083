// Daemon: the workers' threads and the signals.
//
// Starts the workers on sockets that are open already, then waits for signals on the main thread:
//   TERM, QUIT   drain, at once or after server.drain_delay: answer what was begun, accept nothing new, stop at the
//                deadline at the latest
//   INT          stop at once, as does a second TERM or QUIT while it drains
//   USR1         reopen the log files
//   HUP          its client is told to reload
//   USR2         its client is told to have another daemon take over
//
// A worker that does not come back then, because a handler does not, cannot hold it: the process ends itself,
// and says who it was.
//
// The service manager is told of all that (sd_notify(3)), and, where it watches, that every worker turns.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "base/error.h"
#include "http/service.h"
#include "server/process/hang_watch.h"
#include "server/process/listening_sockets.h"
#include "worker/worker.h"

namespace leat::server {

struct DaemonOptions {
  uint32_t workers;
  bool pin;                      // worker n to the n-th usable CPU
  worker::WorkerOptions worker;  // index and cpu are filled in for each
  worker::Worker::Hooks hooks;
  std::atomic<bool>* serving = nullptr;  // set once all workers serve; may be null
  // Another daemon has taken over: this one's end is not the service's. May be null.
  const std::atomic<bool>* replaced = nullptr;
  pid_t takes_over_as =
      0;  // it is one that takes over, and the manager's main process is this one from now on
  std::atomic<bool>* leaving = nullptr;  // set as soon as it is told to drain; may be null
  // How long it then goes on as before, so that others have seen that; not where another daemon serves already.
  std::function<uint64_t()> drain_delay_ms = [] { return 0; };
  std::function<void()> reopen;  // USR1, beside the daemon's own log; may be empty
  HangWatch* hangs = nullptr;    // is told of that, and of the time to end; may be null
};

// Who is told how far the daemon is. On the main thread; nothing may block.
class DaemonClient {
 public:
  virtual ~DaemonClient() = default;
  virtual void on_serving(std::span<const std::unique_ptr<worker::Worker>> workers) = 0;  // all of them serve
  virtual void on_reload() = 0;                                                           // HUP
  virtual void on_upgrade() = 0;                                                          // USR2
  // TERM: requests under way have until `deadline_ms` (CLOCK_MONOTONIC). `begin` has the workers drain, which they do
  // anyway after a moment. It may be called on any thread, until on_stopped().
  virtual void on_draining(uint64_t deadline_ms, std::function<void()> begin) = 0;
  // Any thread: how long requests under way have when the daemon drains.
  [[nodiscard]] virtual uint64_t drain_timeout_ms() const = 0;
  virtual void on_stopping() = 0;  // the workers are about to be stopped; comes again with every such signal
  virtual void on_stopped() = 0;   // they have ended, and are about to be destroyed; this one may block
};

// Lowers how many connections each worker may have to what the limit of descriptors allows, with a warning.
// Clients must not take the descriptors that all else needs: admin commands, reloads, plugins, upstreams.
void fit_connections(worker::ConnectionOptions& options, uint32_t workers);

// Serves on `sockets`, which it takes, until told to stop, with one service for each worker. Returns the
// process's exit code; what went wrong is in the log.
int run_daemon(const DaemonOptions& options, ListeningSockets& sockets,
               std::span<http::Service* const> services, DaemonClient& client);

}  // namespace leat::server

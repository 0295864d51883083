// Daemon: the listening sockets, the workers' threads and the signals.
//
// Opens every socket before any worker starts, so that an address in use is one clear error and nothing has
// been served yet. Then waits for signals on the main thread:
//   TERM, QUIT   drain: answer what was begun, accept nothing new, stop at the deadline at the latest
//   INT          stop at once, as does a second TERM or QUIT
//   USR1         reopen the log file
//   HUP          noted in the log; the configuration is read at start
#pragma once

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/error.h"
#include "http/service.h"
#include "net/listener.h"
#include "server/worker.h"

namespace leat::server {

struct DaemonOptions {
  uint32_t workers = 1;
  bool pin = true;  // worker n to the n-th usable CPU
  std::vector<net::Address> listen;
  net::ListenOptions sockets;
  WorkerOptions worker;  // index and cpu are filled in for each
  Worker::Hooks hooks;
};

// Blocks the daemon's signals in this thread and in all that it will start. Call before any thread exists.
void block_signals();

// Serves until told to stop. Returns the process's exit code; what went wrong is in the log.
int run_daemon(const DaemonOptions& options, http::Service& service);

}  // namespace leat::server

// StallWatchdog: the thread that looks at all workers from outside.
//
// Once a second, which is enough for hangs and lets an idle daemon sleep. While a worker is busy, or has
// stalled a moment ago, it looks twice within the time that makes a stall: then turns are made of many
// handlers' callbacks, and only such looks tell which of them it was.
//
// Once a second it also looks whether a plugin has closed descriptors, or replaced handlers of signals, that
// are the daemon's.
//
// Owned by run_daemon(). The workers must be ready, and outlive it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "worker/worker.h"

namespace leat::server {

class StallWatchdog {
 public:
  // `limit_ms` 0: no stalls are looked for. `descriptors` are the caller's, and must be open as long as this
  // lives: as are a worker's listening sockets, without which it would wait for clients for ever.
  StallWatchdog(std::span<const std::unique_ptr<worker::Worker>> workers, uint64_t limit_ms,
                std::vector<int> descriptors);

 private:
  void run(const std::stop_token& stopping);
  void look_at_descriptors() const;

  std::span<const std::unique_ptr<worker::Worker>> workers_;
  uint64_t limit_ms_;
  std::vector<int> descriptors_;
  std::mutex mutex_;  // of the wait
  std::condition_variable_any wake_;
  std::jthread thread_;
};

}  // namespace leat::server

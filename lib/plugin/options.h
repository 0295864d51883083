// What plugins share, as far as it is a matter of settings; config/ fills this struct.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/metrics.h"
#include "base/thread_pool.h"
#include "cache/store.h"
#include "websocket/options.h"

namespace leat::plugin {

struct SharedOptions {
  ThreadPool::Limits pool{.threads = 0};  // 0 threads: some for each usable CPU
  // How long a thread of the pool waits for a client to read one answer, all in all.
  uint64_t client_wait_ms = 60'000;
  size_t metric_series = metrics::Registry::kLimit;  // that metrics may be shown as, all together
  uint32_t metric_routes = 1'000;                    // whose requests are counted by themselves
  cache::Limits cache;
  websocket::Options websocket;
};

}  // namespace leat::plugin

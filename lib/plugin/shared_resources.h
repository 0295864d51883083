// SharedResources: what all plugins of a daemon share, through all reloads.
//
// It belongs to the PluginLibraries and outlives every instance.
#pragma once

#include <atomic>
#include <set>
#include <string>

#include "base/metrics.h"
#include "base/thread_pool.h"
#include "cache/cached_handler.h"
#include "cache/response_cache.h"
#include "cache/store.h"
#include "handlers/condition.h"
#include "logging/sinks.h"
#include "pipeline/kept_states.h"
#include "plugin/asked_options.h"
#include "plugin/options.h"
#include "plugin/patterns.h"
#include "plugin/sdk/plugin.h"
#include "websocket/hub.h"

namespace leat::plugin {

struct SharedResources {
  metrics::Registry metrics;    // leat.metrics/1
  pipeline::KeptStates states;  // of middleware
  logging::Sinks logs;          // access logs
  ThreadPool pool;              // leat.pool/1, and routes with executor = "pool"
  std::atomic<uint64_t> client_wait_ms = SharedOptions().client_wait_ms;
  cache::Store cache;  // leat.cache/1
  // What the daemon's own handlers tell of.
  handlers::Condition condition;
  handlers::WatchPlace watch;
  // Titles of callbacks, for the log: who reads them may be later than their plugin's end.
  std::set<std::string> titles;
  // Plugins' objects that are mapped though no instance has them: of former builds.
  std::atomic<uint64_t> idle_objects = 0;
  // Those of a plugin that has gone are few, and stay.
  Patterns patterns;
  websocket::Hub websockets;  // leat.websocket/1
  // Of the routes that have one; leat.response_cache/1.
  cache::ResponseCache responses{cache, cache::CachedHandler::wake};
  // Is told of each title (running.h) when it is made; may be null.
  void (*title_made)(const std::string& title) = nullptr;
  // Learns what plugins ask of their options, for whoever wants to tell it; may be null.
  AskedOptions* asked = nullptr;
  // For tests, which answer fetches themselves: the names of upstreams are not looked up.
  bool scripted_upstreams = false;
  // What a plugin gets for the table of an extension (null: none of that name) in its place: the same one, or
  // one of a test that stands between them. Null: nothing stands there.
  const void* (*exchange_table)(leat_str name, const void* table) = nullptr;
};

// Where it is noted what `owner` asks for; null where nobody wants to know. `shared` may be null.
[[nodiscard]] inline AskedTable* notes_of(const SharedResources* shared, std::string_view owner) {
  return shared == nullptr || shared->asked == nullptr ? nullptr : &(*shared->asked)[std::string(owner)];
}

}  // namespace leat::plugin

#include "server/own_metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "leat_version.h"

namespace leat::server {

OwnMetrics::OwnMetrics(plugin::SharedResources& shared, uint32_t workers)
    : registry_(shared.metrics), workers_(workers) {
  for (size_t i = 0; i < requests_.by_class.size(); ++i)
    requests_.by_class[i] =
        declare({.name = "leat_requests_total",
                 .help = "Requests that have ended, by the status of their answer; 499 where the client "
                         "left before it was complete, and that of the fault where it was cut.",
                 .labels = {{"status", fmt::format("{}xx", i + pipeline::RequestCounts::kFirst)}}});
  opened_ = declare({.name = "leat_connections_opened_total", .help = "Connections that were accepted."});
  closed_ = declare({.name = "leat_connections_closed_total", .help = "Those of them that have ended."});
  given_up_ =
      declare({.name = "leat_connections_given_up_total",
               .help = "Idle connections that were closed to make room, at limits.connections or for want of "
                       "descriptors."});
  turned_away_ =
      declare({.name = "leat_connections_turned_away_total",
               .help = "Connections that were answered 503 for want of room: at limits.connections, at "
                       "limits.connections_per_address, or for want of descriptors."});
  generation_ = declare({.type = metrics::Type::Gauge,
                         .name = "leat_generation",
                         .help = "The number of the configuration that serves; each reload makes the next."});
  set_generation(1);
  others_.push_back(declare({.name = "leat_log_lines_dropped_total",
                             .help = "Lines that found the log's queue full.",
                             .read = [] { return static_cast<double>(log::dropped()); }}));
  others_.push_back(declare({.name = "leat_log_lines_left_out_total",
                             .help = "Lines beyond log.cause_lines or log.plugin_lines.",
                             .read = [] { return static_cast<double>(log::left_out()); }}));
  const auto access_log = [&shared, this](const char* name, const char* help, auto member) {
    others_.push_back(
        declare({.name = name, .help = help, .labels = {}, .bounds = {}, .read = [&shared, member] {
                   return static_cast<double>(shared.logs.counts().*member);
                 }}));
  };
  using logging::Sinks;
  access_log("leat_access_log_lines_total", "Lines of access logs that were taken.", &Sinks::Counts::lines);
  access_log("leat_access_log_lines_dropped_total",
             "Those that found no room, or were taken and could not be written.", &Sinks::Counts::dropped);
  access_log("leat_access_log_writes_total", "Calls of the kernel that wrote them.", &Sinks::Counts::writes);
  gauge("leat_pool_threads", "Threads that have been started for work that blocks.",
        [&shared] { return static_cast<double>(shared.pool.load().threads); });
  gauge("leat_pool_busy_threads", "Those of them that do such work now.",
        [&shared] { return static_cast<double>(shared.pool.load().busy); });
  gauge("leat_pool_queued", "Pieces of such work that wait for a thread.",
        [&shared] { return static_cast<double>(shared.pool.load().queued); });
  gauge("leat_plugin_objects_idle", "Plugins' objects that stay mapped though a reload has left them behind.",
        [&shared] { return static_cast<double>(shared.idle_objects.load()); });
  const auto cache = [&shared, this](metrics::Type type, const char* name, const char* help, auto member) {
    others_.push_back(declare(
        {.type = type, .name = name, .help = help, .labels = {}, .bounds = {}, .read = [&shared, member] {
           return static_cast<double>(shared.cache.statistics().*member);
         }}));
  };
  declare_memory();
  using cache::Statistics;
  cache(metrics::Type::Counter, "leat_cache_hits_total", "Values that were found in the cache.",
        &Statistics::hits);
  cache(metrics::Type::Counter, "leat_cache_misses_total",
        "Values that were looked for in the cache and not found.", &Statistics::misses);
  cache(metrics::Type::Counter, "leat_cache_puts_total", "Values that were stored.", &Statistics::puts);
  cache(metrics::Type::Counter, "leat_cache_evictions_total",
        "Entries that were removed to make room for others.", &Statistics::evictions);
  cache(metrics::Type::Gauge, "leat_cache_entries", "Entries in the cache.", &Statistics::entries);
  cache(metrics::Type::Gauge, "leat_cache_bytes", "Memory of the cache's entries.", &Statistics::bytes);
  gauge("leat_workers", "Threads that serve.", [workers] { return static_cast<double>(workers); });
  gauge("leat_start_time_seconds", "When this process began to serve, in seconds since 1970.",
        [now = std::time(nullptr)] { return static_cast<double>(now); });
  others_.push_back(declare({.type = metrics::Type::Gauge,
                             .name = "leat_build_info",
                             .help = "1, with the daemon's version as a label.",
                             .labels = {{"version", LEAT_VERSION}},
                             .read = [] { return 1.0; }}));
}

void OwnMetrics::declare_memory() {
  // The sum, or the largest, of what the workers' pools say.
  const auto show = [this](metrics::Type type, const char* name, const char* help, auto read,
                           bool largest = false) {
    others_.push_back(declare(
        {.type = type, .name = name, .help = help, .labels = {}, .bounds = {}, .read = [this, read, largest] {
           const std::lock_guard lock(mutex_);
           size_t all = 0;
           for (const worker::WorkerMemory& memory : memories_)
             all = largest ? std::max<size_t>(all, read(memory)) : all + read(memory);
           return static_cast<double>(all);
         }}));
  };
  using metrics::Type;
  show(Type::Gauge, "leat_memory_used_bytes",
       "Memory that requests and answers have now, against limits.memory of each worker.",
       [](const worker::WorkerMemory& memory) {
         return memory.blocks->used() - memory.exchanges->idle_bytes();
       });
  show(Type::Gauge, "leat_memory_kept_bytes", "Memory that is kept for the next ones.",
       [](const worker::WorkerMemory& memory) {
         return memory.blocks->idle() * Block::kSize + memory.exchanges->idle_bytes();
       });
  show(Type::Gauge, "leat_memory_peak_bytes", "The most that each worker has had in use at a time, added up.",
       [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->peak(); });
  show(Type::Counter, "leat_memory_refused_total",
       "How often memory was refused because all of limits.memory was used.",
       [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->refusals(); });
  show(Type::Counter, "leat_arena_blocks_total",
       "Blocks of 16 KiB that requests have taken for what is made for them.",
       [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->arenas().blocks; });
  show(Type::Counter, "leat_arena_large_total", "Allocations of requests that were larger than a block.",
       [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->arenas().large; });
  show(Type::Counter, "leat_arena_refused_total",
       "Allocations of requests that were refused, at limits.request_memory or for want of memory.",
       [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->arenas().refused; });
  show(
      Type::Gauge, "leat_arena_largest_bytes",
      "The most memory that one request has had, against limits.request_memory.",
      [](const worker::WorkerMemory& memory) -> size_t { return memory.blocks->arenas().largest; }, true);
}

void OwnMetrics::watch(const worker::WorkerMemory& memory) {
  const std::lock_guard lock(mutex_);
  memories_.push_back(memory);
}

void OwnMetrics::forget(const worker::WorkerMemory& memory) {
  const std::lock_guard lock(mutex_);
  std::erase(memories_, memory);
}

std::shared_ptr<metrics::Metric> OwnMetrics::declare(metrics::Description description) {
  description.limited = false;
  auto metric = registry_.declare(std::move(description), workers_);
  ENSURE(metric);  // a good name, and no limit
  return std::move(*metric);
}

void OwnMetrics::gauge(const char* name, const char* help, std::function<double()> read) {
  others_.push_back(declare({.type = metrics::Type::Gauge,
                             .name = name,
                             .help = help,
                             .labels = {},
                             .bounds = {},
                             .read = std::move(read)}));
}

}  // namespace leat::server

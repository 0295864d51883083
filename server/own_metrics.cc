#include "server/own_metrics.h"

#include <fmt/core.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "leat_version.h"
#include "plugin/sdk/plugin.h"
#include "server/process/usage.h"

namespace leat::server {

namespace {

// The bounds of histograms that are shown: 1, 2.5 and 5 in each power of ten, from 10 microseconds on.
constexpr size_t kFirstShown = 10;
constexpr bool is_shown(size_t bucket) {
  const size_t step = bucket % 10;
  return bucket >= kFirstShown && bucket + 1 < latency::kBuckets && (step == 0 || step == 4 || step == 7);
}

void begin_family(std::string& text, const MetricRow& row) {
  metrics::append_family(text, row.name, row.help, row.type);
}

// name{label="value"} number
void add_sample(std::string& text, std::string_view name, std::string_view label, std::string_view value,
                uint64_t number) {
  text += fmt::format("{}{{{}=\"", name, label);
  metrics::append_label(text, value);
  text += fmt::format("\"}} {}\n", number);
}

void add_histogram(std::string& text, std::string_view name, const std::string& route,
                   std::span<const uint64_t, latency::kBuckets> buckets, uint64_t sum_ns) {
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    if (is_shown(i))
      text += fmt::format("{}_bucket{{route=\"{}\",le=\"{}\"}} {}\n", name, route,
                          metrics::number_text(static_cast<double>(latency::kBounds[i]) / 1e9), count);
  }
  text += fmt::format(
      "{0}_bucket{{route=\"{1}\",le=\"+Inf\"}} {2}\n{0}_sum{{route=\"{1}\"}} {3}\n{0}_count{{route=\"{1}\"}} "
      "{2}\n",
      name, route, count, metrics::number_text(static_cast<double>(sum_ns) / 1e9));
}

}  // namespace

OwnMetrics::OwnMetrics(plugin::SharedResources& shared, uint32_t workers, uint32_t routes)
    : shared_(shared), workers_(workers), requests_(workers, routes) {
  given_up_ = declare(metric_row("leat_connections_given_up_total"));
  turned_away_ = declare(metric_row("leat_connections_turned_away_total"));
  reloads_ = declare(metric_row("leat_reloads_total"), {{"result", "good"}});
  failed_reloads_ = declare(metric_row("leat_reloads_total"), {{"result", "failed"}});
  handlers::Condition& condition = shared.condition;
  keep(metric_row("leat_generation"), [&condition] { return static_cast<double>(condition.generation); });
  keep(metric_row("leat_ready"), [&condition] { return condition.ready() ? 1.0 : 0.0; });
  keep(metric_row("leat_plugins_out_of_service"),
       [&condition] { return static_cast<double>(condition.out_of_service); });
  keep(metric_row("leat_log_lines_dropped_total"), [] { return static_cast<double>(log::dropped()); });
  keep(metric_row("leat_log_lines_left_out_total"), [] { return static_cast<double>(log::left_out()); });
  const auto access_log = [&shared, this](const MetricRow& row, auto member) {
    keep(row, [&shared, member] { return static_cast<double>(shared.logs.counts().*member); });
  };
  using logging::Sinks;
  access_log(metric_row("leat_access_log_lines_total"), &Sinks::Counts::lines);
  access_log(metric_row("leat_access_log_lines_dropped_total"), &Sinks::Counts::dropped);
  access_log(metric_row("leat_access_log_writes_total"), &Sinks::Counts::writes);
  keep(metric_row("leat_pool_threads"),
       [&shared] { return static_cast<double>(shared.pool.load().threads); });
  keep(metric_row("leat_pool_busy_threads"),
       [&shared] { return static_cast<double>(shared.pool.load().busy); });
  keep(metric_row("leat_pool_queued"), [&shared] { return static_cast<double>(shared.pool.load().queued); });
  keep(metric_row("leat_plugin_objects_idle"),
       [&shared] { return static_cast<double>(shared.idle_objects.load()); });
  const auto cache = [&shared, this](const MetricRow& row, auto member) {
    keep(row, [&shared, member] { return static_cast<double>(shared.cache.statistics().*member); });
  };
  using cache::Statistics;
  cache(metric_row("leat_cache_hits_total"), &Statistics::hits);
  cache(metric_row("leat_cache_misses_total"), &Statistics::misses);
  cache(metric_row("leat_cache_puts_total"), &Statistics::puts);
  cache(metric_row("leat_cache_evictions_total"), &Statistics::evictions);
  cache(metric_row("leat_cache_entries"), &Statistics::entries);
  cache(metric_row("leat_cache_bytes"), &Statistics::bytes);
  declare_memory();
  declare_websockets();
  keep(metric_row("leat_workers"), [workers] { return static_cast<double>(workers); });
  keep(metric_row("leat_start_time_seconds"),
       [now = std::time(nullptr)] { return static_cast<double>(now); });
  others_.push_back(declare(
      metric_row("leat_build_info"),
      {{"version", LEAT_VERSION}, {"plugin_abi", fmt::format("{}.{}", LEAT_ABI_MAJOR, LEAT_ABI_MINOR)}},
      [] { return 1.0; }));
  shared_.metrics.add(*this);
}

OwnMetrics::~OwnMetrics() { shared_.metrics.remove(*this); }

void OwnMetrics::declare_memory() {
  // The sum, or the largest, of what the workers' pools say.
  const auto show = [this](const MetricRow& row, auto read, bool largest = false) {
    keep(row, [this, read, largest] {
      const std::lock_guard lock(mutex_);
      size_t all = 0;
      for (const worker::WorkerMemory& memory : memories_)
        all = largest ? std::max<size_t>(all, read(memory)) : all + read(memory);
      return static_cast<double>(all);
    });
  };
  using worker::WorkerMemory;
  keep(metric_row("leat_memory_used_bytes"), [this] { return static_cast<double>(memory_used()); });
  show(metric_row("leat_memory_kept_bytes"), [](const WorkerMemory& memory) {
    return memory.blocks->idle() * Block::kSize + memory.exchanges->idle_bytes();
  });
  show(metric_row("leat_memory_peak_bytes"),
       [](const WorkerMemory& memory) -> size_t { return memory.blocks->peak(); });
  show(metric_row("leat_memory_refused_total"),
       [](const WorkerMemory& memory) -> size_t { return memory.blocks->refusals(); });
  show(metric_row("leat_arena_blocks_total"),
       [](const WorkerMemory& memory) -> size_t { return memory.blocks->arenas().blocks; });
  show(metric_row("leat_arena_large_total"),
       [](const WorkerMemory& memory) -> size_t { return memory.blocks->arenas().large; });
  show(metric_row("leat_arena_refused_total"),
       [](const WorkerMemory& memory) -> size_t { return memory.blocks->arenas().refused; });
  show(
      metric_row("leat_arena_largest_bytes"),
      [](const WorkerMemory& memory) -> size_t { return memory.blocks->arenas().largest; }, true);
}

void OwnMetrics::declare_websockets() {
  websocket::Counts& counts = shared_.websockets.counts;
  counts.opened = declare(metric_row("leat_websockets_opened_total"));
  counts.dropped = declare(metric_row("leat_websocket_dropped_total"));
  const auto one = [this](const MetricRow& row, const char* direction) {
    return declare(row, {{"direction", direction}});
  };
  counts.messages_in = one(metric_row("leat_websocket_messages_total"), "in");
  counts.messages_out = one(metric_row("leat_websocket_messages_total"), "out");
  counts.bytes_in = one(metric_row("leat_websocket_bytes_total"), "in");
  counts.bytes_out = one(metric_row("leat_websocket_bytes_total"), "out");
  for (size_t i = 0; i < counts.closed.size(); ++i) {
    const uint16_t code = websocket::Counts::kCodes[i];
    counts.closed[i] = declare(metric_row("leat_websockets_closed_total"),
                               {{"code", code == 0 ? std::string("other") : std::to_string(code)}});
  }
  keep(metric_row("leat_websockets_open"), [&counts] {
    uint64_t closed = 0;
    for (const auto& each : counts.closed) closed += each->count();
    return static_cast<double>(counts.opened->count() - std::min(closed, counts.opened->count()));
  });
}

uint64_t OwnMetrics::memory_used() {
  const std::lock_guard lock(mutex_);
  uint64_t all = 0;
  for (const worker::WorkerMemory& memory : memories_)
    all += memory.blocks->used() - memory.exchanges->idle_bytes();
  return all;
}

void OwnMetrics::watch(const worker::WorkerMemory& memory) {
  const std::lock_guard lock(mutex_);
  memories_.push_back(memory);
}

void OwnMetrics::forget(const worker::WorkerMemory& memory) {
  const std::lock_guard lock(mutex_);
  std::erase(memories_, memory);
}

std::shared_ptr<const worker::ListenerCounts> OwnMetrics::listener(const std::string& name) {
  const std::lock_guard lock(listeners_mutex_);
  auto& known = listeners_[name];
  if (auto counts = known.lock()) return counts;
  const auto one = [&](const MetricRow& row) { return declare(row, {{"listener", name}}); };
  auto counts = std::make_shared<const worker::ListenerCounts>(
      worker::ListenerCounts{.opened = one(metric_row("leat_connections_opened_total")),
                             .closed = one(metric_row("leat_connections_closed_total")),
                             .received = one(metric_row("leat_received_bytes_total")),
                             .sent = one(metric_row("leat_sent_bytes_total"))});
  known = counts;
  return counts;
}

std::vector<OwnMetrics::Wire> OwnMetrics::wires() {
  const std::lock_guard lock(listeners_mutex_);
  std::vector<Wire> wires;
  for (const auto& [name, known] : listeners_)
    if (const auto counts = known.lock())
      wires.push_back({name, counts->opened->count(), counts->closed->count(), counts->received->count(),
                       counts->sent->count()});
  return wires;
}

std::shared_ptr<metrics::Metric> OwnMetrics::declare(const MetricRow& row, std::vector<metrics::Label> labels,
                                                     std::function<double()> read) {
  metrics::Description description = description_of(row, std::move(labels));
  description.read = std::move(read);
  auto metric = shared_.metrics.declare(std::move(description), workers_);
  ENSURE(metric);  // a good name, and no limit
  return std::move(*metric);
}

void OwnMetrics::keep(const MetricRow& row, std::function<double()> read) {
  others_.push_back(declare(row, {}, std::move(read)));
}

void OwnMetrics::write_requests(std::string& text) const {
  std::string durations, first_bytes, received, sent;
  begin_family(text, metric_row("leat_requests_total"));
  begin_family(durations, metric_row("leat_request_duration_seconds"));
  begin_family(first_bytes, metric_row("leat_first_byte_seconds"));
  begin_family(received, metric_row("leat_request_body_bytes_total"));
  begin_family(sent, metric_row("leat_response_body_bytes_total"));
  requests_.for_each([&](std::string_view name, const pipeline::RequestCounts::Totals& totals) {
    std::string route;
    metrics::append_label(route, name);
    for (const auto& kind : totals.kinds)
      text += fmt::format("leat_requests_total{{route=\"{}\",method=\"{}\",status=\"{}\"}} {}\n", route,
                          kind.method, kind.status == 0 ? std::string("other") : std::to_string(kind.status),
                          kind.count);
    add_histogram(durations, metric_row("leat_request_duration_seconds").name, route, totals.whole,
                  totals.whole_ns);
    add_histogram(first_bytes, metric_row("leat_first_byte_seconds").name, route, totals.first_byte,
                  totals.first_byte_ns);
    add_sample(received, metric_row("leat_request_body_bytes_total").name, "route", name, totals.received);
    add_sample(sent, metric_row("leat_response_body_bytes_total").name, "route", name, totals.sent);
  });
  text += durations + first_bytes + received + sent;
}

void OwnMetrics::show(std::shared_ptr<const tls::Server> tls) {
  const std::lock_guard lock(tls_mutex_);
  tls_ = std::move(tls);
}

namespace {

void write_handshakes(std::string& text, const tls::HandshakeCounts& counts) {
  constexpr const MetricRow& kCompleted = metric_row("leat_tls_handshakes_total");
  begin_family(text, kCompleted);
  for (const bool newest : {false, true})
    for (const bool resumed : {false, true})
      text += fmt::format("{}{{version=\"{}\",resumed=\"{}\"}} {}\n", kCompleted.name, newest ? "1.3" : "1.2",
                          resumed ? "yes" : "no", counts.completed(newest, resumed));
  constexpr const MetricRow& kFailed = metric_row("leat_tls_handshake_failures_total");
  begin_family(text, kFailed);
  for (size_t i = 0; i < tls::kFailureNames.size(); ++i)
    add_sample(text, kFailed.name, "reason", tls::kFailureNames[i],
               counts.failed(static_cast<tls::Failure>(i)));
}

}  // namespace

// A certificate that several tables have is one.
void OwnMetrics::write_tls(std::string& text) const {
  const std::lock_guard lock(tls_mutex_);
  if (tls_ == nullptr) return;
  write_handshakes(text, *tls_->counts);
  constexpr const MetricRow& kMemory = metric_row("leat_tls_memory_bytes");
  begin_family(text, kMemory);
  text += fmt::format("{} {}\n", kMemory.name, tls_->memory->used());
  std::map<std::pair<std::string, std::string>, int64_t> first;
  for (const auto& [names, certificate, is_default] : tls_->certificates->all()) {
    const auto at = first.try_emplace(
        {names.empty() ? "" : names.front(), std::string(certificate->key_kind())}, certificate->not_after());
    at.first->second = std::min(at.first->second, certificate->not_after());
  }
  constexpr const MetricRow& kRow = metric_row("leat_tls_certificate_expiry_seconds");
  begin_family(text, kRow);
  for (const auto& [of, expires] : first) {
    std::string name;
    metrics::append_label(name, of.first);
    text += fmt::format("{}{{key=\"{}\",name=\"{}\"}} {}\n", kRow.name, of.second, name, expires);
  }
}

void OwnMetrics::write(std::string& text) const {
  write_requests(text);
  write_tls(text);
  begin_family(text, metric_row("leat_protocol_errors_total"));
  const auto errors = requests_.errors();
  for (size_t i = 0; i < errors.size(); ++i)
    add_sample(text, metric_row("leat_protocol_errors_total").name, "kind",
               pipeline::RequestCounts::kErrors[i], errors[i]);
  const Usage usage = Usage::now();
  const auto process = [&text](const MetricRow& row, double value) {
    begin_family(text, row);
    text += fmt::format("{} {}\n", row.name, metrics::number_text(value));
  };
  process(metric_row("process_cpu_seconds_total"), usage.cpu_seconds);
  process(metric_row("process_resident_memory_bytes"), static_cast<double>(usage.resident_bytes));
  process(metric_row("process_virtual_memory_bytes"), static_cast<double>(usage.virtual_bytes));
  process(metric_row("process_open_fds"), static_cast<double>(usage.open_descriptors));
  process(metric_row("process_max_fds"), static_cast<double>(usage.most_descriptors));
  process(metric_row("process_threads"), static_cast<double>(usage.threads));
  process(metric_row("process_start_time_seconds"), usage.started);
}

}  // namespace leat::server

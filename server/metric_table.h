// What the daemon counts and measures of itself, all of it, in one table: what is declared, what docs/metrics.md says of it
// (`leat metrics --markdown`) and what a collector reads come from these rows. Names and labels stay what they are.
//
// To add one: its row, and whoever counts declares it by metric_row("its name"), which does not compile without.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "middleware/counters.h"

namespace leat::server {

struct MetricRow {
  std::string_view name;
  metrics::Type type;
  std::string_view labels;  // their names, with spaces between
  std::string_view help;    // one sentence
};

// One that a kind of middleware counts.
constexpr MetricRow row_of(const middleware::CounterRow& row) {
  return {row.name, metrics::Type::Counter, row.labels, row.help};
}

inline constexpr MetricRow kMetricRows[] = {
    {"leat_requests_total", metrics::Type::Counter, "route method status",
     "Requests that have ended, by the status of their answer; 499 where the client left before it was "
     "complete, and that "
     "of the fault where it was cut."},
    {"leat_request_duration_seconds", metrics::Type::Histogram, "route",
     "From a request's complete head to the end of its answer."},
    {"leat_first_byte_seconds", metrics::Type::Histogram, "route",
     "From a request's complete head to the beginning of its answer."},
    {"leat_request_body_bytes_total", metrics::Type::Counter, "route", "Bytes of requests' bodies."},
    {"leat_response_body_bytes_total", metrics::Type::Counter, "route", "Bytes of answers' bodies."},
    {"leat_protocol_errors_total", metrics::Type::Counter, "kind",
     "Requests that were refused before a handler had its say, or that ended in spite of it."},
    {"leat_concurrency_refused_total", metrics::Type::Counter, "route",
     "Requests answered 503 because their route or plugin had as many as its `concurrency` allows."},
    {"leat_response_cache_requests_total", metrics::Type::Counter, "route result",
     "Requests to routes with a cache, by how they were answered."},
    {"leat_websockets_opened_total", metrics::Type::Counter, "", "WebSockets that were opened."},
    {"leat_websockets_open", metrics::Type::Gauge, "", "WebSockets that are open."},
    {"leat_websockets_closed_total", metrics::Type::Counter, "code",
     "WebSockets that have ended, by their codes: what the client said or, where Leat has ended them, what "
     "it "
     "was told; 1005 where it said none, 1006 where the connection has gone without a word, and `other`."},
    {"leat_websocket_messages_total", metrics::Type::Counter, "direction",
     "Messages of WebSockets, by direction (in, out)."},
    {"leat_websocket_bytes_total", metrics::Type::Counter, "direction",
     "Bytes of these, unpacked and without frames."},
    {"leat_websocket_dropped_total", metrics::Type::Counter, "",
     "Messages that were not taken for a WebSocket, because so much waited for its client "
     "(websocket.queue_size)."},
    row_of(middleware::kAccessRequests),
    row_of(middleware::kMaintenanceRefused),
    row_of(middleware::kApiKeyRequests),
    row_of(middleware::kBasicAuthRequests),
    row_of(middleware::kCsrfRequests),
    row_of(middleware::kJwtRequests),
    row_of(middleware::kJwtFetches),
    row_of(middleware::kForwardAuthRequests),
    row_of(middleware::kForwardAuthCache),
    row_of(middleware::kCompressAnswers),
    row_of(middleware::kCompressSkipped),
    row_of(middleware::kCompressIn),
    row_of(middleware::kCompressOut),
    row_of(middleware::kCompressLevels),
    row_of(middleware::kDecompressRequests),
    row_of(middleware::kDecompressRefused),
    row_of(middleware::kDecompressIn),
    row_of(middleware::kDecompressOut),
    row_of(middleware::kFormatsAnswers),
    row_of(middleware::kFormatsBodies),
    row_of(middleware::kFormatsRefused),
    row_of(middleware::kConcurrencyRequests),
    row_of(middleware::kRateLimitRequests),
    row_of(middleware::kRateLimitEvicted),
    row_of(middleware::kShedRequests),
    row_of(middleware::kSessionsRequests),
    row_of(middleware::kSessionsSent),
    row_of(middleware::kTraceSpans),

    {"leat_connections_opened_total", metrics::Type::Counter, "listener", "Connections that were accepted."},
    {"leat_connections_closed_total", metrics::Type::Counter, "listener", "Those of them that have ended."},
    {"leat_received_bytes_total", metrics::Type::Counter, "listener",
     "Bytes that clients have sent, as they are on the wire."},
    {"leat_sent_bytes_total", metrics::Type::Counter, "listener", "Bytes that were sent to clients."},
    {"leat_tls_certificate_expiry_seconds", metrics::Type::Gauge, "key name",
     "When the certificate with that first name and kind of key expires, in seconds since 1970."},
    {"leat_tls_handshakes_total", metrics::Type::Counter, "version resumed",
     "Handshakes that clients have come through, and whether they resumed a session."},
    {"leat_tls_handshake_failures_total", metrics::Type::Counter, "reason",
     "Those that failed: with who speaks no TLS (plain_http, not_tls), for want of something in common "
     "(version, cipher, "
     "group, protocol, name), of a client's certificate (certificate) or its trust in the one here "
     "(distrust), of room "
     "(limit, memory), or because the client left or took too long (left)."},
    {"leat_tls_memory_bytes", metrics::Type::Gauge, "",
     "Memory that OpenSSL has for connections with clients, of limits.tls_memory."},
    {"leat_connections_given_up_total", metrics::Type::Counter, "",
     "Idle connections that were closed to make room, at limits.connections or for want of descriptors."},
    {"leat_connections_turned_away_total", metrics::Type::Counter, "",
     "Connections that were answered 503 for want of room: at limits.connections, at "
     "limits.connections_per_address, or "
     "for want of descriptors."},

    {"leat_generation", metrics::Type::Gauge, "",
     "The number of the configuration that serves; each reload makes the next."},
    {"leat_reloads_total", metrics::Type::Counter, "result", "Reloads, by whether what they brought serves."},
    {"leat_ready", metrics::Type::Gauge, "",
     "1 while `leat:health` says that the daemon is ready, 0 otherwise."},
    {"leat_plugins_out_of_service", metrics::Type::Gauge, "",
     "Plugins that are declared and do not serve, in quarantine or for want of one that is."},
    {"leat_plugin_objects_idle", metrics::Type::Gauge, "",
     "Plugins' objects that stay mapped though a reload has left them behind."},
    {"leat_workers", metrics::Type::Gauge, "", "Threads that serve."},
    {"leat_start_time_seconds", metrics::Type::Gauge, "",
     "When this process began to serve, in seconds since 1970."},
    {"leat_build_info", metrics::Type::Gauge, "plugin_abi version", "1, with what this daemon is as labels."},

    {"leat_pool_threads", metrics::Type::Gauge, "", "Threads that have been started for work that blocks."},
    {"leat_pool_busy_threads", metrics::Type::Gauge, "", "Those of them that do such work now."},
    {"leat_pool_queued", metrics::Type::Gauge, "", "Pieces of such work that wait for a thread."},

    {"leat_cache_hits_total", metrics::Type::Counter, "", "Values that were found in the cache."},
    {"leat_cache_misses_total", metrics::Type::Counter, "",
     "Values that were looked for in the cache and not found."},
    {"leat_cache_puts_total", metrics::Type::Counter, "", "Values that were stored."},
    {"leat_cache_evictions_total", metrics::Type::Counter, "",
     "Entries that were removed to make room for others."},
    {"leat_cache_entries", metrics::Type::Gauge, "", "Entries in the cache."},
    {"leat_cache_bytes", metrics::Type::Gauge, "", "Memory of the cache's entries."},

    {"leat_memory_used_bytes", metrics::Type::Gauge, "",
     "Memory that requests and answers have now, against limits.memory of each worker."},
    {"leat_memory_kept_bytes", metrics::Type::Gauge, "", "Memory that is kept for the next ones."},
    {"leat_memory_peak_bytes", metrics::Type::Gauge, "",
     "The most that each worker has had in use at a time, added up."},
    {"leat_memory_refused_total", metrics::Type::Counter, "",
     "How often memory was refused because all of limits.memory was used."},
    {"leat_arena_blocks_total", metrics::Type::Counter, "",
     "Blocks of 16 KiB that requests have taken for what is made for them."},
    {"leat_arena_large_total", metrics::Type::Counter, "",
     "Allocations of requests that were larger than a block."},
    {"leat_arena_refused_total", metrics::Type::Counter, "",
     "Allocations of requests that were refused, at limits.request_memory or for want of memory."},
    {"leat_arena_largest_bytes", metrics::Type::Gauge, "",
     "The most memory that one request has had, against limits.request_memory."},

    {"leat_log_lines_dropped_total", metrics::Type::Counter, "", "Lines that found the log's queue full."},
    {"leat_log_lines_left_out_total", metrics::Type::Counter, "",
     "Lines beyond log.cause_lines or log.plugin_lines."},
    {"leat_access_log_lines_total", metrics::Type::Counter, "", "Lines of access logs that were taken."},
    {"leat_access_log_lines_dropped_total", metrics::Type::Counter, "",
     "Those that found no room, or were taken and could not be written."},
    {"leat_access_log_writes_total", metrics::Type::Counter, "", "Calls of the kernel that wrote them."},

    {"process_cpu_seconds_total", metrics::Type::Counter, "",
     "CPU time of the process that serves, in seconds."},
    {"process_resident_memory_bytes", metrics::Type::Gauge, "", "Its resident memory."},
    {"process_virtual_memory_bytes", metrics::Type::Gauge, "", "Its address space."},
    {"process_open_fds", metrics::Type::Gauge, "", "Its open descriptors."},
    {"process_max_fds", metrics::Type::Gauge, "", "How many it may have."},
    {"process_threads", metrics::Type::Gauge, "", "Its threads."},
    {"process_start_time_seconds", metrics::Type::Gauge, "", "When it was started, in seconds since 1970."},
};

// The row of that name.
consteval const MetricRow& metric_row(std::string_view name) {
  for (const MetricRow& row : kMetricRows)
    if (row.name == name) return row;
  throw "there is no such row";
}

// As it is declared, with the values of its labels.
metrics::Description description_of(const MetricRow& row, std::vector<metrics::Label> labels = {});

// docs/metrics.md
std::string metrics_markdown();

}  // namespace leat::server

// What kinds of middleware count. The rows are those of the daemon's table of metrics (server/metric_table.h), which has
// them from here: so a counter's name, labels and sentence have one place, and docs/metrics.md shows them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct CounterRow {
  std::string_view name;
  std::string_view labels;  // their names, with spaces between
  std::string_view help;    // one sentence
};

inline constexpr CounterRow kRateLimitRequests{
    "leat_rate_limit_requests_total", "instance result",
    "Requests that a `rate_limit` was asked about, by whether it let them in (allowed, limited)."};
inline constexpr CounterRow kRateLimitEvicted{"leat_rate_limit_evicted_total", "instance",
                                              "Keys of a `rate_limit` that were forgotten for others before "
                                              "they had all of their budget again: a sign that "
                                              "`keys` is small."};
inline constexpr CounterRow kConcurrencyRequests{
    "leat_concurrency_requests_total", "instance result",
    "Requests that a middleware `concurrency` was asked about, by whether it gave them a place (admitted), "
    "their key had as many as it may (limited), or there was no room for another key (full), a sign that "
    "`keys` is small."};
inline constexpr CounterRow kApiKeyRequests{
    "leat_api_key_requests_total", "instance result",
    "Requests that an `api_key` was asked about, by whether their key was known (accepted, refused), or they "
    "had none and were refused (missing)."};
inline constexpr CounterRow kBasicAuthRequests{"leat_basic_auth_requests_total", "instance result",
                                               "Requests that a `basic_auth` was asked about, by what came "
                                               "of it: the password was right (accepted) or had been a "
                                               "short while ago (remembered), it was wrong (refused), there "
                                               "was none (missing), or too many waited (busy)."};
inline constexpr CounterRow kJwtRequests{
    "leat_jwt_requests_total", "instance result",
    "Requests that a `jwt` was asked about, by what came of it: the token was good (accepted) or had been "
    "before and still "
    "was (remembered), it was not (refused), there was none (missing), or the keys were not to be had "
    "(unavailable)."};
inline constexpr CounterRow kJwtFetches{"leat_jwt_fetches_total", "instance result",
                                        "Fetches of keys by a `jwt` with a `url`, by what came of them: "
                                        "others than before (changed), the same, what is no set of keys "
                                        "(wrong), or nothing (failed)."};
inline constexpr CounterRow kCsrfRequests{"leat_csrf_requests_total", "instance result",
                                          "Requests that may change something and that a `csrf` was asked "
                                          "about, by whether they passed (passed, refused)."};
inline constexpr CounterRow kAccessRequests{
    "leat_access_requests_total", "instance result",
    "Requests that an `access` was asked about, by what it said (allowed, denied)."};

inline constexpr CounterRow kMaintenanceRefused{
    "leat_maintenance_refused_total", "instance",
    "Requests that a `maintenance` has told to come again later."};
inline constexpr CounterRow kForwardAuthRequests{
    "leat_forward_auth_requests_total", "instance result",
    "Requests that a `forward_auth` asked its service about, by what came of it (allowed, denied, failed)."};
inline constexpr CounterRow kForwardAuthCache{
    "leat_forward_auth_cache_total", "instance result",
    "Requests that a `forward_auth` with a `cache` was asked about, by how it knows: it remembered (hit), it "
    "asked (miss), or an equal question was under way, whose answer it took (shared)."};

inline constexpr CounterRow kSessionsRequests{
    "leat_sessions_requests_total", "instance result",
    "Requests that a `sessions` was asked about, by the cookie that they had: none, one that was good, one "
    "that "
    "was over, or one that was refused (changed, of another key, too large, or there twice)."};
inline constexpr CounterRow kSessionsSent{"leat_sessions_sent_total", "instance",
                                          "Cookies that a `sessions` sent."};

inline constexpr CounterRow kTraceSpans{"leat_trace_spans_total", "instance result",
                                        "Spans that a `trace` made, by what became of them: exported; or "
                                        "lost, because `queue` was full, the collector has "
                                        "refused them, or it was away for longer than `retry`."};

inline constexpr CounterRow kShedRequests{"leat_shed_requests_total", "instance result",
                                          "Requests that a `shed` was asked about, by whether they went on "
                                          "(admitted) or were sent away for having waited too "
                                          "long (shed)."};
inline constexpr CounterRow kCompressAnswers{"leat_compress_answers_total", "instance coding",
                                             "Answers that a `compress` packed, by their content coding. A "
                                             "hit of the response cache is none: it was packed when it "
                                             "was stored."};
inline constexpr CounterRow kCompressSkipped{"leat_compress_skipped_total", "instance reason",
                                             "Answers that a `compress` left as they are, by why: `status`, "
                                             "`encoded` (already), `range`, `no_transform`, `digest`, "
                                             "`type`, `small`, `large`, `client` (takes no coding), "
                                             "`no_gain`, `no_room` (for its fields) or `memory`."};
inline constexpr CounterRow kCompressIn{"leat_compress_in_bytes_total", "instance coding",
                                        "Bytes that a `compress` was given to pack."};
inline constexpr CounterRow kCompressOut{"leat_compress_out_bytes_total", "instance coding",
                                         "Bytes that a `compress` made of them."};
inline constexpr CounterRow kCompressLevels{"leat_compress_levels_total", "instance coding",
                                            "The levels at which a `compress` packed answers, added up: "
                                            "divided by their number, the level of the average one."};

inline constexpr CounterRow kDecompressRequests{
    "leat_decompress_requests_total", "instance coding",
    "Requests whose bodies a `decompress` unpacked, or began to, by content coding."};
inline constexpr CounterRow kDecompressRefused{"leat_decompress_refused_total", "instance reason",
                                               "Requests that a `decompress` refused, by why: `coding` (not "
                                               "taken here), `layers` (too many), `broken`, `truncated`, "
                                               "`size`, `ratio` or `memory`."};
inline constexpr CounterRow kDecompressIn{
    "leat_decompress_in_bytes_total", "instance",
    "Bytes of requests' bodies that a `decompress` was given to unpack."};
inline constexpr CounterRow kDecompressOut{"leat_decompress_out_bytes_total", "instance",
                                           "Bytes that a `decompress` made of them."};

inline constexpr CounterRow kFormatsAnswers{"leat_formats_answers_total", "instance format",
                                            "Answers that a `formats` had written in another form than JSON "
                                            "(cbor, msgpack). A hit of the response cache is none."};
inline constexpr CounterRow kFormatsBodies{
    "leat_formats_bodies_total", "instance format",
    "Requests' bodies that a `formats` took in another form than JSON."};
inline constexpr CounterRow kFormatsRefused{"leat_formats_refused_total", "instance format",
                                            "Requests' bodies that a `formats` refused: they were not of the "
                                            "form that they said, or too large as JSON."};

// What an instance is called in labels and to clients: its name, or its kind.
inline std::string_view instance_name(const pipeline::BuildContext& context) {
  return context.name.empty() ? context.kind.name : context.name;
}

// A counter of the instance that is being made. `value` is that of its second label, where it has one. Null where nobody
// reads any.
inline std::shared_ptr<metrics::Metric> declare_counter(const CounterRow& row,
                                                        const pipeline::BuildContext& context,
                                                        std::string_view value = {}) {
  if (context.surroundings.metrics == nullptr) return nullptr;
  metrics::Description description{.type = metrics::Type::Counter,
                                   .name = std::string(row.name),
                                   .help = std::string(row.help),
                                   .labels = {{"instance", std::string(instance_name(context))}},
                                   .bounds = {},
                                   .read = {},
                                   .limited = false};
  if (!value.empty())
    description.labels.push_back(
        {std::string(row.labels.substr(row.labels.find(' ') + 1)), std::string(value)});
  auto metric = context.surroundings.metrics->declare(std::move(description), context.surroundings.workers);
  return metric ? std::move(*metric) : nullptr;
}

inline void count(const std::shared_ptr<metrics::Metric>& counter, uint64_t by = 1) {
  if (counter != nullptr) counter->add(by);
}

}  // namespace leat::middleware

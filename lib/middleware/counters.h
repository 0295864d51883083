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
inline constexpr CounterRow kAccessRequests{
    "leat_access_requests_total", "instance result",
    "Requests that an `access` was asked about, by what it said (allowed, denied)."};

inline constexpr CounterRow kMaintenanceRefused{
    "leat_maintenance_refused_total", "instance",
    "Requests that a `maintenance` has told to come again later."};
inline constexpr CounterRow kForwardAuthRequests{
    "leat_forward_auth_requests_total", "instance result",
    "Requests that a `forward_auth` asked its service about, by what came of it (allowed, denied, failed)."};

inline constexpr CounterRow kTraceSpans{"leat_trace_spans_total", "instance result",
                                        "Spans that a `trace` made, by what became of them: exported; or "
                                        "lost, because `queue` was full, the collector has "
                                        "refused them, or it was away for longer than `retry`."};

inline constexpr CounterRow kShedRequests{"leat_shed_requests_total", "instance result",
                                          "Requests that a `shed` was asked about, by whether they went on "
                                          "(admitted) or were sent away for having waited too "
                                          "long (shed)."};

// What an instance is called in labels and to clients: its name, or its kind.
inline std::string_view instance_name(const pipeline::BuildContext& context) {
  return context.name.empty() ? context.kind.name : context.name;
}

// A counter of the instance that is being made. `result` is its label of that name, where it has one. Null where nobody
// reads any.
inline std::shared_ptr<metrics::Metric> declare_counter(const CounterRow& row,
                                                        const pipeline::BuildContext& context,
                                                        std::string_view result = {}) {
  if (context.surroundings.metrics == nullptr) return nullptr;
  metrics::Description description{.type = metrics::Type::Counter,
                                   .name = std::string(row.name),
                                   .help = std::string(row.help),
                                   .labels = {{"instance", std::string(instance_name(context))}},
                                   .bounds = {},
                                   .read = {},
                                   .limited = false};
  if (!result.empty()) description.labels.push_back({"result", std::string(result)});
  auto metric = context.surroundings.metrics->declare(std::move(description), context.surroundings.workers);
  return metric ? std::move(*metric) : nullptr;
}

inline void count(const std::shared_ptr<metrics::Metric>& counter) {
  if (counter != nullptr) counter->add(1);
}

}  // namespace leat::middleware

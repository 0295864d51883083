#include "server/metric_table.h"

#include <fmt/core.h>

namespace leat::server {

namespace {

constexpr std::string_view kPage = R"(# Metrics

This page is made by `leat metrics --markdown`; a test keeps it true.

A route with `handler = "leat:metrics"` shows them in the text format that Prometheus collects, `leat metrics` shows the same
in a terminal. Counts are of the process that serves: a reload keeps them, a restart and `leat upgrade` begin anew. What
[plugins](plugins/README.md) declare is shown beside them, with the label `plugin`; the setting `metrics.series` bounds how
many series all plugins may have.

```toml
[[route]]
path = "/metrics"
handler = "leat:metrics"
```

Latency is measured until an answer's last byte is given to the kernel, so that what a slow handler costs those that came in
the same moment is in it. A histogram's buckets are bounds of 1, 2.5 and 5 in each power of ten, from 10 microseconds to 50
seconds. Routes are shown once they were asked for. `metrics.routes` of them (1000) are counted by themselves and all others
as `(others)`; `(none)` is what no route answered, such as a 404. A route's label is the text that `leat routes` shows.

Beside the source there are a [dashboard for Grafana](../packaging/grafana/leat.json) and
[rules for alerts](../packaging/prometheus/leat.rules.yml). What goes on now is shown by `leat top`, and by a page of the daemon's
own: see [seeing what goes on](observing.md).

| name | type | labels | meaning |
|---|---|---|---|
)";

}  // namespace

metrics::Description description_of(const MetricRow& row, std::vector<metrics::Label> labels) {
  return {.type = row.type,
          .name = std::string(row.name),
          .help = std::string(row.help),
          .labels = std::move(labels),
          .bounds = {},
          .read = {},
          .limited = false};
}

std::string metrics_markdown() {
  std::string page(kPage);
  for (const MetricRow& row : kMetricRows) {
    std::string labels;
    for (std::string_view rest = row.labels; !rest.empty();) {
      const std::string_view label = rest.substr(0, rest.find(' '));
      labels += fmt::format("{}`{}`", labels.empty() ? "" : ", ", label);
      rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    }
    page +=
        fmt::format("| `{}` | {} | {} | {} |\n", row.name, metrics::type_name(row.type), labels, row.help);
  }
  return page;
}

}  // namespace leat::server

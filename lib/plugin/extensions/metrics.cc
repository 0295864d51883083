// leat.metrics/1: what plugins count and measure.
//
// A leat_metric is the metrics::Metric itself, which the instance holds as long as it lives: counting follows
// one pointer.
#include <fmt/core.h>

#include <algorithm>

#include "base/metrics.h"
#include "base/utf8.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {
namespace {

constexpr std::string_view kDeclare = "leat.metrics/1 declare";

static_assert(static_cast<uint32_t>(metrics::Type::Counter) == LEAT_METRIC_COUNTER);
static_assert(static_cast<uint32_t>(metrics::Type::Gauge) == LEAT_METRIC_GAUGE);
static_assert(static_cast<uint32_t>(metrics::Type::Histogram) == LEAT_METRIC_HISTOGRAM);

metrics::Metric* behind(leat_metric* metric) { return reinterpret_cast<metrics::Metric*>(metric); }

// Whether all that it points to is there.
bool is_whole(const leat_metric_options& options) {
  if (!is_text(options.name) || !is_text(options.help)) return false;
  if (options.labels == nullptr && options.label_count > 0) return false;
  if (options.bounds == nullptr && options.bound_count > 0) return false;
  for (uint32_t i = 0; i < options.label_count; ++i)
    if (!is_text(options.labels[i].name) || !is_text(options.labels[i].value)) return false;
  return true;
}

// What only a plugin's may not be; the rest is the registry's to judge.
std::string judge(const leat_metric_options& options) {
  const std::string_view name = view(options.name);
  if (options.type > LEAT_METRIC_HISTOGRAM) return fmt::format("there is no metric type {}", options.type);
  for (const std::string_view own : {"leat_", "process_"})
    if (name.starts_with(own))
      return fmt::format("metric `{}`: names that begin with {} are the daemon's", name, own);
  if (!is_utf8(view(options.help))) return fmt::format("metric `{}`: its help is not UTF-8", name);
  for (uint32_t i = 0; i < options.label_count; ++i) {
    const std::string_view label = view(options.labels[i].name);
    if (label == "plugin") return fmt::format("metric `{}`: the label `plugin` is the daemon's", name);
    if (!is_utf8(view(options.labels[i].value)))
      return fmt::format("metric `{}`: the value of its label `{}` is not UTF-8", name, label);
  }
  return {};
}

metrics::Description description_of(const PluginInstance& instance, const leat_metric_options& options) {
  metrics::Description description{.type = static_cast<metrics::Type>(options.type),
                                   .name = std::string(view(options.name)),
                                   .help = std::string(view(options.help)),
                                   .labels = {{"plugin", instance.name()}},
                                   .bounds = {}};
  for (uint32_t i = 0; i < options.label_count; ++i)
    description.labels.emplace_back(std::string(view(options.labels[i].name)),
                                    std::string(view(options.labels[i].value)));
  if (options.bound_count > 0)
    description.bounds.assign(options.bounds, options.bounds + options.bound_count);
  return description;
}

int32_t declare(const leat_host* host, const leat_metric_options* options, leat_str key, leat_error* error,
                leat_metric** metric) {
  if (metric != nullptr) *metric = nullptr;
  PluginInstance* instance = host == nullptr ? nullptr : static_cast<const Host*>(host)->instance;
  if (instance == nullptr || !instance->creating())
    return refuse(kDeclare, "metrics are declared in create()", LEAT_E_STATE);
  if (options == nullptr || metric == nullptr || !is_text(key) ||
      options->struct_size < sizeof(leat_metric_options) || !is_whole(*options))
    return refuse(kDeclare, "an argument is NULL, or struct_size is not set", LEAT_E_ARGUMENT);
  const LibraryOptions& library = instance->library().options();
  if (library.shared == nullptr) return refuse(kDeclare, "this host has no metrics", LEAT_E_STATE);
  const auto fail = [&](const std::string& why) {
    host->fail(error, key, to_str(why));
    return LEAT_E_ARGUMENT;
  };
  if (const std::string wrong = judge(*options); !wrong.empty()) return fail(wrong);
  const auto made =
      library.shared->metrics.declare(description_of(*instance, *options), library.worker_count);
  if (!made) return fail(made.error());
  if (const metrics::Metric* other = instance->add_metric(*made))
    return fail(metrics::contradiction(**made, *other));
  *metric = reinterpret_cast<leat_metric*>(made->get());
  return LEAT_OK;
}

int32_t judged(bool counted, std::string_view function) {
  if (counted) [[likely]]
    return LEAT_OK;
  return refuse(function, "the metric is NULL or of another type, or the value is not a number",
                LEAT_E_ARGUMENT);
}

int32_t add(leat_metric* metric, uint64_t count) {
  return judged(metric != nullptr && behind(metric)->add(count), "leat.metrics/1 add");
}
int32_t set(leat_metric* metric, double value) {
  return judged(metric != nullptr && behind(metric)->set(value), "leat.metrics/1 set");
}
int32_t change(leat_metric* metric, double by) {
  return judged(metric != nullptr && behind(metric)->change(by), "leat.metrics/1 change");
}
int32_t observe(leat_metric* metric, double value) {
  return judged(metric != nullptr && behind(metric)->observe(value), "leat.metrics/1 observe");
}

}  // namespace

const leat_metrics_v1 kMetricsExtension = {
    .struct_size = sizeof(leat_metrics_v1),
    .reserved = 0,
    .declare = declare,
    .add = add,
    .set = set,
    .change = change,
    .observe = observe,
};

}  // namespace leat::plugin

// Part of plugin.hpp: numbers for whoever watches the daemon; see leat.metrics/1.
//
//   class Shop : public leat::Plugin<Shop> {
//    public:
//     explicit Shop(leat::Setup& setup)
//         : sold_(setup, "shop_sold_total", "Things sold.", {{"kind", "book"}}),
//           open_(setup, "shop_open_orders", "Orders that are not paid."),
//           took_(setup, "shop_order_seconds", "Time that an order took.", {0.01, 0.1, 1, 10}) {}
//     ...
//     sold_.add(); open_.add(1); took_.observe(0.25);
//
// Metrics are members of the plugin's class, made in its constructor. What cannot be declared is said, and
// the plugin is not loaded. Counting is for any thread, at any time, and costs a few nanoseconds on a worker.
#ifndef LEAT_PLUGIN_METRICS_HPP
#define LEAT_PLUGIN_METRICS_HPP

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// A label of a metric, the same for all it counts. Labels that differ make metrics of their own.
struct Label {
  std::string_view name;
  std::string_view value;
};

namespace detail {

inline leat_metric* declare_metric(const Setup& setup, uint32_t type, std::string_view name,
                                   std::string_view help, std::span<const Label> labels,
                                   std::span<const double> bounds = {}) {
  std::vector<leat_field> fields;
  for (const Label& label : labels) fields.push_back({to_str(label.name), to_str(label.value)});
  return setup.declare_metric({.struct_size = sizeof(leat_metric_options),
                               .type = type,
                               .name = to_str(name),
                               .help = to_str(help),
                               .labels = fields.data(),
                               .bounds = bounds.data(),
                               .label_count = static_cast<uint32_t>(fields.size()),
                               .bound_count = static_cast<uint32_t>(bounds.size())});
}

}  // namespace detail

// How often something has happened, or how much of it. Names end in _total by custom.
class Counter {
 public:
  Counter(const Setup& setup, std::string_view name, std::string_view help,
          const std::vector<Label>& labels = {})
      : metric_(detail::declare_metric(setup, LEAT_METRIC_COUNTER, name, help, labels)) {}
  void add(uint64_t count = 1) const { (void)detail::api.metrics->add(metric_, count); }

 private:
  leat_metric* metric_;
};

// How much there is now: what any thread set last, and what was added since.
class Gauge {
 public:
  Gauge(const Setup& setup, std::string_view name, std::string_view help,
        const std::vector<Label>& labels = {})
      : metric_(detail::declare_metric(setup, LEAT_METRIC_GAUGE, name, help, labels)) {}
  void set(double value) const { (void)detail::api.metrics->set(metric_, value); }
  void add(double by) const { (void)detail::api.metrics->change(metric_, by); }

 private:
  leat_metric* metric_;
};

// How measured values are distributed: how many are at most each of the bounds, which ascend.
class Histogram {
 public:
  Histogram(const Setup& setup, std::string_view name, std::string_view help,
            const std::vector<double>& bounds, const std::vector<Label>& labels = {})
      : metric_(detail::declare_metric(setup, LEAT_METRIC_HISTOGRAM, name, help, labels, bounds)) {}
  // NaN and infinities are refused.
  void observe(double value) const { (void)detail::api.metrics->observe(metric_, value); }

 private:
  leat_metric* metric_;
};

}  // namespace v1
}  // namespace leat

#endif

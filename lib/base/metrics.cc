#include "base/metrics.h"

#include <fmt/core.h>

#include <utility>

#include "base/text.h"

namespace leat::metrics {

namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool is_metric_name(std::string_view name) {
  const auto starts = [](char c) { return is_letter(c) || c == ':'; };
  return !name.empty() && starts(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return starts(c) || is_digit(c); });
}

bool is_label_name(std::string_view name) {
  return !name.empty() && is_letter(name[0]) && !name.starts_with("__") &&
         std::ranges::all_of(name, [](char c) { return is_letter(c) || is_digit(c); });
}

void append_escaped(std::string& text, std::string_view raw, bool quotes) {
  for (const char c : raw) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '\\' || (quotes && c == '"')) text += '\\';
    text += c;
  }
}

// What is wrong with it; empty for nothing.
std::string judge(const Description& wanted) {
  if (!is_metric_name(wanted.name))
    return fmt::format("`{}` is not a name for a metric: letters, digits, _ and :, no digit first",
                       wanted.name);
  for (size_t i = 0; i < wanted.labels.size(); ++i) {
    const std::string& name = wanted.labels[i].name;
    if (!is_label_name(name))
      return fmt::format(
          "metric `{}`: `{}` is not a name for a label: letters, digits and _, neither a digit nor __ first",
          wanted.name, name);
    if (name == "le" && wanted.type == Type::Histogram)
      return fmt::format("metric `{}`: the label `le` is what a histogram's buckets have", wanted.name);
    // They are sorted.
    if (i > 0 && name == wanted.labels[i - 1].name)
      return fmt::format("metric `{}`: the label `{}` is given twice", wanted.name, name);
  }
  if (wanted.type != Type::Histogram)
    return wanted.bounds.empty() ? ""
                                 : fmt::format("metric `{}`: only a histogram has bounds, and this is a {}",
                                               wanted.name, type_name(wanted.type));
  if (!std::ranges::all_of(wanted.bounds, [](double each) { return std::isfinite(each); }))
    return fmt::format("metric `{}`: a bound is not a finite number", wanted.name);
  if (std::ranges::adjacent_find(wanted.bounds, std::greater_equal()) != wanted.bounds.end())
    return fmt::format("metric `{}`: each bound must be greater than the one before it", wanted.name);
  return {};
}

std::string key_of(const Description& description) {
  std::string key = description.name + "{";
  for (const Label& label : description.labels) {
    key += label.name + "=\"";
    append_escaped(key, label.value, true);
    key += "\",";
  }
  if (key.ends_with(',')) key.pop_back();
  return key + "}";
}

size_t slots_of(const Description& description) {
  return description.type == Type::Histogram ? description.bounds.size() + 2 : 1;
}

}  // namespace

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  return fmt::format("{}", value);
}

void append_label(std::string& text, std::string_view value) { append_escaped(text, value, true); }

void append_family(std::string& text, std::string_view name, std::string_view help, Type type) {
  text += fmt::format("# HELP {} ", name);
  append_escaped(text, help, false);
  text += fmt::format("\n# TYPE {} {}\n", name, type_name(type));
}

std::string_view type_name(Type type) {
  switch (type) {
    case Type::Counter:
      return "counter";
    case Type::Gauge:
      return "gauge";
    case Type::Histogram:
      break;
  }
  return "histogram";
}

Metric::Metric(Description description, std::string key, uint32_t lanes, uint64_t age)
    : description_(std::move(description)),
      key_(std::move(key)),
      age_(age),
      lanes_(description_.type == Type::Gauge ? 0 : lanes),
      lines_each_((slots_of(description_) + 7) / 8),
      lines_(std::make_unique<Line[]>((size_t{lanes_} + 1) * lines_each_)) {}

size_t Metric::series_of(const Description& description) {
  if (!description.limited) return 0;
  return description.type == Type::Histogram ? description.bounds.size() + 3 : 1;
}

uint64_t Metric::count_in(size_t slot) const {
  uint64_t count = 0;
  for (uint32_t lane = 0; lane <= lanes_; ++lane) count += cell(lane, slot).load(std::memory_order_relaxed);
  return count;
}

double Metric::sum_in(size_t slot) const {
  double sum = 0;
  for (uint32_t lane = 0; lane <= lanes_; ++lane)
    sum += std::bit_cast<double>(cell(lane, slot).load(std::memory_order_relaxed));
  return sum;
}

// "name_suffix{labels,le="bound"} ", without what is empty.
std::string Metric::sample(std::string_view suffix, std::string_view bound) const {
  const std::string& name = description_.name;
  std::string labels = key_.substr(name.size() + 1, key_.size() - name.size() - 2);
  if (!bound.empty()) labels += fmt::format("{}le=\"{}\"", labels.empty() ? "" : ",", bound);
  return labels.empty() ? fmt::format("{}{} ", name, suffix)
                        : fmt::format("{}{}{{{}}} ", name, suffix, labels);
}

void Metric::write(std::string& text) const {
  const auto line = [&](std::string_view suffix, std::string_view bound, const std::string& value) {
    text += sample(suffix, bound) + value + '\n';
  };
  if (description_.read) return line("", "", number_text(description_.read()));
  if (type() == Type::Counter) return line("", "", std::to_string(count_in(0)));
  if (type() == Type::Gauge) return line("", "", number_text(sum_in(0)));
  const auto& bounds = description_.bounds;
  uint64_t count = 0;
  for (size_t i = 0; i <= bounds.size(); ++i) {
    count += count_in(i);
    line("_bucket", i < bounds.size() ? number_text(bounds[i]) : "+Inf", std::to_string(count));
  }
  line("_sum", "", number_text(sum_in(bounds.size() + 1)));
  line("_count", "", std::to_string(count));
}

const Metric* Names::take(const Metric& metric) {
  const Description& description = metric.description();
  std::vector<std::string> samples = {description.name};
  if (metric.type() == Type::Histogram)
    for (const char* part : {"_bucket", "_sum", "_count"}) samples.push_back(description.name + part);
  for (const std::string& sample : samples) {
    const auto taken = samples_.find(sample);
    if (taken == samples_.end()) continue;
    const Description& other = taken->second->description();
    if (other.name != description.name || other.type != description.type) return taken->second;
  }
  const auto [same, fresh] = keys_.try_emplace(metric.key(), &metric);
  if (!fresh) return same->second == &metric ? nullptr : same->second;
  for (std::string& sample : samples) samples_.try_emplace(std::move(sample), &metric);
  return nullptr;
}

std::string contradiction(const Metric& metric, const Metric& other) {
  if (metric.key() == other.key() && metric.type() == other.type())
    return fmt::format("metric `{}` is declared twice, with different bounds", metric.key());
  return fmt::format(
      "metric `{}` (a {}) cannot stand beside `{}` (a {}): a name has one type, and that of a histogram also "
      "takes NAME_bucket, NAME_sum and NAME_count",
      metric.key(), type_name(metric.type()), other.key(), type_name(other.type()));
}

void Registry::set_limit(size_t series) {
  const std::lock_guard lock(mutex_);
  limit_ = series;
}

std::expected<std::shared_ptr<Metric>, std::string> Registry::declare(Description description,
                                                                      uint32_t lanes) {
  std::ranges::sort(description.labels, {}, &Label::name);
  if (std::string wrong = judge(description); !wrong.empty()) return std::unexpected(std::move(wrong));
  std::string key = key_of(description);
  const std::lock_guard lock(mutex_);
  const auto [first, last] = metrics_.equal_range(key);
  for (auto each = first; each != last; ++each) {
    std::shared_ptr<Metric> living = each->second.lock();
    if (living == nullptr || living->type() != description.type ||
        living->description_.bounds != description.bounds)
      continue;
    living->description_.help = std::move(description.help);
    return living;
  }
  const size_t more = Metric::series_of(description);
  if (series_ + more > limit_) forget_gone();
  if (more > 0 && series_ + more > limit_)
    return std::unexpected(
        fmt::format("metric `{}` would make it {} series, and the setting metrics.series allows {}", key,
                    series_ + more, limit_));
  auto made = std::make_shared<Metric>(std::move(description), key, lanes, made_++);
  metrics_.emplace(std::move(key), made);
  series_ += more;
  return made;
}

void Registry::add(const Source& source) {
  const std::lock_guard lock(mutex_);
  sources_.push_back(&source);
}

void Registry::remove(const Source& source) {
  const std::lock_guard lock(mutex_);
  std::erase(sources_, &source);
}

void Registry::forget_gone() {
  std::erase_if(metrics_, [](const auto& each) { return each.second.expired(); });
  series_ = 0;
  for (const auto& [key, each] : metrics_)
    if (const auto living = each.lock()) series_ += living->series();
}

// By key, so that those of a name come one after the other.
std::vector<std::shared_ptr<Metric>> Registry::shown() {
  std::vector<std::shared_ptr<Metric>> living;
  for (const auto& [key, each] : metrics_)
    if (auto metric = each.lock()) living.push_back(std::move(metric));
  std::ranges::sort(living, {}, &Metric::age_);
  Names names;
  std::erase_if(living, [&](const auto& each) { return names.take(*each) != nullptr; });
  std::ranges::sort(living, {}, &Metric::key_);
  return living;
}

std::string Registry::text() {
  const std::lock_guard lock(mutex_);
  std::string text;
  std::string_view family;
  const auto all = shown();
  for (const auto& metric : all) {
    const Description& description = metric->description();
    if (std::exchange(family, description.name) != description.name)
      append_family(text, description.name, description.help, description.type);
    metric->write(text);
  }
  for (const Source* source : sources_) source->write(text);
  return text;
}

}  // namespace leat::metrics

// What a route asks of its parameters, made ready to be looked up and checked.
#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "base/shared/plugin_text.hpp"
#include "pipeline/parameter_taking.h"
#include "pipeline/parameters.h"
#include "pipeline/text_formats.h"

namespace leat::pipeline {

namespace {

bool fits_integer(const ParameterSpec& spec, std::string_view text) {
  if (text.starts_with('-')) {
    const auto number = to_integer(text);
    return number && *number >= spec.least && *number <= spec.most;
  }
  const auto number = to_unsigned_integer(text);
  return number && *number >= spec.least && *number <= spec.most;
}

std::string escaped(std::string_view step) {
  std::string text;
  for (const char c : step)
    text += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
  return text;
}

// What cannot be asked of one body at a time.
std::string mistake_among(std::span<const ParameterSpec> specs) {
  std::vector<std::pair<std::vector<std::string>, const ParameterSpec*>> members;
  bool kinds[kInCount] = {};
  for (const ParameterSpec& spec : specs) {
    kinds[static_cast<size_t>(spec.in)] = true;
    if (spec.in == In::Json) members.emplace_back(steps_of(spec.name), &spec);
  }
  if (kinds[static_cast<size_t>(In::Form)] + kinds[static_cast<size_t>(In::Multipart)] +
          kinds[static_cast<size_t>(In::Json)] >
      1)
    return "a body is a form, a multipart form or JSON: parameters of one route cannot be in two of them";
  std::ranges::sort(members);
  for (size_t i = 1; i < members.size(); ++i) {
    const auto& [outer, spec] = members[i - 1];
    const auto& [inner, other] = members[i];
    if (inner.size() < outer.size() || !std::equal(outer.begin(), outer.end(), inner.begin())) continue;
    return fmt::format("the members `{}` and `{}` are one, or one is in the other", spec->name, other->name);
  }
  return {};
}

}  // namespace

bool is_of_type(ParameterType type, std::string_view text) {
  switch (type) {
    case ParameterType::Text:
      return true;
    case ParameterType::Integer:
      return text.starts_with('-') ? to_integer(text).has_value() : to_unsigned_integer(text).has_value();
    case ParameterType::Number:
      return to_real(text).has_value();
    case ParameterType::Boolean:
      return to_boolean(text).has_value();
    case ParameterType::Uuid:
      return is_uuid(text);
    case ParameterType::DateTime:
      return is_date_time(text);
    case ParameterType::Email:
      return is_email(text);
    case ParameterType::Uri:
      return is_uri(text);
    case ParameterType::File:
      return false;  // no text is
  }
  return false;
}

bool ParameterSet::fits(const ParameterSpec& spec, const Rule& rule, std::string_view text) {
  switch (spec.type) {
    case ParameterType::Text:
      if (!spec.choices.empty() && !std::ranges::contains(spec.choices, text)) return false;
      if (spec.min_length != 0 || spec.max_length != UINT32_MAX)
        if (const size_t length = encoding::character_count(text);
            length < spec.min_length || length > spec.max_length)
          return false;
      return !rule.pattern || rule.pattern->is_in(text);
    case ParameterType::Integer:
      return fits_integer(spec, text);
    case ParameterType::Number: {
      const auto number = to_real(text);
      return number && *number >= spec.least_number && *number <= spec.most_number;
    }
    default:
      return is_of_type(spec.type, text);
  }
}

void ParameterSet::add_names() {
  for (uint32_t number = 0; number < specs_.size(); ++number) {
    const ParameterSpec& spec = specs_[number];
    if (spec.in != In::Json) {
      names_.add(static_cast<uint32_t>(spec.in), spec.name, number);
      continue;
    }
    uint32_t within = kInBody;
    for (const std::string& name : rules_[number].steps) {
      uint32_t step = names_.find(within, name);
      if (step == NameTable::kNone) {
        step = static_cast<uint32_t>(steps_.size());
        steps_.push_back({number, &name == &rules_[number].steps.back()});
        names_.add(within, name, step);
      }
      within = in_step(step);
    }
  }
}

std::expected<std::unique_ptr<const ParameterSet>, std::string> ParameterSet::make(
    std::vector<ParameterSpec> specs, const FormLimits& limits) {
  std::string wrong;
  const auto fail = [&](std::string_view name, std::string_view what) {
    wrong += fmt::format("{}the parameter `{}`: {}", wrong.empty() ? "" : "; ", name, what);
  };
  std::unique_ptr<ParameterSet> set(new ParameterSet);
  if (specs.size() > kMost) return std::unexpected(fmt::format("a route has more than {} parameters", kMost));
  if (std::string mistake = mistake_among(specs); !mistake.empty())
    return std::unexpected(std::move(mistake));
  set->limits_ = limits;
  set->too_many_ = fmt::format("has more than {} fields", limits.parts);
  set->too_long_ = fmt::format("must be a text of {} bytes at most", limits.text_bytes);
  for (ParameterSpec& spec : specs) {
    Rule rule;
    rule.expectation = "must be " + expectation_text(spec);
    if (spec.min_items == spec.max_items)
      rule.item_count = fmt::format("must have {} values", spec.min_items);
    else if (spec.max_items == UINT32_MAX)
      rule.item_count = fmt::format("must have {} values or more", spec.min_items);
    else
      rule.item_count = fmt::format("must have {} to {} values", spec.min_items, spec.max_items);
    if (!spec.pattern.empty()) {
      auto pattern = TextPattern::make(spec.pattern);
      if (pattern)
        rule.pattern.emplace(*std::move(pattern));
      else
        fail(spec.name, fmt::format("its pattern `{}` cannot be used: {}", spec.pattern, pattern.error()));
    }
    if (spec.in == In::Json) {
      rule.steps = steps_of(spec.name);
      for (const std::string& step : rule.steps) rule.pointer += "/" + escaped(step);
    }
    if (spec.fallback && wrong.empty() && !fits(spec, rule, *spec.fallback))
      fail(spec.name, fmt::format("its default `{}` {}", *spec.fallback, rule.expectation));
    set->rules_.push_back(std::move(rule));
  }
  if (!wrong.empty()) return std::unexpected(std::move(wrong));
  set->specs_ = std::move(specs);
  set->add_names();
  set->order_.resize(set->specs_.size());
  std::iota(set->order_.begin(), set->order_.end(), 0U);
  std::ranges::stable_sort(set->order_, {}, [&](uint32_t number) { return set->specs_[number].in; });
  for (size_t in = 0; in < std::size(set->begins_); ++in) {
    const auto found = std::ranges::equal_range(set->order_, static_cast<In>(in), {},
                                                [&](uint32_t number) { return set->specs_[number].in; });
    set->begins_[in] = static_cast<uint32_t>(found.begin() - set->order_.begin());
    set->ends_[in] = static_cast<uint32_t>(found.end() - set->order_.begin());
  }
  return set;
}

ParameterSet::Taken ParameterSet::take(http::Exchange& exchange, bool streams) const {
  auto* values = exchange.states.make<ParameterValues>(this);
  auto* slots = exchange.arena().allocate_array<ParameterValues::Slot>(std::max<size_t>(specs_.size(), 1));
  if (values == nullptr || slots == nullptr) return Taken::NoMemory;
  std::uninitialized_fill_n(slots, specs_.size(), ParameterValues::Slot{});
  values->slots_ = {slots, specs_.size()};
  Taking taking{*this, exchange, *values};
  taking.take_head();
  if (!streams) taking.take_body();
  for (uint32_t number = 0; number < specs_.size(); ++number)
    if (!streams || specs_[number].in != In::Multipart) taking.check(number);
  return taking.outcome();
}

}  // namespace leat::pipeline

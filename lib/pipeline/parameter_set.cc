// The parameters of a request by their rules: looked up, checked, and what is wrong with them told.
#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <numeric>
#include <utility>

#include "base/shared/plugin_form.hpp"
#include "base/shared/plugin_text.hpp"
#include "base/text.h"
#include "http/header_id.h"
#include "http/problem.h"
#include "json/writer.h"
#include "pipeline/parameter_rules.h"
#include "pipeline/parameters.h"
#include "pipeline/text_formats.h"

namespace leat::pipeline {

namespace {

constexpr std::string_view kMissing = "is missing";
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

bool fits_integer(const ParameterSpec& spec, std::string_view text) {
  if (text.starts_with('-')) {
    const auto number = to_integer(text);
    return number && *number >= spec.least && *number <= spec.most;
  }
  const auto number = to_unsigned_integer(text);
  return number && *number >= spec.least && *number <= spec.most;
}

bool is_media_type(std::string_view value, std::string_view type) {
  return equal_ignoring_case(encoding::without_blanks(value.substr(0, value.find(';'))), type);
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

std::expected<std::unique_ptr<const ParameterSet>, std::string> ParameterSet::make(
    std::vector<ParameterSpec> specs) {
  std::string wrong;
  const auto fail = [&](std::string_view name, std::string_view what) {
    wrong += fmt::format("{}the parameter `{}`: {}", wrong.empty() ? "" : "; ", name, what);
  };
  std::unique_ptr<ParameterSet> set(new ParameterSet);
  if (specs.size() > kMost) return std::unexpected(fmt::format("a route has more than {} parameters", kMost));
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
    if (spec.fallback && wrong.empty() && !fits(spec, rule, *spec.fallback))
      fail(spec.name, fmt::format("its default `{}` {}", *spec.fallback, rule.expectation));
    set->rules_.push_back(std::move(rule));
  }
  if (!wrong.empty()) return std::unexpected(std::move(wrong));
  set->specs_ = std::move(specs);
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

// One request's parameters on their way into its values.
struct ParameterSet::Taking {
  const ParameterSet& set;
  http::Exchange& exchange;
  ParameterValues& values;
  bool memory = true;

  Arena& arena() const { return exchange.arena(); }
  std::span<const uint32_t> numbers(In in) const {
    const auto at = static_cast<size_t>(in);
    return std::span(set.order_).subspan(set.begins_[at], set.ends_[at] - set.begins_[at]);
  }

  void reject(uint32_t number, std::string_view what, uint32_t item = ParameterValues::kNoItem) {
    values.slots_[number].wrong = true;
    memory = values.add(arena(), {&set.specs_[number], {}, what, item, nullptr}) && memory;
  }

  void add(uint32_t number, std::string_view text) {
    ParameterValues::Slot& slot = values.slots_[number];
    // Of one that is no list the first counts.
    if (slot.count++ != 0 && !set.specs_[number].list) return;
    void* place = arena().allocate(sizeof(ParameterValue), alignof(ParameterValue));
    if (place == nullptr) return void(memory = false);
    auto* value = new (place) ParameterValue{text};
    (slot.first == nullptr ? slot.first : slot.last->next) = value;
    slot.last = value;
  }
  // Values with commas between, as fields and paths have them.
  void add_each(uint32_t number, std::string_view text) {
    if (!set.specs_[number].list) return add(number, text);
    while (!text.empty()) {
      const std::string_view item = encoding::without_blanks(encoding::cut(text, ','));
      if (!item.empty()) add(number, item);
    }
  }

  void take_path() {
    for (const uint32_t number : numbers(In::Path)) {
      const auto params = exchange.request.params();
      if (set.specs_[number].path_index < params.size())
        add_each(number, params[set.specs_[number].path_index]);
    }
  }

  // Decoded where it has to be, into the arena; a null data() without memory.
  std::string_view decoded(std::string_view text, bool& malformed) {
    if (!encoding::needs_form_decoding(text)) return text;
    char* const to = arena().allocate_array<char>(text.size());
    if (to == nullptr) return memory = false, std::string_view();
    return {to, encoding::decode_form(to, text, malformed)};
  }
  static bool stands_for(std::string_view text, std::string_view name) {
    if (!encoding::needs_form_decoding(text)) return text == name;
    bool malformed = false;
    for (; !text.empty(); name.remove_prefix(1))
      if (name.empty() || encoding::take_form_byte(text, malformed) != name.front() || malformed)
        return false;
    return name.empty();
  }
  // Of a query or a form: other names are nobody's business.
  void take_pairs(In in, std::string_view text) {
    if (numbers(in).empty()) return;
    for (encoding::FormPair pair; encoding::take_form_pair(text, pair);) {
      const auto all = numbers(in);
      const std::string_view name = pair.name;
      const auto found = std::ranges::find_if(
          all, [&](uint32_t number) { return stands_for(name, set.specs_[number].name); });
      if (found == all.end() || values.slots_[*found].wrong) continue;
      bool malformed = false;
      const std::string_view value = decoded(pair.value, malformed);
      if (malformed)
        reject(*found, encoding::kBadEscape);
      else if (value.data() != nullptr)
        add(*found, value);
    }
  }

  void take_fields() {
    const auto headers = numbers(In::Header), cookies = numbers(In::Cookie);
    if (headers.empty() && cookies.empty()) return;
    const http::Head& head = exchange.request.head();
    for (const http::HeaderSlot& slot : head.headers()) {
      const std::string_view name = head.view(slot.name);
      for (const uint32_t number : headers)
        if (equal_ignoring_case(name, set.specs_[number].name)) add_each(number, head.view(slot.value));
      if (slot.id != http::HeaderId::Cookie || cookies.empty()) continue;
      std::string_view field = head.view(slot.value);
      for (encoding::FormPair cookie; encoding::take_cookie(field, cookie);)
        for (const uint32_t number : cookies)
          if (cookie.name == set.specs_[number].name) add(number, cookie.value);
    }
  }

  void take_form() {
    if (numbers(In::Form).empty() || exchange.request.body().empty()) return;
    if (is_media_type(exchange.request.header(http::HeaderId::ContentType), kFormType))
      return take_pairs(In::Form, exchange.request.body());
    memory = values.reject(arena(), {}, "must be application/x-www-form-urlencoded") && memory;
    for (const uint32_t number : numbers(In::Form))
      values.slots_[number].wrong = true;  // said at once for all
  }

  void check(uint32_t number) {
    ParameterValues::Slot& slot = values.slots_[number];
    const ParameterSpec& spec = set.specs_[number];
    const Rule& rule = set.rules_[number];
    if (slot.wrong) return;
    if (slot.count == 0) {
      if (spec.fallback) return add(number, *spec.fallback);
      if (spec.required || spec.min_items != 0)
        reject(number, spec.list && spec.min_items > 1 ? rule.item_count : kMissing);
      return;
    }
    if (spec.list && (slot.count < spec.min_items || slot.count > spec.max_items))
      return reject(number, rule.item_count);
    uint32_t item = 0;
    for (const ParameterValue* value = slot.first; value != nullptr; value = value->next, ++item)
      if (!fits(spec, rule, value->text))
        reject(number, rule.expectation, spec.list ? item : ParameterValues::kNoItem);
  }
};

ParameterSet::Taken ParameterSet::take(http::Exchange& exchange) const {
  auto* values = exchange.states.make<ParameterValues>(this);
  auto* slots = exchange.arena().allocate_array<ParameterValues::Slot>(std::max<size_t>(specs_.size(), 1));
  if (values == nullptr || slots == nullptr) return Taken::NoMemory;
  std::uninitialized_fill_n(slots, specs_.size(), ParameterValues::Slot{});
  values->slots_ = {slots, specs_.size()};
  Taking taking{*this, exchange, *values};
  taking.take_path();
  taking.take_pairs(In::Query, exchange.request.query());
  taking.take_fields();
  taking.take_form();
  for (uint32_t number = 0; number < specs_.size(); ++number) taking.check(number);
  if (!taking.memory) return Taken::NoMemory;
  return values->violation_count_ == 0 ? Taken::Good : Taken::Wrong;
}

bool ParameterValues::add(Arena& arena, const Violation& violation) {
  if (violation_count_++ >= kMostViolations) return true;
  void* place = arena.allocate(sizeof(Violation), alignof(Violation));
  if (place == nullptr) return false;
  auto* kept = new (place) Violation(violation);
  (violations_ == nullptr ? violations_ : last_->next) = kept;
  last_ = kept;
  return true;
}

bool ParameterValues::reject(Arena& arena, std::string_view pointer, std::string_view message) {
  const std::string_view place = arena.copy(pointer), what = arena.copy(message);
  if (place.data() == nullptr || what.data() == nullptr) return false;
  return add(arena, {nullptr, place, what, kNoItem, nullptr});
}

namespace {

// Texts one behind the other, in the arena: they are few and short, and a request that is refused is none that is
// served.
std::string_view joined(Arena& arena, std::initializer_list<std::string_view> parts) {
  size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  char* const to = arena.allocate_array<char>(std::max<size_t>(size, 1));
  if (to == nullptr) return {};
  size_t at = 0;
  for (const std::string_view part : parts) at += part.copy(to + at, part.size());
  return {to, size};
}

}  // namespace

bool ParameterValues::refuse(http::Exchange& exchange) const {
  Arena& arena = exchange.arena();
  json::Writer json(arena);
  json.begin_array();
  for (const Violation* each = violations_; each != nullptr; each = each->next) {
    json.begin_object();
    json.key("detail");
    json.string(each->message);
    if (each->spec != nullptr) {
      json.key("in");
      constexpr std::string_view kIn[] = {"path", "query", "header", "cookie", "form"};
      json.string(kIn[static_cast<size_t>(each->spec->in)]);
      json.key("parameter");
      json.string(each->spec->name);
    } else {
      json.key("pointer");
      json.string(joined(arena, {"#", each->pointer}));
    }
    if (each->item != kNoItem) {
      json.key("index");
      json.unsigned_integer(each->item);
    }
    json.end_object();
  }
  json.end_array();
  const auto errors = json.finish();
  if (!errors || violations_ == nullptr) {
    http::send_out_of_memory(exchange);
    return true;
  }
  if (violation_count_ != 1) {
    char words[64];
    const auto end = fmt::format_to_n(words, sizeof words, "The request has {} mistakes{}.", violation_count_,
                                      violation_count_ > kMostViolations ? "; `errors` has the first" : "");
    return exchange.send_problem(400, {words, std::min(end.size, sizeof words)},
                                 joined(arena, {"\"errors\":", *errors}));
  }
  const ParameterSpec* spec = violations_->spec;
  if (spec == nullptr) {
    const bool whole = violations_->pointer.empty();
    const std::string_view detail = joined(arena, {"The body", whole ? " " : "'s `", violations_->pointer,
                                                   whole ? "" : "` ", violations_->message, "."});
    return exchange.send_problem(400, detail, joined(arena, {"\"errors\":", *errors}));
  }
  json::Writer name(arena);
  name.string(spec->name);
  const auto named = name.finish();
  const std::string_view detail =
      joined(arena, {"The ", kind_text(spec->in), " `", spec->name, "` ", violations_->message, "."});
  return exchange.send_problem(
      400, detail, joined(arena, {"\"parameter\":", named ? *named : "null", ",\"errors\":", *errors}));
}

}  // namespace leat::pipeline

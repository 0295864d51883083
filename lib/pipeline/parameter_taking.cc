// Looking up the parameters of a request, and whether each has what it must.
#include "pipeline/parameter_taking.h"

#include <fmt/core.h>

#include <algorithm>
#include <new>

#include "base/shared/plugin_form.hpp"
#include "base/text.h"
#include "http/header_id.h"

namespace leat::pipeline {

namespace {

constexpr std::string_view kMissing = "is missing";
constexpr std::string_view kTwice = "must not come twice";
constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

bool stands_for(std::string_view text, std::string_view name) {
  if (!encoding::needs_form_decoding(text)) return text == name;
  bool malformed = false;
  for (; !text.empty(); name.remove_prefix(1))
    if (name.empty() || encoding::take_form_byte(text, malformed) != name.front() || malformed) return false;
  return name.empty();
}

}  // namespace

// Without keeping what it stands for: a form may have many.
uint32_t ParameterSet::number_of_encoded(In in, std::string_view name) const {
  if (!encoding::needs_form_decoding(name)) return number_of(in, name);
  NameTable::Hash hash(static_cast<uint32_t>(in));
  bool malformed = false;
  for (std::string_view rest = name; !rest.empty();) hash.add(encoding::take_form_byte(rest, malformed));
  if (malformed) return NameTable::kNone;
  return names_.find(static_cast<uint32_t>(in), hash.value(),
                     [&](std::string_view each) { return stands_for(name, each); });
}

void ParameterSet::Taking::reject(uint32_t number, std::string_view what, uint32_t item) {
  const ParameterSpec& spec = set.specs_[number];
  values.slots_[number].wrong = true;
  if (values.violation_count_ >= ParameterValues::kMostViolations) return void(++values.violation_count_);
  if (spec.in != In::Json) {
    memory = values.add(arena(), {&spec, {}, what, item, nullptr}) && memory;
    return;
  }
  std::string_view pointer = set.rules_[number].pointer;
  if (item != ParameterValues::kNoItem) {
    char digits[16];
    const auto end = fmt::format_to_n(digits, sizeof digits, "/{}", item);
    pointer = joined(arena(), {pointer, {digits, end.size}});
    if (pointer.data() == nullptr) return void(memory = false);
  }
  memory = values.add(arena(), {nullptr, pointer, what, ParameterValues::kNoItem, nullptr}) && memory;
}

void ParameterSet::Taking::reject_body(In in, std::string_view what) {
  memory = values.reject(arena(), {}, what) && memory;
  for (const uint32_t number : numbers(in)) values.slots_[number].wrong = true;  // said at once for all
}

void ParameterSet::Taking::append(uint32_t number, ParameterValue* value) {
  ParameterValues::Slot& slot = values.slots_[number];
  (slot.first == nullptr ? slot.first : slot.last->next) = value;
  slot.last = value;
}

void ParameterSet::Taking::add(uint32_t number, std::string_view text) {
  const ParameterSpec& spec = set.specs_[number];
  const uint32_t count = ++values.slots_[number].count;
  if (count != 1 && !spec.list) return;
  // Past what a list may have nothing is kept.
  if (count > spec.max_items) {
    if (count - 1 == spec.max_items) reject(number, set.rules_[number].item_count);
    return;
  }
  void* place = arena().allocate(sizeof(ParameterValue), alignof(ParameterValue));
  if (place == nullptr) return void(memory = false);
  append(number, new (place) ParameterValue{text});
}

// Values with commas between, as fields and paths have them.
void ParameterSet::Taking::add_each(uint32_t number, std::string_view text) {
  if (!set.specs_[number].list) return add(number, text);
  while (!text.empty()) {
    const std::string_view item = encoding::without_blanks(encoding::cut(text, ','));
    if (!item.empty()) add(number, item);
  }
}

void ParameterSet::Taking::take_path() {
  for (const uint32_t number : numbers(In::Path)) {
    const auto params = exchange.request.params();
    if (set.specs_[number].path_index < params.size())
      add_each(number, params[set.specs_[number].path_index]);
  }
}

// Decoded where it has to be, into the arena; a null data() without memory.
std::string_view ParameterSet::Taking::decoded(std::string_view text, bool& malformed) {
  if (!encoding::needs_form_decoding(text)) return text;
  char* const to = arena().allocate_array<char>(text.size());
  if (to == nullptr) return memory = false, std::string_view();
  return {to, encoding::decode_form(to, text, malformed)};
}

// Of a query or a form: other names are nobody's business.
void ParameterSet::Taking::take_pairs(In in, std::string_view text) {
  if (numbers(in).empty()) return;
  uint32_t left = in == In::Form ? set.limits_.parts : UINT32_MAX;
  for (encoding::FormPair pair; encoding::take_form_pair(text, pair);) {
    if (left-- == 0) return reject_body(in, set.too_many_);
    const uint32_t found = set.number_of_encoded(in, pair.name);
    if (found == NameTable::kNone || values.slots_[found].wrong) continue;
    if (values.slots_[found].count != 0 && !set.specs_[found].list) continue;  // the first counts
    bool malformed = false;
    const std::string_view value = decoded(pair.value, malformed);
    if (malformed)
      reject(found, encoding::kBadEscape);
    else if (value.data() != nullptr)
      add(found, value);
  }
}

void ParameterSet::Taking::take_fields() {
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
      if (const uint32_t number = set.number_of(In::Cookie, cookie.name); number != NameTable::kNone)
        add(number, cookie.value);
  }
}

void ParameterSet::Taking::take_urlencoded() {
  if (encoding::is_media_type(exchange.request.header(http::HeaderId::ContentType), kFormType))
    take_pairs(In::Form, exchange.request.body());
  else
    reject_body(In::Form, "must be application/x-www-form-urlencoded");
}

void ParameterSet::Taking::take_head() {
  take_path();
  take_pairs(In::Query, exchange.request.query());
  take_fields();
}

void ParameterSet::Taking::take_body() {
  if (exchange.request.body().empty()) return;
  if (!numbers(In::Form).empty()) take_urlencoded();
  if (!numbers(In::Multipart).empty()) take_form();
  if (!numbers(In::Json).empty()) take_members();
}

void ParameterSet::Taking::check_count(uint32_t number) {
  const ParameterValues::Slot& slot = values.slots_[number];
  const ParameterSpec& spec = set.specs_[number];
  const Rule& rule = set.rules_[number];
  if (slot.count == 0 && !slot.present) {
    if (spec.required || spec.min_items != 0)
      reject(number, spec.list && spec.min_items > 1 ? rule.item_count : kMissing);
  } else if (spec.list && (slot.count < spec.min_items || slot.count > spec.max_items)) {
    reject(number, rule.item_count);
  } else if (!spec.list && slot.count > 1 && spec.in == In::Multipart) {
    reject(number, kTwice);
  }
}

void ParameterSet::Taking::check(uint32_t number) {
  const ParameterValues::Slot& slot = values.slots_[number];
  const ParameterSpec& spec = set.specs_[number];
  // The parts of a multipart form were judged as they came.
  if (slot.wrong && (spec.in != In::Multipart || slot.count == 0)) return;
  if (slot.count == 0 && spec.fallback) return add(number, *spec.fallback);
  const uint32_t before = values.violation_count_;
  check_count(number);
  if (values.violation_count_ != before || spec.in == In::Multipart) return;
  uint32_t item = 0;
  for (const ParameterValue* value = slot.first; value != nullptr; value = value->next, ++item)
    if (value->text.data() == nullptr || !fits(spec, set.rules_[number], value->text))
      reject(number, set.rules_[number].expectation, spec.list ? item : ParameterValues::kNoItem);
}

}  // namespace leat::pipeline

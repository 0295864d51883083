#include "cache/cache_control.h"

#include <algorithm>

#include "base/text.h"

namespace leat::cache {

namespace {

struct Directive {
  std::string_view name, value;  // without quotes
  bool has_value = false;
};

Directive split(std::string_view item) {
  const size_t equals = item.find('=');
  if (equals == std::string_view::npos) return {item, {}, false};
  std::string_view value = trim(item.substr(equals + 1));
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  return {trim(item.substr(0, equals)), value, true};
}

void lower(std::optional<uint32_t>& time, uint32_t to) { time = std::min(time.value_or(to), to); }
void raise(std::optional<uint32_t>& time, uint32_t to) { time = std::max(time.value_or(to), to); }

}  // namespace

std::optional<uint32_t> delta_seconds(std::string_view text) {
  if (text.empty() || !std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; }))
    return std::nullopt;
  const auto number = parse_number<uint64_t>(text);
  return number && *number < kMostSeconds ? static_cast<uint32_t>(*number) : kMostSeconds;
}

void ResponseControl::add(std::string_view field) {
  for_each_item(field, [this](std::string_view item) {
    const Directive directive = split(item);
    const auto is = [&](std::string_view name) { return equal_ignoring_case(directive.name, name); };
    if (is("no-store")) no_store = true;
    if (is("no-cache")) no_cache = true;
    if (is("private")) is_private = true;
    if (is("public")) is_public = true;
    if (is("must-revalidate")) must_revalidate = true;
    if (is("proxy-revalidate")) proxy_revalidate = true;
    if (is("must-understand")) must_understand = true;
    if (is("max-age")) lower(max_age, delta_seconds(directive.value).value_or(0));
    if (is("s-maxage")) lower(s_maxage, delta_seconds(directive.value).value_or(0));
    if (is("stale-while-revalidate"))
      lower(stale_while_revalidate, delta_seconds(directive.value).value_or(0));
    if (is("stale-if-error")) lower(stale_if_error, delta_seconds(directive.value).value_or(0));
  });
}

void RequestControl::add(std::string_view field) {
  for_each_item(field, [this](std::string_view item) {
    const Directive directive = split(item);
    const auto is = [&](std::string_view name) { return equal_ignoring_case(directive.name, name); };
    if (is("no-store")) no_store = true;
    if (is("no-cache")) no_cache = true;
    if (is("only-if-cached")) only_if_cached = true;
    if (is("max-age")) lower(max_age, delta_seconds(directive.value).value_or(0));
    if (is("min-fresh")) raise(min_fresh, delta_seconds(directive.value).value_or(kMostSeconds));
    if (is("max-stale"))
      lower(max_stale, directive.has_value ? delta_seconds(directive.value).value_or(0) : kMostSeconds);
  });
}

}  // namespace leat::cache

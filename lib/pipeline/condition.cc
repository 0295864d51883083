#include "pipeline/condition.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "http/authority.h"
#include "http/method.h"
#include "pipeline/host_name.h"
#include "pipeline/parameters.h"

namespace leat::pipeline {

namespace {

// "NAME" and, behind the separator, a value.
struct NamedItem {
  std::string_view name;
  std::optional<std::string_view> value;
};

NamedItem split_item(std::string_view text, char separator) {
  const size_t at = text.find(separator);
  if (at == std::string_view::npos) return {text, std::nullopt};
  return {text.substr(0, at), text.substr(at + 1)};
}

bool is_field_item(std::string_view text) {
  return is_token(split_item(text, ':').name) && is_field_value(text);
}

// TYPE/SUBTYPE or TYPE/*.
bool is_type_item(std::string_view text) {
  const auto [type, subtype] = split_item(text, '/');
  return is_token(type) && type != "*" && subtype && (*subtype == "*" || is_token(*subtype));
}

bool type_fits(std::string_view item, std::string_view type) {
  if (!item.ends_with("/*")) return equal_ignoring_case(item, type);
  item.remove_suffix(1);
  return type.size() > item.size() && equal_ignoring_case(item, type.substr(0, item.size()));
}

}  // namespace

std::string check_condition_client(std::string_view, std::string_view text) {
  const auto range = AddressRange::parse(text);
  return range ? std::string() : range.error();
}
std::string check_condition_host(std::string_view called, std::string_view text) {
  if (HostPattern::parse(text)) return {};
  return fmt::format(
      "{} has `{}`, which is no host without a port: write example.org, *.example.org or [2001:db8::1]",
      called, text);
}
std::string check_condition_method(std::string_view called, std::string_view text) {
  if (http::find_method(text)) return {};
  return fmt::format("{} has `{}`, which is no method: they are written in capitals, GET", called, text);
}
std::string check_condition_header(std::string_view called, std::string_view text) {
  if (is_field_item(text)) return {};
  return fmt::format("{} has `{}`, which is no header field: write NAME, or NAME: VALUE", called, text);
}
std::string check_condition_query(std::string_view called, std::string_view text) {
  if (!split_item(text, '=').name.empty()) return {};
  return fmt::format("{} has `{}`, which is no parameter: write NAME, or NAME=VALUE", called, text);
}
std::string check_condition_content_type(std::string_view called, std::string_view text) {
  if (is_type_item(text)) return {};
  return fmt::format("{} has `{}`, which is no type of content: write application/json, or image/*", called,
                     text);
}

std::optional<HostPattern> HostPattern::parse(std::string_view text) {
  constexpr std::string_view kBelow = "*.";
  HostPattern pattern;
  pattern.below = text.starts_with(kBelow);
  if (pattern.below) text.remove_prefix(kBelow.size());
  if (!http::is_authority(text) || text.contains('*') || host_name(text) != text) return std::nullopt;
  pattern.name = std::string(text);
  std::ranges::transform(pattern.name, pattern.name.begin(), ascii_lower);
  return pattern;
}

bool HostPattern::fits(std::string_view host) const {
  if (!below) return equal_ignoring_case(name, host);
  const size_t size = name.size();
  return host.size() > size + 1 && host[host.size() - size - 1] == '.' &&
         equal_ignoring_case(name, host.substr(host.size() - size));
}

FieldCondition::FieldCondition(std::string_view text) {
  const auto [name, value] = split_item(text, ':');
  name_ = std::string(name);
  id_ = http::find_header(name);
  if (value) value_ = trim(*value);
}

bool FieldCondition::fits(const http::Head& head) const {
  return std::ranges::any_of(head.headers(), [&](const http::HeaderSlot& slot) {
    if (slot.id != id_) return false;
    if (id_ == http::HeaderId::Unknown && !equal_ignoring_case(head.view(slot.name), name_)) return false;
    return !value_ || *value_ == head.view(slot.value);
  });
}

const HostAddress& Facts::client() {
  if (!known_client) known_client = HostAddress::parse(request.client()).value_or(HostAddress());
  return *known_client;
}

std::string_view Condition::miss_name(Miss miss) {
  constexpr std::array<std::string_view, 7> kNames = {"",       "method", "client",      "host",
                                                      "header", "query",  "content type"};
  return kNames[static_cast<size_t>(miss)];
}

Condition::Condition(ConditionKeys keys) : keys_(std::move(keys)) {
  std::vector<AddressRange> ranges;
  for (const std::string& text : keys_.client)
    if (const auto range = AddressRange::parse(text)) ranges.push_back(*range);
  clients_ = AddressSet(ranges);
  for (const std::string& text : keys_.host)
    if (auto host = HostPattern::parse(text)) hosts_.push_back(std::move(*host));
  for (const std::string& text : keys_.method)
    if (const auto method = http::find_method(text)) methods_ |= http::method_bit(*method);
  for (const std::string& text : keys_.header) fields_.emplace_back(text);
  for (const std::string& text : keys_.query) {
    const auto [name, value] = split_item(text, '=');
    parameters_.push_back({std::string(name), value ? std::optional<std::string>(*value) : std::nullopt});
  }
}

// The first of the name: who reads it gets no other.
bool Condition::has(const Parameter& parameter, const Facts& facts) {
  const auto value = first_query(facts.arena, facts.request.query(), parameter.name);
  return value && (!parameter.value || *parameter.value == *value);
}

bool Condition::has_type(const http::Request& request) const {
  const std::string_view type = essence_of(request.header(http::HeaderId::ContentType));
  return std::ranges::any_of(keys_.content_type,
                             [&](const std::string& item) { return type_fits(item, type); });
}

Condition::Miss Condition::miss(Facts& facts) const {
  const http::Request& request = facts.request;
  if (methods_ != 0 && (methods_ & http::method_bit(request.method())) == 0) return Miss::Method;
  if (asks_client() && !clients_.contains(facts.client())) return Miss::Client;
  if (!hosts_.empty()) {
    const std::string_view name = host_name(request.host());
    if (!std::ranges::any_of(hosts_, [&](const HostPattern& host) { return host.fits(name); }))
      return Miss::Host;
  }
  if (!facts.preflight && !fields_.empty() &&
      !std::ranges::any_of(fields_, [&](const FieldCondition& field) { return field.fits(request.head()); }))
    return Miss::Header;
  if (!parameters_.empty() &&
      !std::ranges::any_of(parameters_, [&](const Parameter& each) { return has(each, facts); }))
    return Miss::Query;
  if (!facts.preflight && !keys_.content_type.empty() && !has_type(request)) return Miss::ContentType;
  return Miss::None;
}

std::string Condition::text() const {
  std::string text;
  const auto add = [&text](std::string_view what, const std::vector<std::string>& items) {
    if (items.empty()) return;
    text += fmt::format("{}{} ", text.empty() ? "" : ", ", what);
    for (size_t i = 0; i < items.size(); ++i) text += (i == 0 ? "" : " or ") + items[i];
  };
  add("method", keys_.method);
  add("client", keys_.client);
  add("host", keys_.host);
  add("header", keys_.header);
  add("query", keys_.query);
  add("content type", keys_.content_type);
  return text;
}

}  // namespace leat::pipeline

// Part of plugin.hpp: what a type's JSON looks like, as a JSON Schema (draft 2020-12, which OpenAPI 3.1 has), made of
// the declaration that reads and writes it. For the description of an API; made when a route is loaded. Nothing
// in here is meant to be used by name.
//
// A struct that holds more of itself is described once; deeper ones may be anything.
#ifndef LEAT_PLUGIN_SCHEMA_HPP
#define LEAT_PLUGIN_SCHEMA_HPP

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <type_traits>

#include "plugin_decode.hpp"
#include "plugin_json.hpp"
#include "plugin_rules.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace detail {

template <class T, class Within, class... Rules>
std::string schema_of(const Rules&... rules);

// The keywords of a rule, each with a comma before it.
template <class N>
std::string keywords(const Range<N>& range) {
  std::string text = ",\"minimum\":";
  append_json(text, range.least);
  text += ",\"maximum\":";
  append_json(text, range.most);
  return text;
}
inline std::string bound_keywords(uint32_t least, uint32_t most, const std::string& what) {
  std::string text;
  if (least != 0) text += ",\"min" + what + "\":" + std::to_string(least);
  if (most != UINT32_MAX) text += ",\"max" + what + "\":" + std::to_string(most);
  return text;
}
inline std::string keywords(const Length& length) {
  return bound_keywords(length.least, length.most, "Length");
}
inline std::string keywords(const Count& count) { return bound_keywords(count.least, count.most, "Items"); }
template <size_t... N>
std::string keywords(const OneOf<N...>& choices) {
  std::string text = ",\"enum\":[";
  for (size_t i = 0; i < choices.kCount; ++i) {
    if (i != 0) text += ',';
    append_json(text, choices.at(i));
  }
  return text + "]";
}
template <size_t N>
std::string keywords(const Pattern<N>& pattern) {
  std::string text = ",\"pattern\":";
  append_json(text, pattern.view());
  return text;
}
inline std::string keywords(const Format& format) {
  constexpr std::string_view kNames[] = {"uuid", "date-time", "email", "uri"};
  return ",\"format\":\"" + std::string(kNames[static_cast<uint32_t>(format) - LEAT_TYPE_UUID]) + "\"";
}

// What LEAT_JSON tells a struct's members to.
template <class Within>
class SchemaMembers {
 public:
  template <class T, class... Rules>
  void member(std::string_view name, const Rules&... rules) {
    if (!properties_.empty()) properties_ += ',';
    append_json(properties_, name);
    properties_ += ':' + schema_of<T, Within>(rules...);
    if (is_optional_member<T>) return;
    if (!required_.empty()) required_ += ',';
    append_json(required_, name);
  }
  [[nodiscard]] std::string text() const {
    std::string all = "{\"type\":\"object\",\"properties\":{" + properties_ + "}";
    if (!required_.empty()) all += ",\"required\":[" + required_ + "]";
    return all + "}";
  }

 private:
  std::string properties_, required_;
};

template <class T>
concept Described =
    requires(SchemaMembers<Holders<>>& members) { leat_describe(members, std::type_identity<T>()); };

// Rules of a list are Count's; the others are its elements'.
template <bool of_list, class Rule>
std::string keywords_for(const Rule& rule) {
  if constexpr (is_count<Rule> == of_list)
    return keywords(rule);
  else
    return {};
}

template <class T, class Within, class... Rules>
std::string schema_of(const Rules&... rules) {
  [[maybe_unused]] const auto with = [&]<bool of_list>(std::string schema, std::bool_constant<of_list>) {
    return schema + (std::string() + ... + keywords_for<of_list>(rules)) + "}";
  };
  constexpr auto kOwn = std::false_type();
  if constexpr (Within::template has<T>) {
    return "{}";
  } else if constexpr (Described<T>) {
    SchemaMembers<typename Within::template With<T>> members;
    leat_describe(members, std::type_identity<T>());
    return members.text();
  } else if constexpr (is_optional_member<T>) {
    const std::string inner = schema_of<typename T::value_type, Within>(rules...);
    return "{\"anyOf\":[" + inner + ",{\"type\":\"null\"}]}";
  } else if constexpr (std::is_same_v<T, bool>) {
    return with("{\"type\":\"boolean\"", kOwn);
  } else if constexpr (std::is_integral_v<T>) {
    std::string schema = "{\"type\":\"integer\"";
    if constexpr (!(is_range<Rules> || ...))
      schema += keywords(Range<T>{std::numeric_limits<T>::min(), std::numeric_limits<T>::max()});
    return with(std::move(schema), kOwn);
  } else if constexpr (std::is_floating_point_v<T>) {
    return with("{\"type\":\"number\"", kOwn);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return with("{\"type\":\"string\"", kOwn);
  } else if constexpr (is_array<T>) {
    const std::string size = std::to_string(std::tuple_size_v<T>);
    return "{\"type\":\"array\",\"items\":" + schema_of<typename T::value_type, Within>() +
           ",\"minItems\":" + size + ",\"maxItems\":" + size + "}";
  } else if constexpr (std::ranges::input_range<const T>) {
    using Item = std::remove_cvref_t<std::ranges::range_reference_t<const T>>;
    if constexpr (Pair<Item>) {
      return "{\"type\":\"object\"}";
    } else {
      return with("{\"type\":\"array\",\"items\":" + schema_of<Item, Within>(rules...), std::true_type());
    }
  } else {
    return "{}";
  }
}

template <class T>
std::string schema_text() {
  return schema_of<T, Holders<>>();
}

// Of what a handler returns; empty for what says nothing of itself.
template <class T>
std::string answer_schema() {
  if constexpr (is_result<T>) {
    return answer_schema<typename T::Value>();
  } else if constexpr (std::is_void_v<T>) {
    return {};
  } else if constexpr (Described<T>) {
    return schema_text<T>();
  } else if constexpr (std::ranges::input_range<const T>) {
    if constexpr (Described<std::remove_cvref_t<std::ranges::range_reference_t<const T>>>)
      return schema_text<T>();
    else
      return {};
  } else {
    return {};
  }
}

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif

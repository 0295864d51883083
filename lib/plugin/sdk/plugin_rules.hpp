// Part of plugin.hpp: the rules of a struct's members, as LEAT_JSON gives them: LEAT_JSON(User, id,
// (name, leat::Length{1, 40}), (age, leat::Range{0, 150})). Nothing in here is meant to be used by name.
//
// What a rule says, and what is told where a value does not keep it, read on from "The body's `/age` ".
#ifndef LEAT_PLUGIN_RULES_HPP
#define LEAT_PLUGIN_RULES_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "plugin_base.hpp"
#include "plugin_parameters.hpp"
#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace detail {

template <class T>
inline constexpr bool is_range = false;
template <class T>
inline constexpr bool is_range<Range<T>> = true;
template <class T>
inline constexpr bool is_one_of = false;
template <size_t... N>
inline constexpr bool is_one_of<OneOf<N...>> = true;
template <class T>
inline constexpr bool is_count = std::same_as<T, Count>;
template <class T>
inline constexpr bool is_pattern = false;
template <size_t N>
inline constexpr bool is_pattern<Pattern<N>> = true;

// A Pattern of a member. The host makes it when the plugin is loaded (compile_patterns), for which all of a plugin's are
// a list, from the moment on that its object is there.
class MemberPattern {
 public:
  // "^[a-z]+$", of "Line", "product".
  MemberPattern(std::string_view of_text, std::string_view of_struct, std::string_view of_member)
      : text(of_text), owner(of_struct), member(of_member), next(std::exchange(first, this)) {}
  MemberPattern(const MemberPattern&) = delete;
  MemberPattern& operator=(const MemberPattern&) = delete;

  const std::string_view text, owner, member;
  const leat_pattern* made = nullptr;
  MemberPattern* const next;
  static inline constinit MemberPattern* first = nullptr;
};
// That of the rule with this number of a member whose rules are Named's, as LEAT_JSON writes them down.
template <class Named, size_t number>
struct PatternOf {
  static constexpr auto kRule = std::get<number>(Named::rules());
  static inline MemberPattern pattern{kRule.view(), Named::owner(), Named::member()};
};
// In the place of a Pattern where values are read.
struct ReadyPattern {
  const MemberPattern* pattern;
};
template <class Named, size_t number>
constexpr auto ready_rule() {
  constexpr auto kRule = std::get<number>(Named::rules());
  if constexpr (is_pattern<std::remove_const_t<decltype(kRule)>>)
    return ReadyPattern{&PatternOf<Named, number>::pattern};
  else
    return kRule;
}
template <class T>
concept NamedRules = requires { T::rules(); };

// Has the host make all patterns of the plugin. False: one is none, which is told.
inline bool compile_patterns(const leat_host* host, leat_error* error) {
  bool whole = true;
  for (MemberPattern* each = MemberPattern::first; each != nullptr; each = each->next) {
    const std::string called = std::string(each->owner) + "." + std::string(each->member);
    each->made = nullptr;
    if (api.parameters == nullptr || !LEAT_HAS(api.parameters, leat_parameters_v1, matches)) {
      const std::string message = "this daemon is too old for the pattern of `" + called + "`";
      host->fail(error, {}, to_str(message));
    } else {
      each->made = api.parameters->pattern(host, to_str(each->text), to_str(called), error);
    }
    whole = whole && each->made != nullptr;
  }
  return whole;
}

// Of a member of this type, or of each element where it is a list.
template <class T, class Rule>
constexpr bool rule_fits() {
  if constexpr (requires(T& optional) {
                  optional.emplace();
                  optional.has_value();
                }) {
    return rule_fits<typename T::value_type, Rule>();
  } else if constexpr (requires(T& list) {
                         list.emplace_back();
                         list.push_back({});
                       } && !std::convertible_to<const T&, std::string_view>) {
    if constexpr (is_count<Rule>)
      return true;
    else
      return !std::is_same_v<T, std::vector<bool>> && rule_fits<typename T::value_type, Rule>();
  } else if constexpr (is_range<Rule>) {
    return std::is_arithmetic_v<T> && !std::is_same_v<T, bool>;
  } else {
    return (std::same_as<Rule, Length> || std::same_as<Rule, Format> || std::same_as<Rule, ReadyPattern> ||
            is_one_of<Rule>) &&
           std::convertible_to<const T&, std::string_view>;
  }
}

// The bounds of a whole number: those of its type, or of a Range.
template <class T>
T least_of() {
  return std::numeric_limits<T>::min();
}
template <class T, class Rule, class... Rules>
T least_of([[maybe_unused]] const Rule& rule, const Rules&... rules) {
  if constexpr (is_range<Rule>)
    return static_cast<T>(rule.least);
  else
    return least_of<T>(rules...);
}
template <class T>
T most_of() {
  return std::numeric_limits<T>::max();
}
template <class T, class Rule, class... Rules>
T most_of([[maybe_unused]] const Rule& rule, const Rules&... rules) {
  if constexpr (is_range<Rule>)
    return static_cast<T>(rule.most);
  else
    return most_of<T>(rules...);
}

// How many elements a list may have, by its Count.
template <class... Rules>
constexpr size_t most_elements(const Rules&... rules) {
  size_t most = std::numeric_limits<size_t>::max();
  (
      [&] {
        if constexpr (is_count<Rules>)
          if (rules.most != UINT32_MAX) most = rules.most;
      }(),
      ...);
  return most;
}

inline std::string bounds_text(uint32_t least, uint32_t most, const char* noun) {
  if (most == UINT32_MAX) return std::to_string(least) + " " + noun + " or more";
  if (least == most) return std::to_string(least) + " " + noun;
  return std::to_string(least) + " to " + std::to_string(most) + " " + noun;
}

// Whether a value keeps a rule.
template <class N, class T>
bool keeps(const Range<N>& range, const T& value) {
  // Whole numbers were read within it.
  if constexpr (std::is_floating_point_v<T>)
    return value >= static_cast<T>(range.least) && value <= static_cast<T>(range.most);
  else
    return true;
}
inline bool keeps(const Length& length, std::string_view text) {
  const size_t count = encoding::character_count(text);
  return count >= length.least && count <= length.most;
}
template <class List>
bool keeps(const Count& count, const List& list) {
  return list.size() >= count.least && list.size() <= count.most;
}
template <size_t... N>
bool keeps(const OneOf<N...>& choices, std::string_view text) {
  for (size_t i = 0; i < choices.kCount; ++i)
    if (choices.at(i) == text) return true;
  return false;
}
inline bool keeps(const Format& format, std::string_view text) {
  if (api.parameters == nullptr) throw std::logic_error("this daemon is too old for leat::Format");
  return api.parameters->fits(static_cast<uint32_t>(format), to_str(text)) != 0;
}

inline bool keeps(const ReadyPattern& rule, std::string_view text) {
  if (rule.pattern->made == nullptr) throw std::logic_error("a leat::Pattern without a host");
  return api.parameters->matches(rule.pattern->made, to_str(text)) != 0;
}

// What is told of one that does not.
template <class N, class T>
std::string demand(const Range<N>& range, const T&) {
  const auto text = [](double number) {
    char digits[encoding::kLongestReal];
    return std::string(digits, static_cast<size_t>(encoding::write_real(digits, number) - digits));
  };
  return "must be a number from " + text(static_cast<double>(range.least)) + " to " +
         text(static_cast<double>(range.most));
}
template <class T>
std::string demand(const Length& length, const T&) {
  return "must be a text of " + bounds_text(length.least, length.most, "characters");
}
template <class T>
std::string demand(const Count& count, const T&) {
  return "must have " + bounds_text(count.least, count.most, "elements");
}
template <size_t... N, class T>
std::string demand(const OneOf<N...>& choices, const T&) {
  std::string text = "must be one of ";
  for (size_t i = 0; i < choices.kCount; ++i)
    text += (i == 0 ? "`" : ", `") + std::string(choices.at(i)) + "`";
  return text;
}
template <class T>
std::string demand(const Format& format, const T&) {
  switch (format) {
    case Format::Uuid:
      return "must be a UUID";
    case Format::DateTime:
      return "must be a date and time, such as 2026-02-28T12:00:00Z";
    case Format::Email:
      return "must be an e-mail address";
    case Format::Uri:
      return "must be a URI with its scheme";
  }
  return "must be another text";
}

template <class T>
std::string demand(const ReadyPattern& rule, const T&) {
  return "must be a text that matches `" + std::string(rule.pattern->text) + "`";
}

}  // namespace detail
}  // namespace v1
}  // namespace leat

#endif

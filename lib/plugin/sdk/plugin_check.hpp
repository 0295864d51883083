// Part of plugin.hpp: what a handler's parameters may be, said in a sentence where one is something else.
//
// The mistake is found where handler<>() or stream<>() names the function, and told by LEAT_PLUGIN, in the
// author's file: an assertion within a template comes after all that led to it. The second error, of
// Misfit, names the function.
#ifndef LEAT_PLUGIN_CHECK_HPP
#define LEAT_PLUGIN_CHECK_HPP

#include <concepts>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_call.hpp"
#include "plugin_decode.hpp"
#include "plugin_parameters.hpp"
#include "plugin_request.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace detail {

// As the flags of a handler that is none.
inline constexpr uint32_t kWrongParameter = 1u << 31;
inline constexpr uint32_t kWrongBody = 1u << 30;
inline constexpr uint32_t kWrongOption = 1u << 29;

// What a Decoder reads.
template <class T>
constexpr bool is_decodable() {
  if constexpr (is_optional_member<T> || is_vector<T>) {
    return is_decodable<typename T::value_type>();
  } else if constexpr (is_array<T>) {
    return is_decodable<typename T::value_type>();
  } else if constexpr (std::is_arithmetic_v<T> || std::same_as<T, std::string> ||
                       std::same_as<T, std::string_view>) {
    return true;
  } else {
    return requires(Decoder& decoder, T& value) { leat_decode(decoder, value); };
  }
}

template <class T>
inline constexpr bool is_text_option = std::is_same_v<T, Length> || std::is_same_v<T, Format> || is_one_of<T>;
template <size_t N>
inline constexpr bool is_text_option<Pattern<N>> = true;
template <size_t N>
inline constexpr bool is_text_option<DefaultText<N>> = true;

template <class Value, class Number>
constexpr bool holds(Number number) {
  if constexpr (std::is_same_v<Value, bool> || std::is_same_v<Number, bool>) {
    return std::is_same_v<Value, Number>;
  } else if constexpr (!std::is_arithmetic_v<Value> || !std::is_arithmetic_v<Number>) {
    return false;
  } else if constexpr (std::is_integral_v<Value>) {
    return static_cast<Number>(static_cast<Value>(number)) == number &&
           (static_cast<Value>(number) < Value{}) == (number < Number{});
  } else {
    return number >= std::numeric_limits<Value>::lowest() && number <= std::numeric_limits<Value>::max();
  }
}

// What is wrong with a handler's parameter; 0 for nothing.
template <class A, class T = std::remove_cvref_t<A>>
struct ParameterMistake {
  static constexpr uint32_t kind = [] {
    if constexpr (std::same_as<T, std::string_view>)
      return kWrongParameter;  // a piece of the body is on_body's
    else if constexpr (requires { typename Source<T>::Binding; })
      return std::is_convertible_v<decltype(std::declval<Source<T>&>().pass()), A> ? 0u : kWrongParameter;
    else
      return kWrongParameter;
  }();
};
template <class A, class T>
struct ParameterMistake<A, JsonBody<T>> {
  static constexpr uint32_t kind = !std::is_convertible_v<const JsonBody<T>&, A> ? kWrongParameter
                                   : is_decodable<T>()                           ? 0u
                                                                                 : kWrongBody;
};
template <class A, Where where, class T, Name name, auto... options>
struct ParameterMistake<A, Parameter<where, T, name, options...>> {
  using Value = typename ItemOf<typename Unwrapped<T>::Type>::Type;
  using RangeOption = FindOption<Range, options...>;
  using DefaultOption = FindOption<Default, options...>;

  // Rules of texts are for texts, those of a list for one.
  template <class Option>
  static constexpr bool is_known() {
    constexpr bool kText = std::is_same_v<Value, std::string_view>, kFile = std::is_same_v<Value, File>,
                   kList = is_list<typename Unwrapped<T>::Type>;
    if constexpr (is_old_option<Option>)
      return !kList || is_option<Range, Option>;
    else if constexpr (std::is_same_v<Option, Count>)
      return kList;
    else if constexpr (kFile)
      return std::is_same_v<Option, MaxSize> || is_one_of<Option>;
    else
      return kText && is_text_option<Option>;
  }

  static constexpr bool in_range() {
    if constexpr (!(is_known<std::remove_const_t<decltype(options)>>() && ...)) {
      return false;
    } else {
      if constexpr (RangeOption::exists) {
        constexpr auto range = RangeOption::get();
        if (std::is_same_v<Value, bool> || !holds<Value>(range.least) || !holds<Value>(range.most) ||
            range.least > range.most)
          return false;
      }
      if constexpr (DefaultOption::exists) {
        constexpr auto value = DefaultOption::get().value;
        if constexpr (!holds<Value>(value)) {
          return false;
        } else if constexpr (RangeOption::exists) {
          constexpr auto range = RangeOption::get();
          if (static_cast<Value>(value) < static_cast<Value>(range.least) ||
              static_cast<Value>(value) > static_cast<Value>(range.most))
            return false;
        }
      }
      return true;
    }
  }
  static constexpr uint32_t kind = [] {
    if constexpr (!std::is_convertible_v<const Parameter<where, T, name, options...>&, A> ||
                  !(std::is_arithmetic_v<Value> || std::same_as<Value, std::string_view> ||
                    (std::same_as<Value, File> && where == Where::Multipart)))
      return kWrongParameter;
    else
      return in_range() ? 0u : kWrongOption;
  }();
};
// Another plugin's, or another's Worker, would be a cast of what is none.
template <class A, std::derived_from<PluginTag> T>
struct ParameterMistake<A, T> {
  static constexpr uint32_t kind = std::is_lvalue_reference_v<A> ? 0u : kWrongParameter;
};
template <class A, std::derived_from<PerWorker> T>
struct ParameterMistake<A, T> {
  static constexpr uint32_t kind = std::is_lvalue_reference_v<A> ? 0u : kWrongParameter;
};

template <class Plugin, class A>
constexpr uint32_t mistake_of() {
  using T = std::remove_cvref_t<A>;
  if constexpr (std::derived_from<T, PluginTag>) {
    if (!std::is_base_of_v<T, Plugin>) return kWrongParameter;
  } else if constexpr (std::derived_from<T, PerWorker>) {
    if constexpr (!requires { typename Plugin::Worker; })
      return kWrongParameter;
    else if (!std::is_base_of_v<T, typename Plugin::Worker>)
      return kWrongParameter;
  }
  return ParameterMistake<A>::kind;
}

template <class Plugin, class R, class... A>
constexpr uint32_t mistake(R (*)(A...)) {
  return (mistake_of<Plugin, A>() | ... | 0u);
}
template <class Plugin, class C, class R, class... A>
constexpr uint32_t mistake(R (C::*)(A...)) {
  return (mistake_of<Plugin, A>() | ... | 0u);
}
template <class Plugin, class C, class R, class... A>
constexpr uint32_t mistake(R (C::*)(A...) const) {
  return (mistake_of<Plugin, A>() | ... | 0u);
}

// Looked at last, once the sentence has been said.
template <auto function>
struct Misfit {
  static int32_t handle(const leat_scope*, leat_request*) {
    static_assert(sizeof(Misfit) == 0, "this is the handler whose parameter is wrong");
    return LEAT_ERROR;
  }
};
template <auto function>
constexpr leat_handler misfit(uint32_t mistakes) {
  leat_handler none{};
  none.flags = mistakes;
  none.handle = Misfit<function>::handle;
  return none;
}

template <class Handlers>
constexpr bool is_free_of(uint32_t mistake, const Handlers& handlers) {
  for (const leat_handler& handler : handlers)
    if ((handler.flags & mistake) != 0) return false;
  return true;
}

}  // namespace detail
}  // namespace v1
}  // namespace leat

#define LEAT_CHECK_HANDLERS_(handlers)                                                                       \
  static_assert(                                                                                             \
      leat::detail::is_free_of(leat::detail::kWrongParameter, handlers),                                     \
      "a handler's parameters are leat::Path, Query, Header, Cookie, Form and FormPart (of a number, bool, " \
      "std::string_view or std::optional of one, in a FormPart a leat::File), Body, JsonBody, Request&, "    \
      "Response&, Json&, Session&, the "                                                                     \
      "plugin & and its Worker &");                                                                          \
  static_assert(leat::detail::is_free_of(leat::detail::kWrongBody, handlers),                                \
                "a leat::JsonBody is of a struct declared with LEAT_JSON, a bool, a number, std::string, "   \
                "std::string_view, or std::optional, std::vector or std::array of one");                     \
  static_assert(leat::detail::is_free_of(leat::detail::kWrongOption, handlers),                              \
                "a parameter's options are leat::Range{least, most} and a leat::Default within it, both "    \
                "values of the parameter's own type; of texts leat::Length, Pattern, OneOf, Format and "     \
                "DefaultText; of a leat::File leat::MaxSize and OneOf; of a leat::List its leat::Count");

#endif

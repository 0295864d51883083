// Part of plugin.hpp: JSON, written into the request's memory by the host.
#ifndef LEAT_PLUGIN_JSON_HPP
#define LEAT_PLUGIN_JSON_HPP

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_decode.hpp"
#include "plugin_encode.hpp"
#include "plugin_encode_binary.hpp"
#include "plugin_parameters.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

template <class T>
concept Pair = requires(const T& pair) {
  requires std::convertible_to<decltype((pair.first)), std::string_view>;
  pair.second;
};

}  // namespace detail

// Writes a JSON text into the request's memory. A value can be: nothing (nullptr, nullopt), bool, a number, a
// text, an optional, a parameter, a range of values, a map by texts, members(...), a function that takes
// Json&, a struct with its LEAT_JSON, or anything with a function `to_json(leat::Json&, const T&)` beside it.
class Json {
 public:
  explicit Json(leat_json* json) : json_(json) {}

  // An object of names and values in turn.
  template <class... Pairs>
    requires(sizeof...(Pairs) % 2 == 0)
  Json& object(const Pairs&... pairs) {
    return value(Members<const Pairs&...>{std::tuple<const Pairs&...>(pairs...)});
  }
  template <class... Pairs>
    requires(sizeof...(Pairs) % 2 != 0)
  LEAT_ODD_MEMBERS_ Json& object(const Pairs&... pairs);
  // An array with `write(item)` called for each item: it writes one value.
  template <std::ranges::input_range Items, class Write>
  Json& array(Items&& items, Write&& write) {
    begin_array();
    for (auto&& item : items) write(item);
    return end_array();
  }
  template <std::ranges::input_range Items>
  Json& array(Items&& items) {
    return array(items, [this](const auto& item) { this->value(item); });
  }

  template <class T>
  Json& value(const T& value);

  Json& begin_object() { return event(api().begin_object); }
  Json& end_object() { return event(api().end_object); }
  Json& begin_array() { return event(api().begin_array); }
  Json& end_array() { return event(api().end_array); }
  Json& key(std::string_view name) {
    api().key(json_, to_str(name));
    return *this;
  }
  // One value that is JSON already.
  Json& raw(std::string_view text) {
    api().raw(json_, to_str(text));
    return *this;
  }
  [[nodiscard]] leat_json* handle() const { return json_; }

 private:
  static const leat_json_v1& api() { return *detail::api.json; }
  Json& event(void (*call)(leat_json*)) {
    call(json_);
    return *this;
  }
  // Writes a value whole. False: it has to be by events.
  template <class T>
  bool write_whole(const T& value) {
    char* end = nullptr;
    // Events find out whether it has them all.
    if (api().levels_left(json_) < uint32_t{detail::levels<T>()}) return false;
    if (char* const at = api().begin_text(json_, Encoder::bound(value), &end)) {
      encode<Encoder>(at, end, value);
      return true;
    }
    // A daemon that has no other form has no word for it.
    if constexpr (detail::has_counts<T>()) {
      if (api().struct_size <= offsetof(leat_json_v1, begin_bytes)) return false;
      const uint32_t form = api().form(json_);
      char* const at =
          form == LEAT_JSON_AS_TEXT ? nullptr : api().begin_bytes(json_, Encoder::bound(value), &end);
      if (at == nullptr) return false;
      if (form == LEAT_JSON_AS_CBOR)
        encode<BinaryEncoder<encoding::Cbor>>(at, end, value);
      else
        encode<BinaryEncoder<encoding::MessagePack>>(at, end, value);
      return true;
    }
    return false;
  }
  // Into memory that the host has lent.
  template <class Encode, class T>
  void encode(char* at, char* end, const T& value) {
    const auto grow = [](void* json, char*& to, char*& until, size_t size) {
      to = api().more_room(static_cast<leat_json*>(json), to, size, &until);
      return to != nullptr;
    };
    int32_t problem = 0;
    try {
      Encode encoder(at, end, grow, json_);
      encoder.value(value);
      at = encoder.end();
    } catch (const Encoder::Problem why) {
      at = nullptr;
      problem = static_cast<int32_t>(why);
    }
    api().end_text(json_, at, problem);
  }
  template <class Tuple, size_t... I>
  void write_members(const Tuple& pairs, std::index_sequence<I...>) {
    begin_object();
    (key(std::get<2 * I>(pairs)).value(std::get<2 * I + 1>(pairs)), ...);
    end_object();
  }

  leat_json* json_;
};

template <class T>
Json& Json::value(const T& value) {
  // A single number or text is one event.
  if constexpr (Encodable<T> && detail::levels<T>() > 0)
    if (write_whole(value)) return *this;
  if constexpr (detail::JsonStruct<T> || detail::HasToJson<T>) {
    to_json(*this, value);
  } else if constexpr (detail::is_parameter<T>) {
    this->value(value.value);
  } else if constexpr (detail::is_members<T>) {
    write_members(value.pairs, std::make_index_sequence<std::tuple_size_v<decltype(value.pairs)> / 2>());
  } else if constexpr (detail::is_null<T>) {
    api().null(json_);
  } else if constexpr (std::is_same_v<T, bool>) {
    api().boolean(json_, value ? 1 : 0);
  } else if constexpr (std::signed_integral<T>) {
    api().integer(json_, value);
  } else if constexpr (std::unsigned_integral<T>) {
    api().unsigned_integer(json_, value);
  } else if constexpr (std::floating_point<T>) {
    api().real(json_, value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    api().string(json_, to_str(value));
  } else if constexpr (detail::is_optional_value<T>) {
    if (value)
      this->value(*value);
    else
      api().null(json_);
  } else if constexpr (std::invocable<const T&, Json&>) {
    value(*this);
  } else {
    static_assert(std::ranges::input_range<const T>,
                  "not a value that JSON can show: declare it with LEAT_JSON, or write a to_json");
    if constexpr (detail::Pair<std::ranges::range_value_t<const T>>) {
      begin_object();
      for (const auto& [name, member] : value) key(name).value(member);
      end_object();
    } else {
      array(value);
    }
  }
  return *this;
}

namespace detail {

// The members that every problem may have (RFC 9457, section 3.1), and the host's own.
constexpr bool is_problem_member(std::string_view name) {
  for (const std::string_view taken : {"type", "title", "status", "detail", "instance", "request_id"})
    if (name == taken) return true;
  return false;
}

// A value as JSON text behind what `text` holds.
template <Encodable T>
void append_json(std::string& text, const T& value) {
  const size_t before = text.size();
  text.resize(before + Encoder::bound(value));
  const auto grow = [](void* owner, char*& at, char*& end, size_t size) {
    auto& whole = *static_cast<std::string*>(owner);
    const auto used = static_cast<size_t>(at - whole.data());
    whole.resize(used + size);
    at = whole.data() + used;
    end = whole.data() + whole.size();
    return true;
  };
  Encoder encoder(text.data() + before, text.data() + text.size(), grow, &text);
  encoder.value(value);
  text.resize(static_cast<size_t>(encoder.end() - text.data()));
}

}  // namespace detail

template <class T>
Problem& Problem::with(std::string_view name, const T& value) & {
  if (name.empty() || detail::is_problem_member(name))
    throw std::logic_error("a problem has that member already, or the name is empty");
  std::string added;
  detail::append_json(added, name);
  added += ':';
  try {
    detail::append_json(added, value);
  } catch (const Encoder::Problem) {
    throw std::logic_error("a member of a problem that is no finite number");
  }
  if (!members.empty()) members += ',';
  members += added;
  return *this;
}

}  // namespace v1
}  // namespace leat

// Says which members of a struct are its JSON, in that order, by their own names; beside the struct, in its
// namespace, once: LEAT_JSON(User, id, name, tags). The members, 80 at most, are values as above, structs
// among them. One that has rules stands with them in parentheses: LEAT_JSON(User, id, (name, leat::Length{1, 40})).
// They are asked of bodies (JsonBody), not of answers.
#define LEAT_JSON(Type, ...)                                                                               \
  [[maybe_unused]] inline void to_json(::leat::Json& leat_text, const Type& leat_value) {                  \
    leat_text.begin_object();                                                                              \
    LEAT_EACH_(LEAT_JSON_MEMBER_, __VA_ARGS__)                                                             \
    leat_text.end_object();                                                                                \
  }                                                                                                        \
  template <class LeatWithin>                                                                              \
  constexpr int leat_levels(std::type_identity<Type>, LeatWithin) {                                        \
    using LeatType = Type;                                                                                 \
    using LeatAll = typename LeatWithin::template With<LeatType>;                                          \
    return ::leat::detail::enclose({LEAT_EACH_(LEAT_JSON_LEVELS_, __VA_ARGS__)});                          \
  }                                                                                                        \
  [[maybe_unused]] constexpr bool leat_has_counts(std::type_identity<Type>) {                              \
    using LeatType = Type;                                                                                 \
    return true LEAT_EACH_(LEAT_JSON_COUNTED_, __VA_ARGS__);                                               \
  }                                                                                                        \
  [[maybe_unused]] inline size_t leat_bound(const Type& leat_value) {                                      \
    (void)leat_value;                                                                                      \
    return 2 LEAT_EACH_(LEAT_JSON_BOUND_, __VA_ARGS__);                                                    \
  }                                                                                                        \
  template <class LeatEncoder, class LeatPlace>                                                            \
  LeatPlace leat_encode(LeatEncoder& leat_text, LeatPlace leat_at, const Type& leat_value) {               \
    leat_at = leat_text.open(leat_at,                                                                      \
                             std::integral_constant<size_t, 0 LEAT_EACH_(LEAT_JSON_ONE_, __VA_ARGS__)>()); \
    LEAT_EACH_(LEAT_JSON_ENCODE_, __VA_ARGS__)                                                             \
    return leat_text.close(leat_at);                                                                       \
  }                                                                                                        \
  template <class LeatDecoder>                                                                             \
  void leat_decode(LeatDecoder& leat_text, Type& leat_value) {                                             \
    [[maybe_unused]] static constexpr std::string_view leat_struct = #Type;                                \
    const auto leat_seen = leat_text.object([&](std::string_view leat_name, auto& leat_all) {              \
      size_t leat_number = 0;                                                                              \
      LEAT_EACH_(LEAT_JSON_DECODE_, __VA_ARGS__)                                                           \
      (void)leat_number;                                                                                   \
      return false;                                                                                        \
    });                                                                                                    \
    size_t leat_number = 0;                                                                                \
    LEAT_EACH_(LEAT_JSON_NEED_, __VA_ARGS__)                                                               \
  }                                                                                                        \
  template <class LeatSchema>                                                                              \
  void leat_describe(LeatSchema& leat_schema, std::type_identity<Type>) {                                  \
    using LeatType = Type;                                                                                 \
    LEAT_EACH_(LEAT_JSON_DESCRIBE_, __VA_ARGS__)                                                           \
  }                                                                                                        \
  static_assert(true)  // takes the semicolon
#define LEAT_JSON_MEMBER_(member) LEAT_JSON_MEMBER_1_(LEAT_FIELD_(member))
#define LEAT_JSON_MEMBER_1_(field) LEAT_JSON_MEMBER_2_(field)
#define LEAT_JSON_MEMBER_2_(field) leat_text.key(#field).value(leat_value.field);
#define LEAT_JSON_LEVELS_(member) \
  ::leat::detail::levels<std::remove_cvref_t<decltype(LeatType::LEAT_FIELD_(member))>, LeatAll>(),
#define LEAT_JSON_ONE_(member) +1
#define LEAT_JSON_COUNTED_(member) \
  &&::leat::detail::has_counts<std::remove_cvref_t<decltype(LeatType::LEAT_FIELD_(member))>>()
// Its name between quotes, a colon and a comma.
#define LEAT_JSON_BOUND_(member) LEAT_JSON_BOUND_1_(LEAT_FIELD_(member))
#define LEAT_JSON_BOUND_1_(field) LEAT_JSON_BOUND_2_(field)
#define LEAT_JSON_BOUND_2_(field) +sizeof(#field) + 3 + ::leat::Encoder::bound(leat_value.field)
#define LEAT_JSON_DECODE_(member) LEAT_JSON_DECODE_1_(LEAT_FIELD_(member), LEAT_RULES_OF_(member))
#define LEAT_JSON_DECODE_1_(...) LEAT_JSON_DECODE_2_(__VA_ARGS__)
#define LEAT_JSON_DECODE_2_(field, ...)                                                               \
  if (leat_name == #field) {                                                                          \
    __VA_OPT__(struct LeatRules {                                                           \
      /* Its type is said for clang 16. */                                                  \
      static constexpr decltype(std::make_tuple(__VA_ARGS__)) rules() {                     \
        return std::make_tuple(__VA_ARGS__);                                                          \
  }                                                                                                   \
  static constexpr std::string_view owner() { return leat_struct; }                                   \
  static constexpr std::string_view member() { return #field; }                                       \
  }                                                                                                   \
  ;)                                                                                     \
    leat_text.member(leat_all, leat_number, leat_value.field __VA_OPT__(, ) __VA_OPT__(LeatRules())); \
  return true;                                                                                        \
  }                                                                                                   \
  ++leat_number;
#define LEAT_JSON_NEED_(member) LEAT_JSON_NEED_1_(LEAT_FIELD_(member))
#define LEAT_JSON_NEED_1_(field) LEAT_JSON_NEED_2_(field)
#define LEAT_JSON_NEED_2_(field) leat_text.need(leat_seen, leat_number++, #field, leat_value.field);
#define LEAT_JSON_ENCODE_(member) LEAT_JSON_ENCODE_1_(LEAT_FIELD_(member))
#define LEAT_JSON_ENCODE_1_(field) LEAT_JSON_ENCODE_2_(field)
#define LEAT_JSON_ENCODE_2_(field) leat_at = leat_text.member(leat_at, "\"" #field "\":", leat_value.field);
#define LEAT_JSON_DESCRIBE_(member) LEAT_JSON_DESCRIBE_1_(LEAT_FIELD_(member), LEAT_RULES_OF_(member))
#define LEAT_JSON_DESCRIBE_1_(...) LEAT_JSON_DESCRIBE_2_(__VA_ARGS__)
#define LEAT_JSON_DESCRIBE_2_(field, ...)                                                           \
  leat_schema.template member<std::remove_cvref_t<decltype(LeatType::field)>>(#field __VA_OPT__(, ) \
                                                                                  __VA_ARGS__);

// Of `name` and of `(name, rules...)`: the name, and the rules.
#define LEAT_FIELD_(member) LEAT_PASTE_(LEAT_FIELD_OF_, LEAT_HAS_RULES_(member))(member)
#define LEAT_FIELD_OF_0(member) member
#define LEAT_FIELD_OF_1(member) LEAT_FIRST_ member
#define LEAT_FIRST_(first, ...) first
#define LEAT_RULES_OF_(member) LEAT_PASTE_(LEAT_RULES_OF_, LEAT_HAS_RULES_(member))(member)
#define LEAT_RULES_OF_0(member)
#define LEAT_RULES_OF_1(member) LEAT_REST_ member
#define LEAT_REST_(first, ...) __VA_ARGS__
#define LEAT_HAS_RULES_(member) LEAT_SECOND_(LEAT_TWO_ member, 0, )
#define LEAT_TWO_(...) ~, 1
#define LEAT_SECOND_(...) LEAT_SECOND_1_(__VA_ARGS__)
#define LEAT_SECOND_1_(first, second, ...) second
#define LEAT_PASTE_(a, b) LEAT_PASTE_1_(a, b)
#define LEAT_PASTE_1_(a, b) a##b

// macro(x) for each x. Each of the 85 scans of LEAT_SCAN_ does one more.
#define LEAT_EACH_(macro, ...) __VA_OPT__(LEAT_SCAN_(LEAT_EACH_STEP_(macro, __VA_ARGS__)))
#define LEAT_EACH_STEP_(macro, first, ...) \
  macro(first) __VA_OPT__(LEAT_EACH_NEXT_ LEAT_CALL_(macro, __VA_ARGS__))
#define LEAT_EACH_NEXT_() LEAT_EACH_STEP_
#define LEAT_CALL_ ()
#define LEAT_SCAN_(...) LEAT_SCAN_3_(LEAT_SCAN_3_(LEAT_SCAN_3_(LEAT_SCAN_3_(__VA_ARGS__))))
#define LEAT_SCAN_3_(...) LEAT_SCAN_2_(LEAT_SCAN_2_(LEAT_SCAN_2_(LEAT_SCAN_2_(__VA_ARGS__))))
#define LEAT_SCAN_2_(...) LEAT_SCAN_1_(LEAT_SCAN_1_(LEAT_SCAN_1_(LEAT_SCAN_1_(__VA_ARGS__))))
#define LEAT_SCAN_1_(...) __VA_ARGS__

#endif

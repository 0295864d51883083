// Structs as JSON, without events: what LEAT_JSON declares becomes code that writes the whole text, and so
// does what members() names.
//
// A struct's names are literals with their quotes, colons and commas, joined when the plugin is compiled. How
// long its text can be is known before it is written, but for what its ranges and long strings hold, so that
// one look at the room left serves all its members. No tree, no heap, no call for each value.
//
// The text is the same, byte for byte, as that of events (plugin_json.hpp). Values that are neither these nor
// structs of these are written by events, with all around them. So are structs that hold more of themselves:
// how deep they go shows only as they are written, and the host counts that.
#ifndef LEAT_PLUGIN_ENCODE_HPP
#define LEAT_PLUGIN_ENCODE_HPP

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <ranges>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "plugin_parameters.hpp"
#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

class Json;

// Members of an object inside another one: json.object("user", leat::members("id", 1)).
template <class... Pairs>
struct Members {
  std::tuple<Pairs...> pairs;
};
template <class... Pairs>
  requires(sizeof...(Pairs) % 2 == 0)
Members<Pairs&&...> members(Pairs&&... pairs) {
  return {std::tuple<Pairs&&...>(std::forward<Pairs>(pairs)...)};
}

// Told at the line of whoever calls it, which an assertion in here would not be.
#define LEAT_ODD_MEMBERS_ \
  __attribute__((         \
      unavailable("a JSON object is names and values in turn, and here the last name has no value")))
template <class... Pairs>
  requires(sizeof...(Pairs) % 2 != 0)
LEAT_ODD_MEMBERS_ Members<Pairs&&...> members(Pairs&&... pairs);

namespace detail {

template <class T>
inline constexpr bool is_members = false;
template <class... Pairs>
inline constexpr bool is_members<Members<Pairs...>> = true;
template <class T>
inline constexpr bool is_parameter = false;
template <Where where, class T, Name name, auto... options>
inline constexpr bool is_parameter<Parameter<where, T, name, options...>> = true;

// Types that hold the one that is looked at.
template <class... T>
struct Holders {
  template <class U>
  static constexpr bool has = (std::is_same_v<T, U> || ...);
  template <class U>
  using With = Holders<T..., U>;
};

// Of exactly this type, since one derived from it may say something else.
template <class T>
concept JsonStruct = requires {
  { leat_levels(std::type_identity<T>(), Holders<>()) } -> std::same_as<int>;
};

template <class T>
concept HasToJson = requires(Json& json, const T& value) { to_json(json, value); };

template <class T>
inline constexpr bool is_optional_value = false;
template <class T>
inline constexpr bool is_optional_value<std::optional<T>> = true;
template <class T>
inline constexpr bool is_null = std::is_same_v<T, std::nullptr_t> || std::is_same_v<T, std::nullopt_t>;

// Not for an Encoder: it has a to_json of its own, or holds more of itself, or what Json alone knows.
inline constexpr int kByEvents = -1;

// How many containers can be open in each other while the members are written, with that around them.
constexpr int enclose(std::initializer_list<int> members) {
  int most = 0;
  for (const int member : members) {
    if (member == kByEvents) return kByEvents;
    most = member > most ? member : most;
  }
  return most + 1;
}

// The same for a value, kByEvents for one that is not for an Encoder.
template <class T, class Within = Holders<>>
constexpr int levels() {
  if constexpr (Within::template has<T>) {
    return kByEvents;
  } else if constexpr (JsonStruct<T>) {
    return leat_levels(std::type_identity<T>(), Within());
  } else if constexpr (is_members<T>) {
    using Pairs = decltype(T::pairs);
    return []<size_t... I>(std::index_sequence<I...>) {
      return enclose({levels<std::remove_cvref_t<std::tuple_element_t<2 * I + 1, Pairs>>, Within>()...});
    }(std::make_index_sequence<std::tuple_size_v<Pairs> / 2>());
  } else if constexpr (is_parameter<T>) {
    return levels<std::remove_cvref_t<decltype(T::value)>, Within>();
  } else if constexpr (HasToJson<T> || std::is_same_v<T, long double>) {
    return kByEvents;
  } else if constexpr (is_null<T> || std::is_arithmetic_v<T> ||
                       std::convertible_to<const T&, std::string_view>) {
    return 0;
  } else if constexpr (is_optional_value<T>) {
    return levels<typename T::value_type, Within>();
  } else if constexpr (std::ranges::input_range<const T>) {
    return enclose({levels<std::remove_cvref_t<std::ranges::range_reference_t<const T>>, Within>()});
  } else {
    return kByEvents;
  }
}

}  // namespace detail

// A value that an Encoder can write.
template <class T>
concept Encodable = (detail::levels<T>() != detail::kByEvents);

// Writes one value into memory that its owner lends and enlarges.
class Encoder {
 public:
  // The numbers are those of LEAT_JSON_NO_MEMORY and LEAT_JSON_NOT_FINITE.
  enum class Problem : int32_t { Memory = 0, NotFinite = 2 };

  // Makes room for `size` bytes at `at`, and moves `at` and `end` there. False: there is none to be had.
  using Grow = bool (*)(void* owner, char*& at, char*& end, size_t size);

  Encoder(char* at, char* end, Grow grow, void* owner) : at_(at), end_(end), grow_(grow), owner_(owner) {}

  // Throws a Problem, with nothing of worth written.
  template <Encodable T>
  void value(const T& value) {
    const size_t most = bound(value);
    char* const at = need(at_, most);
    owed_ += most;
    at_ = put(at, value);
    owed_ -= most;
  }
  [[nodiscard]] char* end() const { return at_; }

  // --- For LEAT_JSON. The place to write at is handed on from one to the next, not kept here: text that is
  // written could change what lies in memory, as far as a compiler can tell.

  static char* open(char* at, auto) {
    *at = '{';
    return at + 1;
  }
  // In place of the comma after the last member.
  static char* close(char* at) {
    at[-1] = '}';
    return at;
  }
  // `name` is `"name":`.
  template <size_t N, class T>
  char* member(char* at, const char (&name)[N], const T& value) {
    std::memcpy(at, name, N - 1);
    at = put(at + N - 1, value);
    *at = ',';
    return at + 1;
  }
  // The most that put() writes without asking for room itself.
  template <class T>
  static size_t bound(const T& value) {
    if constexpr (detail::JsonStruct<T>) {
      return leat_bound(value);
    } else if constexpr (detail::is_members<T>) {
      return std::apply(
          [](const auto&... each) { return 2 + (sizeof...(each)) + (size_t{0} + ... + bound(each)); },
          value.pairs);
    } else if constexpr (detail::is_parameter<T>) {
      return bound(value.value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return encoding::kLongestReal;
    } else if constexpr (std::is_arithmetic_v<T> || detail::is_null<T>) {
      return encoding::kLongestInteger;
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      const size_t size = std::string_view(value).size();
      return 2 + (size <= kPiece ? size * encoding::kMostEscaped : 0);
    } else if constexpr (detail::is_optional_value<T>) {
      return value ? bound(*value) : 4;
    } else {
      return 2;
    }
  }

  // Longer strings are written in pieces of so many bytes.
  static constexpr size_t kPiece = 256;

 private:
  // Room at `at` for `size` bytes, and what was promised to the structs that this is a part of.
  char* need(char* at, size_t size) {
    if (static_cast<size_t>(end_ - at) >= size + owed_) [[likely]]
      return at;
    if (!grow_(owner_, at, end_, size + owed_)) throw Problem::Memory;
    return at;
  }

  char* put_string(char* at, std::string_view string) {
    *at++ = '"';
    at = string.size() > kPiece ? put_long(at, string) : encoding::write_escaped(at, string);
    *at = '"';
    return at + 1;
  }
  [[gnu::noinline]] char* put_long(char* at, std::string_view string) {
    while (!string.empty()) {
      const size_t size = string.size() <= kPiece ? string.size() : encoding::piece_of(string, kPiece);
      at = encoding::write_escaped(need(at, size * encoding::kMostEscaped), string.substr(0, size));
      string.remove_prefix(size);
    }
    return at;
  }

  template <class T>
  char* put(char* at, const T& value) {
    if constexpr (detail::JsonStruct<T>) {
      return leat_encode(*this, at, value);
    } else if constexpr (detail::is_members<T>) {
      return put_members(at, value.pairs,
                         std::make_index_sequence<std::tuple_size_v<decltype(T::pairs)> / 2>());
    } else if constexpr (detail::is_parameter<T>) {
      return put(at, value.value);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::memcpy(at, value ? "true " : "false", 5);
      return at + (value ? 4 : 5);
    } else if constexpr (std::is_integral_v<T>) {
      return encoding::write_integer(at, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) [[unlikely]]
        throw Problem::NotFinite;
      return encoding::write_real(at, value);
    } else if constexpr (detail::is_null<T>) {
      return put_null(at);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      return put_string(at, value);
    } else if constexpr (detail::is_optional_value<T>) {
      return value ? put(at, *value) : put_null(at);
    } else {
      return put_range(at, value);
    }
  }
  static char* put_null(char* at) {
    std::memcpy(at, "null", 4);
    return at + 4;
  }
  template <class Pairs, size_t... I>
  char* put_members(char* at, const Pairs& pairs, std::index_sequence<I...>) {
    *at++ = '{';
    [[maybe_unused]] const auto put_member = [&](std::string_view name, const auto& value) {
      at = put_string(at, name);
      *at = ':';
      at = put(at + 1, value);
      *at++ = ',';
    };
    (put_member(std::get<2 * I>(pairs), std::get<2 * I + 1>(pairs)), ...);
    if constexpr (sizeof...(I) == 0)
      *at++ = '}';
    else
      at[-1] = '}';
    return at;
  }
  template <class T>
  char* put_element(char* at, const T& value) {
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      return encoding::write_element(at, value);
    } else {
      at = put(at, value);
      *at = ',';
      return at + 1;
    }
  }
  template <class Range>
  char* put_range(char* at, const Range& range) {
    using Item = std::remove_cvref_t<std::ranges::range_reference_t<const Range>>;
    *at++ = '[';
    bool any = false;
    if constexpr (std::is_arithmetic_v<Item> && std::ranges::sized_range<const Range>) {
      // In runs, since few numbers are as long as they could be.
      constexpr size_t kRun = 64;
      constexpr size_t kMost =
          (std::is_integral_v<Item> ? encoding::kLongestInteger : encoding::kLongestReal) + 1;
      auto each = std::ranges::begin(range);
      size_t left = std::ranges::size(range);
      any = left != 0;
      while (left != 0) {
        size_t run = left < kRun ? left : kRun;
        left -= run;
        at = need(at, run * kMost);
        for (; run != 0; --run, ++each) at = put_element(at, Item(*each));
      }
    } else {
      for (const Item& item : range) {
        const size_t most = bound(item) + 1;
        at = need(at, most);
        owed_ += most;
        at = put_element(at, item);
        owed_ -= most;
        any = true;
      }
    }
    if (any) {
      at[-1] = ']';
      return at;
    }
    *at = ']';
    return at + 1;
  }

  char* at_;
  char* end_;
  size_t owed_ = 0;
  Grow grow_;
  void* owner_;
};

}  // namespace v1
}  // namespace leat

#endif

// Structs as JSON, without events: what LEAT_JSON declares becomes code that writes the whole text.
//
// Names are literals with their quotes, colons and commas, joined when the plugin is compiled. How long a
// struct's text can be is known before it is written, but for what its ranges and long strings hold, so that
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
#include <type_traits>

#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

class Json;

namespace detail {

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
  } else if constexpr (HasToJson<T> || std::is_same_v<T, long double>) {
    return kByEvents;
  } else if constexpr (std::is_same_v<T, std::nullptr_t> || std::is_arithmetic_v<T> ||
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
  enum class Problem : int32_t { Memory, NotUtf8, NotFinite };

  // Makes room for `size` bytes at `at`, and moves `at` and `end` there. False: there is none to be had.
  using Grow = bool (*)(void* owner, char*& at, char*& end, size_t size);

  Encoder(char* at, char* end, Grow grow, void* owner) : at_(at), end_(end), grow_(grow), owner_(owner) {}

  // Throws a Problem, with nothing of worth written.
  template <Encodable T>
  void value(const T& value) {
    const size_t most = bound(value);
    need(most);
    owed_ += most;
    put(value);
    owed_ -= most;
  }
  [[nodiscard]] char* end() const { return at_; }

  // --- For LEAT_JSON.

  void open() { *at_++ = '{'; }
  // In place of the comma after the last member.
  void close() { at_[-1] = '}'; }
  // `name` is `"name":`.
  template <size_t N, class T>
  void member(const char (&name)[N], const T& value) {
    std::memcpy(at_, name, N - 1);
    at_ += N - 1;
    put(value);
    *at_++ = ',';
  }
  // The most that put() writes without asking for room itself.
  template <class T>
  static size_t bound(const T& value) {
    if constexpr (detail::JsonStruct<T>) {
      return leat_bound(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      return encoding::kLongestReal;
    } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::nullptr_t>) {
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

 private:
  // Longer strings are written in pieces of so many bytes.
  static constexpr size_t kPiece = 256;

  // `size` bytes, and what was promised to the structs that this is a part of.
  void need(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size + owed_) [[unlikely]] {
      if (!grow_(owner_, at_, end_, size + owed_)) throw Problem::Memory;
    }
  }

  void put_string(std::string_view string) {
    *at_++ = '"';
    if (string.size() > kPiece) {
      put_long(string);
    } else {
      at_ = encoding::write_escaped(at_, string);
      if (at_ == nullptr) [[unlikely]]
        throw Problem::NotUtf8;
    }
    *at_++ = '"';
  }
  [[gnu::noinline]] void put_long(std::string_view string) {
    while (!string.empty()) {
      size_t size = string.size() < kPiece ? string.size() : kPiece;
      // Not in the midst of a character.
      while (size < string.size() && size > kPiece - 4 && (string[size] & 0xc0) == 0x80) --size;
      need(size * encoding::kMostEscaped);
      at_ = encoding::write_escaped(at_, string.substr(0, size));
      if (at_ == nullptr) throw Problem::NotUtf8;
      string.remove_prefix(size);
    }
  }

  template <class T>
  void put(const T& value) {
    if constexpr (detail::JsonStruct<T>) {
      leat_encode(*this, value);
    } else if constexpr (std::is_same_v<T, bool>) {
      std::memcpy(at_, value ? "true " : "false", 5);
      at_ += value ? 4 : 5;
    } else if constexpr (std::is_integral_v<T>) {
      at_ = encoding::write_integer(at_, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) [[unlikely]]
        throw Problem::NotFinite;
      at_ = encoding::write_real(at_, value);
    } else if constexpr (std::is_same_v<T, std::nullptr_t>) {
      put_null();
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      put_string(value);
    } else if constexpr (detail::is_optional_value<T>) {
      if (value)
        put(*value);
      else
        put_null();
    } else {
      put_range(value);
    }
  }
  void put_null() {
    std::memcpy(at_, "null", 4);
    at_ += 4;
  }
  template <class Range>
  void put_range(const Range& range) {
    using Item = std::remove_cvref_t<std::ranges::range_reference_t<const Range>>;
    *at_++ = '[';
    bool any = false;
    if constexpr (std::is_arithmetic_v<Item> && std::ranges::sized_range<const Range>) {
      need(std::ranges::size(range) * (encoding::kLongestReal + 1));
      for (const Item item : range) {
        put(item);
        *at_++ = ',';
        any = true;
      }
    } else {
      for (const Item& item : range) {
        const size_t most = bound(item) + 1;
        need(most);
        owed_ += most;
        put(item);
        owed_ -= most;
        *at_++ = ',';
        any = true;
      }
    }
    if (any)
      at_[-1] = ']';
    else
      *at_++ = ']';
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

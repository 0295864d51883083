// Structs as CBOR and MessagePack, without events, as plugin_encode.hpp writes them as JSON: for clients that ask for it, of
// whom the host knows. The bytes are those of events.
#ifndef LEAT_PLUGIN_ENCODE_BINARY_HPP
#define LEAT_PLUGIN_ENCODE_BINARY_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ranges>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include "plugin_binary.hpp"
#include "plugin_encode.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

// Code is encoding::Cbor or encoding::MessagePack. Of a range it must be known how many it has, before.
template <class Code>
class BinaryEncoder {
 public:
  using Problem = Encoder::Problem;

  BinaryEncoder(char* at, char* end, Encoder::Grow grow, void* owner)
      : at_(at), end_(end), grow_(grow), owner_(owner) {}

  // Throws a Problem, with nothing of worth written.
  template <Encodable T>
  void value(const T& value) {
    const size_t most = Encoder::bound(value);
    char* const at = need(at_, most);
    owed_ += most;
    at_ = put(at, value);
    owed_ -= most;
  }
  [[nodiscard]] char* end() const { return at_; }

  // --- For LEAT_JSON.

  template <size_t count>
  static char* open(char* at, std::integral_constant<size_t, count>) {
    return Code::object(at, count);
  }
  static char* close(char* at) { return at; }
  // `name` is `"name":`. What JSON has around it is room enough for its head.
  template <size_t N, class T>
  char* member(char* at, const char (&name)[N], const T& value) {
    constexpr size_t kSize = N - 4;
    if constexpr (kSize < Code::kShortText)
      *at++ = static_cast<char>(Code::short_text(kSize));
    else
      at = Code::text(at, kSize);
    std::memcpy(at, name + 1, kSize);
    return put(at + kSize, value);
  }

 private:
  // Room at `at` for `size` bytes, and what was promised to the structs that this is a part of.
  char* need(char* at, size_t size) { return need_all(at, size + owed_); }
  char* need_all(char* at, size_t size) {
    if (static_cast<size_t>(end_ - at) >= size) [[likely]]
      return at;
    if (!grow_(owner_, at, end_, size)) throw Problem::Memory;
    return at;
  }

  // No value takes more than Encoder::bound(), but for what asks for room itself.
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
      return put_byte(at, value ? Code::kTrue : Code::kFalse);
    } else if constexpr (std::is_integral_v<T>) {
      return encoding::write_integer_as<Code>(at, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(value)) [[unlikely]]
        throw Problem::NotFinite;
      return Code::real(at, value);
    } else if constexpr (detail::is_null<T>) {
      return put_byte(at, Code::kNull);
    } else if constexpr (std::convertible_to<const T&, std::string_view>) {
      return put_text(at, value);
    } else if constexpr (detail::is_optional_value<T>) {
      return value ? put(at, *value) : put_byte(at, Code::kNull);
    } else {
      return put_range(at, value);
    }
  }
  static char* put_byte(char* at, unsigned byte) {
    *at = static_cast<char>(byte);
    return at + 1;
  }
  char* put_text(char* at, std::string_view text) {
    // What JSON's bound is for the shorter ones is room enough.
    if (text.size() > Encoder::kPiece || text.size() < 3)
      at = need(at, encoding::kMostHead + 3 * text.size());
    return encoding::write_text_as<Code>(at, text);
  }
  template <class Pairs, size_t... I>
  char* put_members(char* at, const Pairs& pairs, std::index_sequence<I...>) {
    at = Code::object(need(at, encoding::kMostHead), sizeof...(I));
    [[maybe_unused]] const auto put_member = [&](std::string_view name, const auto& value) {
      at = put(put_text(at, name), value);
    };
    (put_member(std::get<2 * I>(pairs), std::get<2 * I + 1>(pairs)), ...);
    return at;
  }
  template <class Range>
  char* put_range(char* at, const Range& range) {
    using Item = std::remove_cvref_t<std::ranges::range_reference_t<const Range>>;
    const size_t count = static_cast<size_t>(std::ranges::distance(range));
    at = Code::array(need(at, encoding::kMostHead), count);
    if constexpr (std::is_arithmetic_v<Item>) {
      // In runs, since few numbers are as long as they could be.
      constexpr size_t kRun = 128;
      auto each = std::ranges::begin(range);
      for (size_t left = count; left != 0;) {
        size_t run = left < kRun ? left : kRun;
        left -= run;
        at = need(at, run * encoding::kMostHead);
        for (; run != 0; --run, ++each) at = put(at, Item(*each));
      }
    } else {
      const size_t owed = owed_;
      for (const Item& item : range) {
        owed_ = owed + Encoder::bound(item);
        at = put(need_all(at, owed_), item);
      }
      owed_ = owed;
    }
    return at;
  }

  char* at_;
  char* end_;
  size_t owed_ = 0;
  Encoder::Grow grow_;
  void* owner_;
};

namespace detail {

// Whether a value can be written so: each range in it can be gone through twice, since its length is told before.
template <class T>
constexpr bool has_counts() {
  if constexpr (is_members<T>) {
    return []<size_t... I>(std::index_sequence<I...>) {
      return (has_counts<std::remove_cvref_t<std::tuple_element_t<2 * I + 1, decltype(T::pairs)>>>() && ...);
    }(std::make_index_sequence<std::tuple_size_v<decltype(T::pairs)> / 2>());
  } else if constexpr (is_parameter<T>) {
    return has_counts<std::remove_cvref_t<decltype(T::value)>>();
  } else if constexpr (JsonStruct<T>) {
    return leat_has_counts(std::type_identity<T>());
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return true;
  } else if constexpr (is_optional_value<T>) {
    return has_counts<typename T::value_type>();
  } else if constexpr (std::ranges::input_range<const T>) {
    if constexpr (!std::ranges::forward_range<const T> && !std::ranges::sized_range<const T>)
      return false;
    else
      return has_counts<std::remove_cvref_t<std::ranges::range_reference_t<const T>>>();
  } else {
    return true;
  }
}

}  // namespace detail

}  // namespace v1
}  // namespace leat

#endif

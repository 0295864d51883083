// Values as CBOR (RFC 8949) and MessagePack, into memory whose room the caller has seen to.
//
// The one place that says how they look, for the daemon's writer as for the encoder of plugins' structs
// (plugin_encode_binary.hpp). Integers and heads are as short as they can be. Real numbers are singles where those are the
// same, and never whole ones, so that a reader sees what they are. Rejected: halves for CBOR, as RFC 8949, section 4.1,
// prefers: they are a few percent of the bytes, and more of the time.
#ifndef LEAT_PLUGIN_BINARY_HPP
#define LEAT_PLUGIN_BINARY_HPP

#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>

#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace encoding {

namespace detail {

// The bytes of a number, the most significant first, behind a head.
template <std::unsigned_integral T>
char* put_big(char* at, unsigned head, T number) {
  *at = static_cast<char>(head);
  if constexpr (std::endian::native == std::endian::little) {
    if constexpr (sizeof(T) == 2) number = __builtin_bswap16(number);
    if constexpr (sizeof(T) == 4) number = __builtin_bswap32(number);
    if constexpr (sizeof(T) == 8) number = __builtin_bswap64(number);
  }
  std::memcpy(at + 1, &number, sizeof number);
  return at + 1 + sizeof number;
}
inline char* put_byte(char* at, unsigned byte) {
  *at = static_cast<char>(byte);
  return at + 1;
}

// The single that is the same number; false: there is none.
inline bool to_single(double number, uint32_t& single) {
  if (std::fabs(number) > static_cast<double>(std::numeric_limits<float>::max()) && !std::isinf(number))
    return false;
  const auto rounded = static_cast<float>(number);
  single = std::bit_cast<uint32_t>(rounded);
  return static_cast<double>(rounded) == number;
}
// Copies `size` bytes. Whether all of them are ASCII.
inline bool copy_ascii(char* to, const char* from, size_t size) {
  constexpr uint64_t kHigh = 0x8080808080808080;
  if (size >= 8) {
    // The last step overlaps the one before, so that no bytes are left over.
    uint64_t seen = 0;
    for (size_t i = 0;; i = i + 16 <= size ? i + 8 : size - 8) {
      uint64_t eight = 0;
      std::memcpy(&eight, from + i, 8);
      std::memcpy(to + i, &eight, 8);
      seen |= eight;
      if (i + 8 == size) return (seen & kHigh) == 0;
    }
  }
  if (size >= 4) {
    uint32_t first = 0, last = 0;
    std::memcpy(&first, from, 4);
    std::memcpy(&last, from + size - 4, 4);
    std::memcpy(to, &first, 4);
    std::memcpy(to + size - 4, &last, 4);
    return ((first | last) & static_cast<uint32_t>(kHigh)) == 0;
  }
  unsigned seen = 0;
  for (size_t i = 0; i < size; ++i) seen |= static_cast<unsigned char>(to[i] = from[i]);
  return seen < 0x80;
}

inline bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace detail

struct Cbor {
  // How long the head of a container is, and how many elements it has when that gets longer.
  static constexpr size_t head_size(size_t count) {
    return count < 24 ? 1 : count < 0x100 ? 2 : count < 0x10000 ? 3 : 5;
  }
  static constexpr uint32_t longer_from(uint32_t count) {
    return count < 24 ? 24 : count < 0x100 ? 0x100 : 0x10000;
  }
  static constexpr unsigned kNull = 0xf6, kFalse = 0xf4, kTrue = 0xf5;
  // The head of a text, of less than 24 bytes.
  static constexpr size_t kShortText = 24;
  static constexpr unsigned short_text(size_t size) { return static_cast<unsigned>(0x60 | size); }

  static char* object(char* at, size_t count) { return head(at, 0xa0, count); }
  static char* array(char* at, size_t count) { return head(at, 0x80, count); }
  static char* text(char* at, size_t size) {
    return size < kShortText ? detail::put_byte(at, short_text(size)) : long_head(at, 0x60, size);
  }
  static char* natural(char* at, uint64_t number) { return head(at, 0x00, number); }
  static char* negative(char* at, int64_t number) { return head(at, 0x20, ~static_cast<uint64_t>(number)); }
  static char* real(char* at, double number) {
    uint32_t single = 0;
    if (!detail::to_single(number, single)) return detail::put_big(at, 0xfb, std::bit_cast<uint64_t>(number));
    return detail::put_big(at, 0xfa, single);
  }

 private:
  [[gnu::always_inline]] static char* head(char* at, unsigned type, uint64_t number) {
    if (number < 24) return detail::put_byte(at, type | static_cast<unsigned>(number));
    if (number < 0x100) return detail::put_big(at, type | 24, static_cast<uint8_t>(number));
    return long_head(at, type, number);
  }
  // Of 24 and more.
  [[gnu::noinline]] static char* long_head(char* at, unsigned type, uint64_t number) {
    if (number < 0x100) return detail::put_big(at, type | 24, static_cast<uint8_t>(number));
    if (number < 0x10000) return detail::put_big(at, type | 25, static_cast<uint16_t>(number));
    if (number < 0x1'0000'0000) return detail::put_big(at, type | 26, static_cast<uint32_t>(number));
    return detail::put_big(at, type | 27, number);
  }
};

// The format as of https://github.com/msgpack/msgpack/blob/master/spec.md
struct MessagePack {
  static constexpr size_t head_size(size_t count) { return count < 16 ? 1 : count < 0x10000 ? 3 : 5; }
  static constexpr uint32_t longer_from(uint32_t count) { return count < 16 ? 16 : 0x10000; }
  static constexpr unsigned kNull = 0xc0, kFalse = 0xc2, kTrue = 0xc3;
  static constexpr size_t kShortText = 32;
  static constexpr unsigned short_text(size_t size) { return static_cast<unsigned>(0xa0 | size); }

  static char* object(char* at, size_t count) { return container(at, 0x80, 0xde, count); }
  static char* array(char* at, size_t count) { return container(at, 0x90, 0xdc, count); }
  static char* text(char* at, size_t size) {
    if (size < 32) return detail::put_byte(at, short_text(size));
    if (size < 0x100) return detail::put_big(at, 0xd9, static_cast<uint8_t>(size));
    if (size < 0x10000) return detail::put_big(at, 0xda, static_cast<uint16_t>(size));
    return detail::put_big(at, 0xdb, static_cast<uint32_t>(size));
  }
  [[gnu::always_inline]] static char* natural(char* at, uint64_t number) {
    if (number < 0x100) [[likely]] {
      const bool small = number < 0x80;
      at[0] = static_cast<char>(small ? number : 0xcc);
      at[1] = static_cast<char>(number);
      return at + (small ? 1 : 2);
    }
    return long_natural(at, number);
  }
  [[gnu::noinline]] static char* long_natural(char* at, uint64_t number) {
    if (number < 0x10000) return detail::put_big(at, 0xcd, static_cast<uint16_t>(number));
    if (number < 0x1'0000'0000) return detail::put_big(at, 0xce, static_cast<uint32_t>(number));
    return detail::put_big(at, 0xcf, number);
  }
  static char* negative(char* at, int64_t number) {
    if (number >= -32) return detail::put_byte(at, static_cast<uint8_t>(number));
    if (number >= INT8_MIN) return detail::put_big(at, 0xd0, static_cast<uint8_t>(number));
    if (number >= INT16_MIN) return detail::put_big(at, 0xd1, static_cast<uint16_t>(number));
    if (number >= INT32_MIN) return detail::put_big(at, 0xd2, static_cast<uint32_t>(number));
    return detail::put_big(at, 0xd3, static_cast<uint64_t>(number));
  }
  static char* real(char* at, double number) {
    uint32_t single = 0;
    if (detail::to_single(number, single)) return detail::put_big(at, 0xca, single);
    return detail::put_big(at, 0xcb, std::bit_cast<uint64_t>(number));
  }

 private:
  static char* container(char* at, unsigned small, unsigned large, size_t count) {
    if (count < 16) return detail::put_byte(at, small | static_cast<unsigned>(count));
    if (count < 0x10000) return detail::put_big(at, large, static_cast<uint16_t>(count));
    return detail::put_big(at, large + 1, static_cast<uint32_t>(count));
  }
};

// The most that the head of anything takes, and a number.
inline constexpr size_t kMostHead = 9;

template <class Code>
[[gnu::always_inline]] inline char* write_integer_as(char* at, std::integral auto number) {
  if constexpr (std::is_signed_v<decltype(number)>)
    if (number < 0) return Code::negative(at, number);
  return Code::natural(at, static_cast<uint64_t>(number));
}

namespace detail {

template <class Code>
[[gnu::noinline]] char* write_mended(char* at, std::string_view text) {
  // Behind where its head ends at most, and then to that.
  char* to = at + kMostHead;
  while (!text.empty()) {
    const size_t size = utf8_sequence(text);
    const std::string_view taken = size != 0 ? text.substr(0, size) : kReplacement;
    std::memcpy(to, taken.data(), taken.size());
    to += taken.size();
    text.remove_prefix(size != 0 ? size : 1);
  }
  const auto size = static_cast<size_t>(to - at) - kMostHead;
  char* const begin = Code::text(at, size);
  std::memmove(begin, at + kMostHead, size);
  return begin + size;
}

}  // namespace detail

// `text`, with each byte that is part of no UTF-8 become U+FFFD, as write_escaped() has it. There is room for kMostHead bytes, and
// for three for each of its own. The end of what was written.
template <class Code>
char* write_text_as(char* at, std::string_view text) {
  char* const from = Code::text(at, text.size());
  if (detail::copy_ascii(from, text.data(), text.size())) [[likely]]
    return from + text.size();
  if (detail::is_utf8(text)) return from + text.size();
  return detail::write_mended<Code>(at, text);
}

}  // namespace encoding
}  // namespace v1
}  // namespace leat

#endif

#include "json/format.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "json/utf8.h"

namespace leat::json {

namespace {

constexpr char kHex[] = "0123456789abcdef";

// The letter after the backslash; 'u' for those without a short form; 0 for characters written as they are.
constexpr std::array<char, 128> kEscapes = [] {
  std::array<char, 128> table{};
  for (size_t c = 0; c < 0x20; ++c) table[c] = 'u';
  table['"'] = '"';
  table['\\'] = '\\';
  table['\b'] = 'b';
  table['\f'] = 'f';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

#if defined(__SSE2__)
// A bit for each byte that is not plain: not ASCII, or in need of an escape.
inline unsigned special_bytes(__m128i bytes) {
  // Signed: everything below 0x20, and everything from 0x80 on, which is negative.
  const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash))));
}
#endif

// Copies the plain bytes that `from` begins with and returns how many they were. May write over all of the
// `size` bytes at `to`.
inline size_t copy_plain(char* to, const char* from, size_t size) {
  size_t i = 0;
#if defined(__SSE2__)
  // The last step of either width overlaps the one before, so that no bytes are left over.
  if (size >= 16) {
    while (true) {
      const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), bytes);
      if (const unsigned special = special_bytes(bytes))
        return i + static_cast<size_t>(__builtin_ctz(special));
      if (i + 16 == size) return size;
      i = i + 32 <= size ? i + 16 : size - 16;
    }
  }
  if (size >= 8) {
    while (true) {
      const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + i));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(to + i), bytes);
      if (const unsigned special = special_bytes(bytes) & 0xffU)
        return i + static_cast<size_t>(__builtin_ctz(special));
      if (i + 8 == size) return size;
      i = size - 8;
    }
  }
  if (size >= 4) {
    while (true) {
      const __m128i bytes = _mm_loadu_si32(from + i);
      _mm_storeu_si32(to + i, bytes);
      if (const unsigned special = special_bytes(bytes) & 0xfU)
        return i + static_cast<size_t>(__builtin_ctz(special));
      if (i + 4 == size) return size;
      i = size - 4;
    }
  }
#endif
  for (; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(from[i]);
    if (byte >= 0x80 || kEscapes[byte] != 0) break;
    to[i] = from[i];
  }
  return i;
}

// From the first byte on that is not plain; out of line, so that the usual text needs few registers.
[[gnu::noinline]] StringResult write_rest(TextBuffer& out, const char* from, size_t left, char after) {
  while (left != 0) {
    const auto byte = static_cast<unsigned char>(*from);
    if (byte >= 0x80) {
      const size_t length = utf8_sequence({from, left});
      if (length == 0) return StringResult::NotUtf8;
      out.put({from, length});
      from += length;
      left -= length;
      // A run of them, as in most texts that are not English.
      if (left != 0 && static_cast<unsigned char>(*from) >= 0x80) continue;
    } else {
      ++from;
      --left;
      if (!out.room(6 + left + 2)) return StringResult::NoMemory;
      out.put('\\');
      out.put(kEscapes[byte]);
      if (kEscapes[byte] == 'u') {
        const char code[] = {'0', '0', kHex[byte >> 4], kHex[byte & 15]};
        out.put({code, sizeof code});
      }
    }
    const size_t plain = copy_plain(out.at, from, left);
    out.at += plain;
    from += plain;
    left -= plain;
  }
  out.put('"');
  out.put(after);
  return StringResult::Fine;
}

}  // namespace

StringResult write_string(TextBuffer& out, std::string_view text, char after) {
  if (!out.room(1 + text.size() + 2)) return StringResult::NoMemory;
  out.put('"');
  const size_t plain = copy_plain(out.at, text.data(), text.size());
  out.at += plain;
  if (plain != text.size()) return write_rest(out, text.data() + plain, text.size() - plain, after);
  out.put('"');
  out.put(after);
  return StringResult::Fine;
}

size_t write_real(char* text, double number) {
  // Prices, percentages and the like have four decimals at most. If a decimal of 15 digits or fewer is this
  // number's, it is the only such one, and without its zeros at the end the shortest: no search is needed.
  constexpr double kScale = 1e4;
  constexpr uint64_t kWholeScale = 10000;
  constexpr double kMostScaled = 1e11;
  const double magnitude = std::fabs(number);
  char* const end = text + kLongestReal;
  char* at = text;
  if (magnitude < kMostScaled) {
    const auto scaled = static_cast<uint64_t>(magnitude * kScale + 0.5);
    if (static_cast<double>(scaled) / kScale == magnitude) {
      if (std::signbit(number)) *at++ = '-';
      at = std::to_chars(at, end, scaled / kWholeScale).ptr;
      *at++ = '.';
      // At least one decimal.
      uint64_t decimals = scaled % kWholeScale;
      do {
        *at++ = static_cast<char>('0' + decimals / (kWholeScale / 10));
        decimals = decimals % (kWholeScale / 10) * 10;
      } while (decimals != 0);
      return static_cast<size_t>(at - text);
    }
  }
  const bool plain = magnitude >= 1e-4 && magnitude < 1e16;
  at = std::to_chars(at, end, number, plain ? std::chars_format::fixed : std::chars_format::scientific).ptr;
  // From 2^53 on and below 1e16 none of a whole number's 16 digits can be left out, so fixed prints no other.
  if (plain && magnitude == std::trunc(magnitude)) {
    *at++ = '.';
    *at++ = '0';
  }
  return static_cast<size_t>(at - text);
}

}  // namespace leat::json

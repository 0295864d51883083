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
#endif
  for (; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(from[i]);
    if (byte >= 0x80 || kEscapes[byte] != 0) break;
    to[i] = from[i];
  }
  return i;
}

}  // namespace

StringResult write_string(TextBuffer& out, std::string_view text, char after) {
  if (!out.room(text.size() + 3)) return StringResult::NoMemory;
  const char* from = text.data();
  size_t left = text.size();
  out.put('"');
  while (true) {
    const size_t plain = copy_plain(out.at, from, left);
    out.at += plain;
    from += plain;
    left -= plain;
    if (left == 0) break;
    const auto byte = static_cast<unsigned char>(*from);
    if (byte >= 0x80) {
      // A run of them, as in most texts that are not English.
      do {
        const size_t length = utf8_sequence({from, left});
        if (length == 0) return StringResult::NotUtf8;
        out.put({from, length});
        from += length;
        left -= length;
      } while (left != 0 && static_cast<unsigned char>(*from) >= 0x80);
      continue;
    }
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
  out.put('"');
  out.put(after);
  return StringResult::Fine;
}

size_t write_real(char* text, double number) {
  const double magnitude = std::fabs(number);
  char* const end = text + kLongestReal;
  char* at = text;
  // Whole numbers in this range have 16 digits at most, and none of them can be left out.
  if (magnitude < 1e16) {
    const auto whole = static_cast<uint64_t>(magnitude);
    if (static_cast<double>(whole) == magnitude) {
      if (std::signbit(number)) *at++ = '-';
      at = std::to_chars(at, end, whole).ptr;
      *at++ = '.';
      *at++ = '0';
      return static_cast<size_t>(at - text);
    }
    if (magnitude >= 1e-4)
      return static_cast<size_t>(std::to_chars(at, end, number, std::chars_format::fixed).ptr - text);
  }
  return static_cast<size_t>(std::to_chars(at, end, number, std::chars_format::scientific).ptr - text);
}

}  // namespace leat::json

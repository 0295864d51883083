// Values as JSON text: strings, and numbers (plugin_number.hpp), into memory whose room the caller has seen
// to.
//
// The one place that says how they look, for the daemon's writer as for the encoder of plugins' structs
// (plugin_encode.hpp). It needs nothing but the standard library.
//
// Strings are copied while they are looked through: 16 bytes at a time with SSE2, which every x86-64 has, and
// long ones with AVX2 or AVX-512, as the CPU says when the program starts. Elsewhere byte by byte.
#ifndef LEAT_PLUGIN_TEXT_HPP
#define LEAT_PLUGIN_TEXT_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "plugin_number.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace encoding {

// What a byte of a string may become: \u001f.
inline constexpr size_t kMostEscaped = 6;

// The length of the well-formed UTF-8 sequence (RFC 3629, section 4) that `text` begins with: 1 to 4; 0 if it
// begins with none. No surrogates, no overlong forms, nothing above U+10FFFF.
constexpr size_t utf8_sequence(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0U) == 0x80; };
  const unsigned first = byte(0);
  if (text.empty()) return 0;
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const unsigned least = first == 0xe0 ? 0xa0 : 0x80;
    const unsigned most = first == 0xed ? 0x9f : 0xbf;
    return byte(1) >= least && byte(1) <= most && continues(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const unsigned least = first == 0xf0 ? 0x90 : 0x80;
    const unsigned most = first == 0xf4 ? 0x8f : 0xbf;
    return byte(1) >= least && byte(1) <= most && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

// How many characters `text` has: code points, where it is UTF-8.
constexpr size_t character_count(std::string_view text) {
  size_t count = 0;
  for (const char c : text) count += (static_cast<unsigned char>(c) & 0xc0U) != 0x80 ? 1 : 0;
  return count;
}

// Where to cut a text that is written in pieces of `most` bytes: not in the midst of a character. It is
// longer.
constexpr size_t piece_of(std::string_view text, size_t most) {
  for (size_t back = 1; back < 4 && back < most; ++back) {
    const std::string_view last = text.substr(most - back);
    if ((static_cast<unsigned char>(last.front()) & 0xc0U) == 0x80) continue;
    return utf8_sequence(last) > back ? most - back : most;
  }
  return most;
}

namespace detail {

inline constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
inline constexpr char kHex[] = "0123456789abcdef";

// The letter after the backslash; 'u' for those without a short form; 0 for characters written as they are.
inline constexpr std::array<char, 128> kEscapes = [] {
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

// Each of these copies the plain bytes (ASCII without need of an escape) that `from` begins with, and returns
// how many they were. It may write over all of the `size` bytes at `to`.

inline size_t copy_scalar(char* to, const char* from, size_t size) {
  size_t i = 0;
  for (; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(from[i]);
    if (byte >= 0x80 || kEscapes[byte] != 0) break;
    to[i] = from[i];
  }
  return i;
}

#if defined(__x86_64__)
// A bit for each byte that is not plain.
inline unsigned special_bytes(__m128i bytes) {
  // Signed: everything below 0x20, and everything from 0x80 on, which is negative.
  const __m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
  const __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
  const __m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
  return static_cast<unsigned>(_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash))));
}

// The same for `size` bytes of which `bytes` holds the first `half` and the last `half`: how many are plain.
inline size_t end_of_plain(__m128i bytes, size_t half, size_t size) {
  const unsigned special = special_bytes(bytes) & ((1U << 2 * half) - 1);
  if (special == 0) [[likely]]
    return size;
  const auto found = static_cast<size_t>(__builtin_ctz(special));
  return found < half ? found : size - 2 * half + found;
}

// The last step of each width overlaps the one before, so that no bytes are left over.

// At least 16 bytes.
inline size_t copy_sse2(char* to, const char* from, size_t size) {
  for (size_t i = 0;;) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i), bytes);
    if (const unsigned special = special_bytes(bytes)) return i + static_cast<size_t>(__builtin_ctz(special));
    if (i + 16 == size) return size;
    i = i + 32 <= size ? i + 16 : size - 16;
  }
}

// At least 32.
[[gnu::target("avx2")]] inline size_t copy_avx2(char* to, const char* from, size_t size) {
  for (size_t i = 0;;) {
    const __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + i), bytes);
    const __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes);
    const __m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
    const __m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));
    const auto special =
        static_cast<unsigned>(_mm256_movemask_epi8(_mm256_or_si256(low, _mm256_or_si256(quote, backslash))));
    if (special != 0) return i + static_cast<size_t>(__builtin_ctz(special));
    if (i + 32 == size) return size;
    i = i + 64 <= size ? i + 32 : size - 32;
  }
}

// At least 64.
[[gnu::target("avx512f,avx512bw")]] inline size_t copy_avx512(char* to, const char* from, size_t size) {
  for (size_t i = 0;;) {
    const __m512i bytes = _mm512_loadu_si512(from + i);
    _mm512_storeu_si512(to + i, bytes);
    const uint64_t special = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(0x20)) |
                             _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('"')) |
                             _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\\'));
    if (special != 0) return i + static_cast<size_t>(__builtin_ctzll(special));
    if (i + 64 == size) return size;
    i = i + 128 <= size ? i + 64 : size - 64;
  }
}
#endif

}  // namespace detail

// How strings of kLeastLong bytes and more are looked through.
struct Scan {
  std::string_view name;
  size_t (*copy)(char* to, const char* from, size_t size);
};
inline constexpr size_t kLeastLong = 64;

// Those that this CPU can do, the best first.
inline size_t scans(std::array<Scan, 4>& found) {
  size_t count = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
    found[count++] = {"avx512", detail::copy_avx512};
  if (__builtin_cpu_supports("avx2")) found[count++] = {"avx2", detail::copy_avx2};
  found[count++] = {"sse2", detail::copy_sse2};
#endif
  found[count++] = {"scalar", detail::copy_scalar};
  return count;
}
inline Scan best_scan() {
  std::array<Scan, 4> found;
  scans(found);
  return found[0];
}
inline const Scan scan = best_scan();

namespace detail {

inline size_t copy_plain(char* to, const char* from, size_t size) {
  if (size >= kLeastLong) [[unlikely]]
    return scan.copy(to, from, size);
#if defined(__x86_64__)
  if (size >= 16) return copy_sse2(to, from, size);
  // Both ends at once, which overlap.
  if (size >= 8) {
    const __m128i first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    const __m128i last = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + size - 8));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to), first);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + size - 8), last);
    return end_of_plain(_mm_unpacklo_epi64(first, last), 8, size);
  }
  if (size >= 4) {
    const __m128i first = _mm_loadu_si32(from), last = _mm_loadu_si32(from + size - 4);
    _mm_storeu_si32(to, first);
    _mm_storeu_si32(to + size - 4, last);
    return end_of_plain(_mm_unpacklo_epi32(first, last), 4, size);
  }
#endif
  return copy_scalar(to, from, size);
}

// From the first byte on that is not plain; out of line, so that the usual text needs few registers.
[[gnu::noinline]] inline char* write_rest(char* at, const char* from, size_t left) {
  while (left != 0) {
    const auto byte = static_cast<unsigned char>(*from);
    if (byte >= 0x80) {
      const size_t length = utf8_sequence({from, left});
      if (length == 0) [[unlikely]] {
        std::memcpy(at, kReplacement.data(), kReplacement.size());
        at += kReplacement.size();
      } else {
        std::memcpy(at, from, length);
        at += length;
      }
      const size_t taken = length == 0 ? 1 : length;
      from += taken;
      left -= taken;
      // A run of them, as in most texts that are not English.
      if (left != 0 && static_cast<unsigned char>(*from) >= 0x80) continue;
    } else {
      ++from;
      --left;
      *at++ = '\\';
      *at++ = kEscapes[byte];
      if (kEscapes[byte] == 'u') {
        const char code[] = {'0', '0', kHex[byte >> 4], kHex[byte & 15]};
        std::memcpy(at, code, sizeof code);
        at += sizeof code;
      }
    }
    const size_t plain = copy_plain(at, from, left);
    at += plain;
    from += plain;
    left -= plain;
  }
  return at;
}

}  // namespace detail

// `text` as between quotes; there is room for kMostEscaped bytes for each of its own. Escapes only what RFC
// 8259, section 7, asks for: the quote, the backslash and what is below U+0020, in the short form where there
// is one, else as \u00xx. A byte that is part of no UTF-8 becomes U+FFFD, so that what a client sends, in a
// path or a field, can be put into an answer whatever it is. The end of what was written.
inline char* write_escaped(char* at, std::string_view text) {
  const size_t plain = detail::copy_plain(at, text.data(), text.size());
  at += plain;
  if (plain == text.size()) [[likely]]
    return at;
  return detail::write_rest(at, text.data() + plain, text.size() - plain);
}

}  // namespace encoding
}  // namespace v1
}  // namespace leat

#endif

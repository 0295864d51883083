#include "base/escape.h"

#include <bit>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace leat {

namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

constexpr bool is_plain(unsigned char byte) {
  return byte >= 0x20 && byte < 0x7f && byte != '"' && byte != '\\';
}

char* put_hex(char* at, unsigned char byte, Escapes how) {
  if (how == Escapes::Spaces) {
    *at = ' ';
    return at + 1;
  }
  const std::string_view prefix = how == Escapes::Json ? "\\u00" : "\\x";
  std::memcpy(at, prefix.data(), prefix.size());
  at += prefix.size();
  *at++ = kHex[byte >> 4];
  *at++ = kHex[byte & 15];
  return at;
}

// The size of the character that `text` begins with, by table 3-7 of the Unicode standard; 0: it is none. Its
// first byte is not ASCII.
size_t character_size(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto follows = [&](size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char first = byte(0);
  if (first < 0xc2 || first > 0xf4 || !follows(1)) return 0;
  const unsigned char second = byte(1);
  if (first < 0xe0) return 2;
  if (!follows(2)) return 0;
  if (first < 0xf0) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return overlong || surrogate ? 0 : 3;
  }
  if (!follows(3)) return 0;
  const bool overlong = first == 0xf0 && second < 0x90;
  const bool beyond = first == 0xf4 && second > 0x8f;
  return overlong || beyond ? 0 : 4;
}

// The first character of `text`, which may be any. Takes it away.
char* put_character(char* at, std::string_view& text, Escapes how) {
  const auto byte = static_cast<unsigned char>(text[0]);
  size_t taken = 1;
  if (byte == '"' || byte == '\\') {
    if (how != Escapes::Spaces) *at++ = '\\';
    *at++ = static_cast<char>(byte);
  } else if (byte < 0x20 || byte == 0x7f) {
    at = put_hex(at, byte, how);
  } else if (byte < 0x80) {
    *at++ = static_cast<char>(byte);
  } else if (const size_t size = character_size(text); size == 0) {
    std::memcpy(at, kReplacement.data(), kReplacement.size());
    at += kReplacement.size();
  } else if (byte == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) {
    at = put_hex(at, static_cast<unsigned char>(text[1]), how);
    taken = size;
  } else {
    std::memcpy(at, text.data(), size);
    at += size;
    taken = size;
  }
  text.remove_prefix(taken);
  return at;
}

}  // namespace

#if defined(__SSE2__)

namespace {

// A bit for each of 16 bytes that is not plain.
unsigned odd_ones(__m128i bytes) {
  // As signed numbers those beyond ASCII are less than a space.
  const __m128i odd = _mm_or_si128(
      _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))),
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))));
  return static_cast<unsigned>(_mm_movemask_epi8(odd));
}

__m128i load(const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); }
void store(char* at, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(at), bytes); }

}  // namespace

#endif

char* put_escaped(char* at, std::string_view text, Escapes how) {
#if defined(__SSE2__)
  bool plain_so_far = text.size() >= 16;
  // What is copied too much is written over by what follows.
  while (text.size() >= 16) {
    const __m128i bytes = load(text.data());
    store(at, bytes);
    const unsigned odd = odd_ones(bytes);
    const auto plain = odd == 0 ? 16U : static_cast<unsigned>(std::countr_zero(odd));
    at += plain;
    text.remove_prefix(plain);
    if (odd == 0) continue;
    plain_so_far = false;
    at = put_character(at, text, how);
  }
  if (plain_so_far && !text.empty()) {
    // The rest with what lies before it, which is looked at and copied once more.
    const __m128i bytes = load(text.data() + text.size() - 16);
    if (odd_ones(bytes) == 0) {
      store(at + text.size() - 16, bytes);
      return at + text.size();
    }
  }
#endif
  while (!text.empty()) {
    if (is_plain(static_cast<unsigned char>(text[0]))) [[likely]] {
      *at++ = text[0];
      text.remove_prefix(1);
    } else {
      at = put_character(at, text, how);
    }
  }
  return at;
}

}  // namespace leat

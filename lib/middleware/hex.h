// Hexadecimal digits, in lower case, 16 at a time.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace leat::middleware {

// The 16 digits of a number, the most significant first. Returns the end.
inline char* put_hex(char* at, uint64_t number) {
#if defined(__SSE2__)
  const __m128i low_half = _mm_set1_epi8(0x0f);
  const __m128i bytes = _mm_cvtsi64_si128(static_cast<long long>(std::byteswap(number)));
  const __m128i digits =
      _mm_unpacklo_epi8(_mm_and_si128(_mm_srli_epi16(bytes, 4), low_half), _mm_and_si128(bytes, low_half));
  // From '9' to 'a' there is a gap.
  const __m128i letters =
      _mm_and_si128(_mm_cmpgt_epi8(digits, _mm_set1_epi8(9)), _mm_set1_epi8('a' - '9' - 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(at),
                   _mm_add_epi8(_mm_add_epi8(digits, _mm_set1_epi8('0')), letters));
#else
  for (int i = 15; i >= 0; --i, number >>= 4) at[i] = "0123456789abcdef"[number & 15];
#endif
  return at + 16;
}

}  // namespace leat::middleware

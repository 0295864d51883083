// Hashing and comparing runs of bytes on the request path.
//
// Both take time that depends on lengths only, never on contents: they look at what clients sent, and one
// client must not learn about another's bytes from a stopwatch.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace leat::http {

// True when the `size` bytes at `a` and `b` are equal.
inline bool equal_bytes(const char* a, const char* b, size_t size) {
#if defined(__SSE2__)
  if (size >= 16) {
    __m128i difference = _mm_setzero_si128();
    const auto load = [](const char* at) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at)); };
    size_t i = 0;
    for (; i + 64 <= size; i += 64) {
      const __m128i one = _mm_or_si128(_mm_xor_si128(load(a + i), load(b + i)),
                                       _mm_xor_si128(load(a + i + 16), load(b + i + 16)));
      const __m128i two = _mm_or_si128(_mm_xor_si128(load(a + i + 32), load(b + i + 32)),
                                       _mm_xor_si128(load(a + i + 48), load(b + i + 48)));
      difference = _mm_or_si128(difference, _mm_or_si128(one, two));
    }
    for (; i + 16 <= size; i += 16)
      difference = _mm_or_si128(difference, _mm_xor_si128(load(a + i), load(b + i)));
    // The last, overlapping 16 bytes cover the rest.
    difference = _mm_or_si128(difference, _mm_xor_si128(load(a + size - 16), load(b + size - 16)));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(difference, _mm_setzero_si128())) == 0xffff;
  }
#endif
  uint64_t difference = 0;
  size_t i = 0;
  for (; i + 8 <= size; i += 8) {
    uint64_t x = 0;
    uint64_t y = 0;
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    difference |= x ^ y;
  }
  for (; i < size; ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

// A 64-bit hash of `size` bytes under `seed`: multiply-and-fold, two words a step. Good enough to spread
// table entries; whoever uses it compares in full, and an attacker without the seed cannot aim at a bucket.
inline uint64_t hash_bytes(const char* data, size_t size, uint64_t seed) {
  const auto fold = [](uint64_t a, uint64_t b) {
    const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  };
  const auto word = [](const char* at) {
    uint64_t value = 0;
    std::memcpy(&value, at, 8);
    return value;
  };
  constexpr uint64_t kA = 0x9e3779b97f4a7c15;
  constexpr uint64_t kB = 0xd6e8feb86659fd93;
  uint64_t hash = seed ^ (size * kA);
  for (size_t i = 0; i + 16 < size; i += 16) hash = fold(word(data + i) ^ kA ^ hash, word(data + i + 8) ^ kB);
  // The last 16 bytes, some of them for the second time.
  uint64_t last[2] = {0, 0};
  if (size >= 16) [[likely]] {
    last[0] = word(data + size - 16);
    last[1] = word(data + size - 8);
  } else {
    std::memcpy(last, data, size);
  }
  return fold(last[0] ^ kB ^ hash, last[1] ^ kA ^ (hash >> 32));
}

// Copies `text` to `at`; returns the end. A head is made of short texts, for which a call costs more than the
// copy: two words that overlap do for all up to 32 bytes.
inline char* put_bytes(char* at, std::string_view text) {
  const size_t size = text.size();
  const char* const from = text.data();
  const auto put_ends = [&](auto word) {
    auto last = word;
    std::memcpy(&word, from, sizeof word);
    std::memcpy(&last, from + size - sizeof last, sizeof last);
    std::memcpy(at, &word, sizeof word);
    std::memcpy(at + size - sizeof last, &last, sizeof last);
  };
  struct Pair {
    uint64_t words[2];
  };
  if (size > 32) return static_cast<char*>(::mempcpy(at, from, size));
  if (size >= 16) {
    put_ends(Pair{});
  } else if (size >= 8) {
    put_ends(uint64_t{});
  } else if (size >= 4) {
    put_ends(uint32_t{});
  } else if (size >= 2) {
    put_ends(uint16_t{});
  } else if (size == 1) {
    *at = *from;
  }
  return at + size;
}

// The same for a literal, whose size the compiler knows.
template <size_t size>
char* put_bytes(char* at, const char (&literal)[size]) {
  std::memcpy(at, literal, size - 1);
  return at + size - 1;
}

// A seed that differs from process to process.
uint64_t process_seed();

}  // namespace leat::http

// Hexadecimal digits, in lower case, two at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace leat::middleware {

inline constexpr auto kHexPairs = [] {
  std::array<char, 512> pairs{};
  for (size_t i = 0; i < 256; ++i) {
    pairs[2 * i] = "0123456789abcdef"[i >> 4];
    pairs[2 * i + 1] = "0123456789abcdef"[i & 15];
  }
  return pairs;
}();

// The last `bytes` of a number, the most significant first. Returns the end.
template <size_t bytes>
char* put_hex(char* at, uint64_t number) {
  for (size_t i = 0; i < bytes; ++i)
    std::memcpy(at + 2 * i, &kHexPairs[(number >> (8 * (bytes - 1 - i)) & 0xff) * 2], 2);
  return at + 2 * bytes;
}

}  // namespace leat::middleware

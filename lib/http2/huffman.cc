#include "http2/huffman.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace leat::http2 {

namespace {

constexpr unsigned kSymbols = 257;  // the bytes, and the end of a string
constexpr unsigned kEndOfText = 256;
constexpr unsigned kLongest = 30;
constexpr unsigned kLookUp = 9;

// Of each symbol the length of its code in bits.
constexpr std::array<uint8_t, kSymbols> kLengths = {
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28,
    28, 28, 28, 28, 28, 28, 6,  10, 10, 12, 13, 6,  8,  11, 10, 10, 8,  11, 8,  6,  6,  6,  5,  5,  5,  6,
    6,  6,  6,  6,  6,  6,  7,  8,  15, 6,  12, 10, 13, 6,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  7,
    7,  7,  7,  7,  7,  7,  7,  7,  7,  7,  8,  7,  8,  13, 19, 13, 14, 6,  15, 5,  6,  5,  6,  5,  6,  6,
    6,  5,  7,  7,  6,  6,  6,  5,  6,  7,  6,  5,  5,  6,  7,  7,  7,  7,  7,  15, 11, 14, 13, 28, 20, 22,
    20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23,
    22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22,
    23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22,
    25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30};

// Symbols in the order of their codes, and where in that order the codes of each length begin.
struct Codebook {
  std::array<uint16_t, kSymbols> symbols{};     // by rank
  std::array<uint32_t, kSymbols> codes{};       // by symbol
  std::array<uint32_t, kLongest + 2> limits{};  // past the codes of that length, and all shorter, in 32 bits
  std::array<uint32_t, kLongest + 2> firsts{};  // the first code of that length
  std::array<uint16_t, kLongest + 2> ranks{};   // of that one
  struct Short {
    uint8_t symbol = 0, length = 0;  // 0: it is longer
  };
  std::array<Short, 1 << kLookUp> short_codes{};
};

constexpr Codebook make_codebook() {
  Codebook made;
  uint32_t code = 0;
  uint16_t rank = 0;
  for (unsigned length = 1; length <= kLongest; ++length) {
    code <<= 1;
    made.firsts[length] = code;
    made.ranks[length] = rank;
    for (unsigned symbol = 0; symbol < kSymbols; ++symbol) {
      if (kLengths[symbol] != length) continue;
      made.symbols[rank++] = static_cast<uint16_t>(symbol);
      made.codes[symbol] = code;
      if (length <= kLookUp)
        for (uint32_t rest = 0; rest < (1u << (kLookUp - length)); ++rest)
          made.short_codes[(code << (kLookUp - length)) + rest] = {static_cast<uint8_t>(symbol),
                                                                   static_cast<uint8_t>(length)};
      ++code;
    }
    // The last code of all is all ones, and its limit is no number of 32 bits any more.
    made.limits[length] = length == kLongest ? UINT32_MAX : code << (32 - length);
  }
  return made;
}

constexpr Codebook kCodebook = make_codebook();
static_assert(kCodebook.codes[kEndOfText] == (1u << kLongest) - 1 && kCodebook.codes['a'] == 3);

}  // namespace

char* huffman_decode(std::string_view coded, char* at) {
  uint64_t bits = 0;   // those that are read and not used, from the highest on
  unsigned count = 0;  // of them
  const char* next = coded.data();
  const char* const end = next + coded.size();
  while (true) {
    for (; count <= 56 && next != end; count += 8)
      bits |= uint64_t{static_cast<unsigned char>(*next++)} << (56 - count);
    const Codebook::Short found = kCodebook.short_codes[bits >> (64 - kLookUp)];
    if (found.length != 0 && found.length <= count) {
      *at++ = static_cast<char>(found.symbol);
      bits <<= found.length;
      count -= found.length;
      continue;
    }
    const auto window = static_cast<uint32_t>(bits >> 32);
    unsigned length = kLookUp + 1;
    while (length < kLongest && window >= kCodebook.limits[length]) ++length;
    if (found.length != 0 || length > count) break;
    const uint32_t index = (window >> (32 - length)) - kCodebook.firsts[length];
    const uint16_t symbol = kCodebook.symbols[kCodebook.ranks[length] + index];
    if (symbol == kEndOfText) return nullptr;
    *at++ = static_cast<char>(symbol);
    bits <<= length;
    count -= length;
  }
  // What is left is padding: less than a byte, of ones.
  if (count > 7) return nullptr;
  return count == 0 || bits >> (64 - count) == (1u << count) - 1 ? at : nullptr;
}

size_t huffman_size(std::string_view text) {
  size_t bits = 0;
  for (const char c : text) bits += kLengths[static_cast<unsigned char>(c)];
  return (bits + 7) / 8;
}

char* huffman_encode(std::string_view text, char* at) {
  uint64_t bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const auto symbol = static_cast<unsigned char>(c);
    bits = bits << kLengths[symbol] | kCodebook.codes[symbol];
    for (count += kLengths[symbol]; count >= 8; count -= 8) *at++ = static_cast<char>(bits >> (count - 8));
  }
  if (count != 0) *at++ = static_cast<char>(bits << (8 - count) | 0xff >> count);
  return at;
}

}  // namespace leat::http2

// SipHash (Aumasson and Bernstein, 2012): a hash of bytes under a secret key, so that who chooses the bytes
// cannot choose which of them collide. For tables whose keys come from peers.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat {

struct SipKey {
  uint64_t low = 0, high = 0;
};

// One that nobody knows. Where the kernel has no randomness yet, addresses of this program have to do.
SipKey random_sip_key();

// `compressions` rounds for each eight bytes, `finalizations` at the end: 2 and 4 in the paper, 1 and 3 where
// a table needs no more.
template <int compressions = 1, int finalizations = 3>
uint64_t sip_hash(std::string_view bytes, const SipKey& key) {
  static_assert(std::endian::native == std::endian::little);
  uint64_t v0 = key.low ^ 0x736f6d6570736575u, v1 = key.high ^ 0x646f72616e646f6du;
  uint64_t v2 = key.low ^ 0x6c7967656e657261u, v3 = key.high ^ 0x7465646279746573u;
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
      v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
      v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
      v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
    }
  };
  const auto take = [&](uint64_t word) {
    v3 ^= word;
    rounds(compressions);
    v0 ^= word;
  };
  uint64_t word = 0;
  const char* at = bytes.data();
  const char* const end = at + bytes.size() / sizeof word * sizeof word;
  for (; at != end; at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    take(word);
  }
  word = uint64_t{bytes.size()} << 56;
  for (size_t i = 0; i < bytes.size() % sizeof word; ++i)
    word |= uint64_t{static_cast<unsigned char>(at[i])} << 8 * i;
  take(word);
  v2 ^= 0xff;
  rounds(finalizations);
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace leat

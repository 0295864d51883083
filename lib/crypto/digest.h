// Digests, and what is made of them: what a secret is compared by, so that it lies nowhere.
//
// Thread: any. Each has what it works with for itself; after its first digest a thread asks nothing of the heap.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

namespace leat::crypto {

using Digest = std::array<unsigned char, 32>;

// SHA-256 (FIPS 180-4) of the pieces, one behind the other. Nothing where memory is out: nobody may pass then.
std::optional<Digest> sha256(std::initializer_list<std::string_view> pieces);

// SHA-1 (FIPS 180-4), 20 bytes, for protocols that name it and rely on nothing of it (RFC 6455, section 1.3).
using Sha1Digest = std::array<unsigned char, 20>;
std::optional<Sha1Digest> sha1(std::initializer_list<std::string_view> pieces);

// HMAC with SHA-256 (RFC 2104) under a key of at most 64 bytes, which is one block.
std::optional<Digest> hmac_sha256(std::string_view key, std::initializer_list<std::string_view> pieces);

// In a time that depends on their sizes alone.
bool equal_in_constant_time(std::string_view a, std::string_view b);

inline std::string_view view(const Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}
// 64 digits in lower case.
std::string hex(const Digest& digest);
// What 64 digits stand for, of either case; nothing for what is none.
std::optional<Digest> read_hex(std::string_view text);

}  // namespace leat::crypto

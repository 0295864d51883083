// What is given to somebody who must neither read nor change it: encryption that tells what it was given from anything else
// (AEAD_CHACHA20_POLY1305, RFC 8439), and keys for it, made of one secret (HKDF, RFC 5869).
//
// Rejected: AES-256-GCM, which is as fast only where the processor has instructions for it, and in tables that caches betray
// where it has not.
//
// Thread: any. Each has what it works with for itself; after its first call a thread asks nothing of the heap.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "crypto/digest.h"

namespace leat::crypto {

inline constexpr size_t kNonce = 12;  // bytes; never twice under one key
inline constexpr size_t kTag = 16;    // that sealed bytes are longer than plain ones

// 32 bytes of a secret of any length, for one purpose, which `info` names: HKDF with SHA-256. `salt` has at most 64 bytes, or
// none. Nothing where memory is out.
std::optional<Digest> hkdf_sha256(std::string_view secret, std::string_view salt, std::string_view info);

// Writes `plain` sealed, then its tag: plain.size() + kTag bytes, which may begin where `plain` does. `beside` is not among
// them, and has to be the same when they are opened. False: memory is out.
[[nodiscard]] bool seal(const Digest& key, std::string_view nonce, std::string_view beside,
                        std::string_view plain, char* to);

// Writes what was sealed, sealed.size() - kTag bytes, likewise. False: it is not what was sealed so, and nothing of what was
// written may be used.
[[nodiscard]] bool open(const Digest& key, std::string_view nonce, std::string_view beside,
                        std::string_view sealed, char* to);

}  // namespace leat::crypto

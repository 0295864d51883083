// TokenKeys: the keys that tokens are verified with, of a text in one of three forms, which is told by how it begins:
//
//   {"keys": [...]}  or  {"kty": ...}     JWKs (RFC 7517)
//   -----BEGIN                            PEM: public keys, certificates
//   anything else                         a secret, as it is
//
// Thread: made on one, then read by all.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.h"

namespace leat::middleware {

struct TokenKey {
  crypto::VerificationKey key;
  std::string id;                              // the JWK's `kid`; may be empty
  std::optional<crypto::Algorithm> algorithm;  // the only one that it is for, where a JWK says so
  [[nodiscard]] bool is_for(crypto::Algorithm wanted) const {
    return key.fits(wanted) && (!algorithm || *algorithm == wanted);
  }
};

class TokenKeys {
 public:
  static constexpr size_t kMostKeys = 64;
  static constexpr size_t kMostKeyId = 256;  // bytes of a `kid`
  // Of tokens that do not say which: more would let anybody have the server verify one token that often.
  static constexpr size_t kMostTries = 4;

  // Adds those of a text. What is wrong with it, which shows nothing of it; empty where nothing is. Keys of a kind that
  // nobody knows here are left out of a set, as RFC 7517 has it.
  [[nodiscard]] std::string add(std::string_view text);
  [[nodiscard]] const std::vector<TokenKey>& all() const { return keys_; }

 private:
  [[nodiscard]] std::string add_jwks(std::string_view text);
  // `listed`: it is one of a set.
  [[nodiscard]] std::string add_jwk(std::string_view text, bool listed);

  std::vector<TokenKey> keys_;
};

}  // namespace leat::middleware

// TokenKeys: the keys that tokens are verified with, of a text in one of three forms, which is told by how it begins:
//
//   {"keys": [...]}  or  {"kty": ...}     JWKs (RFC 7517)
//   -----BEGIN                            PEM: public keys, certificates
//   anything else                         a secret, as it is
//
// Thread: made on one, then read by all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
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
  friend class JwksReader;
  enum class From : uint8_t {
    Alone,
    Set,
    Published  // in a set that anybody may read: no secrets, and no numbers that take long to look at
  };
  [[nodiscard]] std::string add_jwks(std::string_view text);
  // Empty where nothing is wrong, and where it is one of a set and not for here.
  [[nodiscard]] std::string add_jwk(std::string_view text, From from);

  std::vector<TokenKey> keys_;
};

// A set that a server publishes, which is read a key at a time. A key that cannot be used is left out (RFC 7517, section 5); a
// set with none that can, or with more than TokenKeys::kMostKeys, is none.
//
// Thread: one at a time.
class JwksReader {
 public:
  explicit JwksReader(std::string text);

  // Reads the next one. False: that was the last, or something is wrong with the whole.
  [[nodiscard]] bool step();
  // Once step() says false. What is wrong; empty where nothing is.
  [[nodiscard]] const std::string& wrong() const { return wrong_; }
  // Which one was left out, and why, as a part of a sentence; empty where none was.
  [[nodiscard]] const std::string& left_out() const { return left_out_; }
  [[nodiscard]] TokenKeys take_keys() { return std::move(keys_); }
  [[nodiscard]] std::string take_text() { return std::move(text_); }

 private:
  std::string text_, wrong_, left_out_;
  std::vector<std::pair<size_t, size_t>> parts_;  // of the text: where one begins, and its size
  size_t next_ = 0;
  TokenKeys keys_;
};

}  // namespace leat::middleware

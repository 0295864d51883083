// Signatures of tokens (RFC 7518 and 8037), and the keys that they are verified with. What a key is decides which algorithms
// it is for: a public key never verifies what was made with it as a secret, whatever a token says of itself.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// OpenSSL's, which is seen by this folder alone.
struct evp_pkey_st;
struct ossl_param_st;

namespace leat::crypto {

enum class Algorithm : uint8_t {
  HS256,
  HS384,
  HS512,
  RS256,
  RS384,
  RS512,
  PS256,
  PS384,
  PS512,
  ES256,
  ES384,
  ES512,
  EdDSA
};
inline constexpr std::string_view kAlgorithmNames[] = {"HS256", "HS384", "HS512", "RS256", "RS384",
                                                       "RS512", "PS256", "PS384", "PS512", "ES256",
                                                       "ES384", "ES512", "EdDSA"};
inline std::string_view algorithm_name(Algorithm algorithm) {
  return kAlgorithmNames[static_cast<size_t>(algorithm)];
}
std::optional<Algorithm> find_algorithm(std::string_view name);

class VerificationKey {
 public:
  using Made = std::expected<VerificationKey, std::string>;

  // What is wrong says nothing of the key. A secret is at least as long as the hash of each algorithm that it fits (RFC
  // 7518, section 3.2): 32 bytes.
  static Made of_secret(std::string_view secret);
  // Big-endian numbers, as in a JWK. RSA has 2048 bits at least.
  static Made of_rsa(std::string_view modulus, std::string_view exponent);
  // `curve`: "P-256", "P-384" or "P-521".
  static Made of_curve(std::string_view curve, std::string_view x, std::string_view y);
  static Made of_ed25519(std::string_view bytes);
  // Those of all blocks of a PEM text: public keys, and certificates, of which the key alone counts.
  static std::expected<std::vector<VerificationKey>, std::string> of_pem(std::string_view text);

  [[nodiscard]] bool fits(Algorithm algorithm) const;
  enum class Outcome : uint8_t { Good, Bad, Failed };  // Failed: for want of memory
  // `algorithm` must be one that it fits.
  [[nodiscard]] Outcome verify(Algorithm algorithm, std::string_view message,
                               std::string_view signature) const;

 private:
  enum class Kind : uint8_t { Secret, Rsa, P256, P384, P521, Ed25519 };
  struct Curve;
  static const Curve kCurves[];
  static const Curve* curve_of(Kind kind);
  VerificationKey(Kind kind, std::shared_ptr<evp_pkey_st> key, size_t size)
      : kind_(kind), key_(std::move(key)), size_(size) {}
  // Of one that OpenSSL has read.
  static Made of_key(std::shared_ptr<evp_pkey_st> key);
  static Made of_parameters(const char* type, const ossl_param_st* parameters);

  Kind kind_;
  std::shared_ptr<evp_pkey_st> key_;
  size_t size_;  // of a secret: bytes
};

}  // namespace leat::crypto

// Certificate: a certificate with those that vouch for it, and its private key; read, found good, and never changed.
//
// Thread: any. Handshakes refer to it, so that it may outlive the configuration that named it.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct x509_st;
struct evp_pkey_st;
struct stack_st_X509;

namespace leat::tls {

class Certificate {
 public:
  enum class Fault : uint8_t {
    BadChain,   // no certificate can be read
    BadKey,     // no key can be read
    Encrypted,  // the key needs a password
    Mismatch,   // the key is another one's
    Refused     // both are read, and OpenSSL does not take them: a key that is too short
  };
  struct Mistake {
    Fault fault;
    std::string message;
    std::string hint;
  };
  // Both are PEM. The server's own certificate comes first in `chain`.
  static std::expected<std::shared_ptr<const Certificate>, Mistake> read(std::string_view chain,
                                                                         std::string_view key);
  ~Certificate();
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  // The names that it is for (RFC 6125: of the alternative names, not of the subject), in small letters.
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  // Whether it is for `name`, which may itself be "*.example.org".
  [[nodiscard]] bool is_for(std::string_view name) const;
  // In seconds since 1970.
  [[nodiscard]] int64_t not_before() const { return not_before_; }
  [[nodiscard]] int64_t not_after() const { return not_after_; }
  // "ECDSA P-256", "RSA 2048", "Ed25519"; and what a name has one of: "ECDSA", "RSA".
  [[nodiscard]] const std::string& key_type() const { return key_type_; }
  [[nodiscard]] std::string_view key_kind() const {
    return std::string_view(key_type_).substr(0, key_type_.find(' '));
  }
  [[nodiscard]] const std::string& issuer() const { return issuer_; }
  // Of the certificate, SHA-256, in hexadecimal digits.
  [[nodiscard]] const std::string& fingerprint() const { return fingerprint_; }

  [[nodiscard]] x509_st* leaf() const { return leaf_; }
  [[nodiscard]] stack_st_X509* chain() const { return chain_; }
  [[nodiscard]] evp_pkey_st* key() const { return key_; }

 private:
  Certificate() = default;
  void describe();

  x509_st* leaf_ = nullptr;
  stack_st_X509* chain_ = nullptr;  // those that vouch for it
  evp_pkey_st* key_ = nullptr;
  std::vector<std::string> names_;
  int64_t not_before_ = 0, not_after_ = 0;
  std::string key_type_, issuer_, fingerprint_;
};

}  // namespace leat::tls

// Makes certificates: an authority of one's own and what it vouches for. For a developer's machine, where nobody else would
// vouch for "localhost", and for tests. What faces the internet has its certificates from an authority that browsers know.
//
// Thread: any. Making a key of RSA takes some hundred milliseconds.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

namespace leat::tls {

enum class KeyKind : uint8_t { EcdsaP256, Rsa2048, Ed25519 };

// PEM.
struct CertificateFiles {
  std::string certificate;
  std::string key;
};

struct CertificateWish {
  std::string subject;  // its common name, for people
  std::vector<std::string>
      names;  // of hosts, and addresses of IP; of an authority, all that it may vouch for; none: anything
  int64_t from_s = 0, until_s = 0;  // seconds since 1970
  KeyKind kind = KeyKind::EcdsaP256;
  bool authority = false;  // it vouches for others
  bool client = false;     // it is for a client and not for a server
};

// What `by` vouches for; null: itself. An error is a sentence.
[[nodiscard]] std::expected<CertificateFiles, std::string> make_certificate(const CertificateWish& wish,
                                                                            const CertificateFiles* by);

}  // namespace leat::tls

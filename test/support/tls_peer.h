// TlsPeer: the client's end of a TLS connection, by OpenSSL over memory, for tests of the other end; and certificates for both.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "transport/tls/authority.h"

namespace leat::test {

// One for the process, whose authority signs what tests want. `days` are counted from now; negative: it has expired.
const tls::CertificateFiles& test_authority();
tls::CertificateFiles test_certificate(const std::vector<std::string>& names,
                                       tls::KeyKind kind = tls::KeyKind::EcdsaP256, int days = 30);

// Of a client, by that authority.
tls::CertificateFiles test_client(const std::string& subject, const std::vector<std::string>& names = {},
                                  const tls::CertificateFiles& authority = test_authority(),
                                  int64_t seconds = 24 * 3600);
// Another authority than that.
tls::CertificateFiles other_authority();
// What the authority of tests has revoked, in PEM: these; `days` and `seconds` until the next list.
std::string test_revoked(const std::vector<const tls::CertificateFiles*>& revoked, int days = 1,
                         int seconds = 0);

// What the authority of tests, or `by`, says of a certificate by OCSP, in DER: "good", "revoked", "unknown".
std::string test_ocsp(const tls::CertificateFiles& of, std::string_view status = "good", int days = 1,
                      const tls::CertificateFiles& by = test_authority());

class TlsPeer {
 public:
  struct Options {
    std::string name;                // that it asks for; empty: none
    std::vector<std::string> alpn;   // that it offers
    int version = 0;                 // the only one that it speaks; 0: any
    std::string signatures;          // that it takes ("RSA-PSS+SHA256"); empty: any
    SSL_SESSION* session = nullptr;  // to be resumed
    const tls::CertificateFiles* identity = nullptr;
    bool asks_status = false;  // by OCSP
  };
  explicit TlsPeer(const Options& options);
  TlsPeer() : TlsPeer(Options()) {}
  ~TlsPeer();
  TlsPeer(const TlsPeer&) = delete;
  TlsPeer& operator=(const TlsPeer&) = delete;

  // What it has to send: its part of the handshake, and `plain` once it is through.
  std::string says(std::string_view plain = {});
  // Takes what came.
  void hears(std::string_view wire);
  std::string ends();  // close_notify

  std::string plain;  // that came
  bool open = false;
  bool ended = false;   // close_notify came
  std::string failure;  // of OpenSSL's, or the alert that came
  [[nodiscard]] SSL* ssl() const { return ssl_; }
  [[nodiscard]] std::string alpn() const;
  [[nodiscard]] bool resumed() const { return SSL_session_reused(ssl_) == 1; }
  [[nodiscard]] std::string peer_key() const;  // the kind of the other's key
  [[nodiscard]] bool trusts(std::string_view name) const;
  // The newest session; it is the peer's.
  [[nodiscard]] SSL_SESSION* session() const { return session_; }
  size_t tickets = 0;                        // that came
  [[nodiscard]] std::string status() const;  // what came of OCSP; empty: nothing

 private:
  void go_on();
  std::string take_sent();

  SSL_CTX* context_;
  SSL* ssl_;
  BIO* in_;
  BIO* out_;
  SSL_SESSION* session_ = nullptr;
  std::string waiting_;  // plain bytes, before it is open
};

}  // namespace leat::test

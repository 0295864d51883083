// Certificates and keys of a test, in files of its own, and the tables that name them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "e2e/daemon.h"
#include "support/tls_peer.h"

namespace leat::e2e {

// A listener that speaks TLS, as a table; `more`: lines of it.
inline std::string tls_listener(std::string_view more = {}) {
  return "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = true\n" + std::string(more);
}

class TlsFiles {
 public:
  explicit TlsFiles(const std::vector<std::string>& names, tls::KeyKind kind = tls::KeyKind::EcdsaP256,
                    int days = 30)
      : names_(names) {
    renew(kind, days);
    folder_.write("authority.pem", test::test_authority().certificate);
  }
  // Puts another pair in their place, each file by itself.
  void renew(tls::KeyKind kind = tls::KeyKind::EcdsaP256, int days = 30) const {
    const tls::CertificateFiles files = test::test_certificate(names_, kind, days);
    folder_.write("cert.pem", files.certificate);
    folder_.write("key.pem", files.key);
  }
  [[nodiscard]] std::string certificate() const { return folder_.path("cert.pem"); }
  [[nodiscard]] std::string key() const { return folder_.path("key.pem"); }
  [[nodiscard]] std::string authority() const { return folder_.path("authority.pem"); }
  [[nodiscard]] std::string table(std::string_view more = {}) const {
    return "[[tls]]\ncertificate = \"" + certificate() + "\"\nkey = \"" + key() + "\"\n" + std::string(more);
  }

 private:
  TempFolder folder_;
  std::vector<std::string> names_;
};

}  // namespace leat::e2e

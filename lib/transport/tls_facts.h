// TlsFacts: what is known of a TLS connection once it is open: what was agreed on, and who its peer has proved to be.
//
// Texts are views, so that whoever keeps a request for longer than its connection copies them as any other.
#pragma once

#include <string_view>

namespace leat::transport {

// A certificate that authorities of the listener vouch for, whose key the peer has. Texts that it has not are empty.
struct PeerCertificate {
  std::string_view subject;      // "CN=alice,O=Example" (RFC 2253)
  std::string_view common_name;  // of the subject, where it has one alone: "alice"
  // Its alternative names, with a space between: "dns:a.example uri:spiffe://example/b".
  std::string_view names;
  std::string_view fingerprint;  // of all of it, SHA-256, in hexadecimal digits
};

struct TlsFacts {
  // As OpenSSL names them, "TLSv1.3" and "TLS_AES_128_GCM_SHA256"; they stay for ever.
  std::string_view version, cipher;
  const PeerCertificate* certificate = nullptr;  // null: it has shown none
};

}  // namespace leat::transport

// CertificatePattern: which certificates of clients a rule is for, as it is written:
//
//   any                    every one that was verified
//   cn:alice               the common name of its subject, where that has one alone
//   dns:*.example.org      an alternative name: example.org, or *.example.org for all names below it
//   uri:spiffe://a/b       one that is a URI; with * at its end, all that begin so
//   sha256:0f1e...         its fingerprint, with or without colons
//
// Thread: any; immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/client_identity.h"
#include "pipeline/condition.h"

namespace leat::middleware {

class CertificatePattern {
 public:
  // Nothing for what is none of these.
  static std::optional<CertificatePattern> parse(std::string_view text);
  [[nodiscard]] bool fits(const transport::PeerCertificate& certificate) const;

 private:
  enum class Kind : uint8_t { Any, CommonName, Dns, Uri, UriBelow, Fingerprint } kind_ = Kind::Any;
  std::string value_;
  pipeline::HostPattern host_;
};

// A schema::Row::Check.
std::string check_certificate_pattern(std::string_view called, std::string_view text);

}  // namespace leat::middleware

#include "middleware/certificate_pattern.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace leat::middleware {

namespace {

constexpr size_t kFingerprint = 64;

// Without colons, in small letters; nothing where it is none.
std::optional<std::string> read_fingerprint(std::string_view text) {
  std::string digits;
  for (const char c : text)
    if (c != ':') digits += ascii_lower(c);
  const bool good = digits.size() == kFingerprint &&
                    std::ranges::all_of(digits, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
  return good ? std::optional(std::move(digits)) : std::nullopt;
}

// Whether a name of that kind, "dns:", `is` what is looked for.
template <class Is>
bool has_name(std::string_view names, std::string_view kind, Is is) {
  while (!names.empty()) {
    const std::string_view each = names.substr(0, names.find(' '));
    names.remove_prefix(std::min(each.size() + 1, names.size()));
    if (each.starts_with(kind) && is(each.substr(kind.size()))) return true;
  }
  return false;
}

}  // namespace

std::optional<CertificatePattern> CertificatePattern::parse(std::string_view text) {
  CertificatePattern made;
  if (text == "any") return made;
  const size_t colon = text.find(':');
  if (colon == text.npos || colon + 1 == text.size()) return std::nullopt;
  const std::string_view kind = text.substr(0, colon), value = text.substr(colon + 1);
  made.value_ = std::string(value);
  if (kind == "cn") {
    made.kind_ = Kind::CommonName;
  } else if (kind == "dns") {
    auto host = pipeline::HostPattern::parse(value);
    if (!host) return std::nullopt;
    made.kind_ = Kind::Dns;
    made.host_ = std::move(*host);
  } else if (kind == "uri") {
    made.kind_ = value.ends_with('*') ? Kind::UriBelow : Kind::Uri;
    if (made.kind_ == Kind::UriBelow) made.value_.pop_back();
    if (made.value_.empty() || made.value_.contains('*') || made.value_.contains(' ')) return std::nullopt;
  } else if (kind == "sha256") {
    auto digits = read_fingerprint(value);
    if (!digits) return std::nullopt;
    made.kind_ = Kind::Fingerprint;
    made.value_ = std::move(*digits);
  } else {
    return std::nullopt;
  }
  return made;
}

bool CertificatePattern::fits(const transport::PeerCertificate& certificate) const {
  switch (kind_) {
    case Kind::Any:
      return true;
    case Kind::CommonName:
      return certificate.common_name == value_;
    case Kind::Fingerprint:
      return certificate.fingerprint == value_;
    case Kind::Dns:
      return has_name(certificate.names, "dns:", [&](std::string_view name) { return host_.fits(name); });
    case Kind::Uri:
      return has_name(certificate.names, "uri:", [&](std::string_view name) { return name == value_; });
    case Kind::UriBelow:
      return has_name(certificate.names,
                      "uri:", [&](std::string_view name) { return name.starts_with(value_); });
  }
  return false;
}

std::string check_certificate_pattern(std::string_view called, std::string_view text) {
  if (CertificatePattern::parse(text)) return {};
  return fmt::format(
      "{} has `{}`, which is no certificate: write any, cn:NAME, dns:NAME, uri:URI (with * at its end for "
      "all "
      "that begin so), or sha256: and the 64 digits of its fingerprint",
      called, text);
}

}  // namespace leat::middleware

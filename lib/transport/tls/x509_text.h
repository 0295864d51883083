// Certificates as texts and times. For the files of this folder alone.
#pragma once

#include <openssl/x509v3.h>

#include <cstdint>
#include <string>
#include <vector>

namespace leat::tls {

// "CN=alice,O=Example" (RFC 2253), without control characters.
std::string text_of(const X509_NAME* name);
inline std::string subject_of(const X509* certificate) { return text_of(X509_get_subject_name(certificate)); }
// SHA-256, in hexadecimal digits.
std::string fingerprint_of(const X509* certificate);
// In seconds since 1970; 0 where it is no time.
int64_t seconds_of(const ASN1_TIME* time);
// Its alternative names of that type (GEN_DNS, GEN_URI), as they are; without those that have a control character or a space,
// which no such name has, and which would be another name for who is less careful.
std::vector<std::string> alternative_names_of(const X509* certificate, int type);
// The common name of its subject; empty where it has none, several, or one with a control character.
std::string common_name_of(const X509* certificate);

}  // namespace leat::tls

#include "transport/tls/authority.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/host_address.h"
#include "transport/tls/openssl.h"

namespace leat::tls {

namespace {

KeyPointer make_key(KeyKind kind) {
  switch (kind) {
    case KeyKind::Rsa2048:
      return KeyPointer(EVP_RSA_gen(2048));
    case KeyKind::Ed25519:
      return KeyPointer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    case KeyKind::EcdsaP256:
      break;
  }
  return KeyPointer(EVP_EC_gen("P-256"));
}

template <class Write>
std::string pem_of(Write write) {
  const Bio text(BIO_new(BIO_s_mem()));
  if (text == nullptr || write(text.get()) != 1) return {};
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(text.get(), &bytes);
  return {bytes, static_cast<size_t>(size)};
}

bool add_extension(X509* to, X509* issuer, int id, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, to, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
  const bool added = extension != nullptr && X509_add_ext(to, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return added;
}

// The digits of a serial number: it is not to be guessed, and positive (RFC 5280, section 4.1.2.2).
bool set_serial(X509* certificate) {
  BIGNUM* const number = BN_new();
  const bool set = number != nullptr && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                   BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool is_address(const std::string& name) {
  const auto address = HostAddress::parse(name);
  return address && address->is_ip();
}

std::string kind_of(const std::string& name) {
  if (name.contains("://")) return "URI:";
  return is_address(name) ? "IP:" : "DNS:";
}

std::string alternative_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& each : names) text += (text.empty() ? "" : ",") + (kind_of(each) + each);
  return text;
}

// What an authority may vouch for: these and what is below them (RFC 5280, section 4.2.1.10). It is of no use to who steals it.
std::string permitted_names(const std::vector<std::string>& names) {
  std::string text = "critical";
  for (const std::string& each : names) {
    const std::string_view mask =
        each.contains(':') ? "/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" : "/255.255.255.255";
    text += is_address(each) ? ",permitted;IP:" + each + std::string(mask)
                             : ",permitted;DNS:" + (each.starts_with("*.") ? each.substr(2) : each);
  }
  return text;
}

bool fill(X509* made, const CertificateWish& wish, EVP_PKEY* key, X509* issuer) {
  X509_NAME* const subject = X509_get_subject_name(made);
  const auto* const words = reinterpret_cast<const unsigned char*>(wish.subject.data());
  bool good = X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
              ASN1_TIME_set(X509_getm_notBefore(made), wish.from_s) != nullptr &&
              ASN1_TIME_set(X509_getm_notAfter(made), wish.until_s) != nullptr &&
              X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, words,
                                         static_cast<int>(wish.subject.size()), -1, 0) == 1 &&
              X509_set_issuer_name(made, X509_get_subject_name(issuer)) == 1 &&
              X509_set_pubkey(made, key) == 1 &&
              add_extension(made, issuer, NID_basic_constraints,
                            wish.authority ? "critical,CA:TRUE,pathlen:0" : "critical,CA:FALSE") &&
              add_extension(made, issuer, NID_key_usage,
                            wish.authority ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
              add_extension(made, issuer, NID_subject_key_identifier, "hash");
  if (good && !wish.authority)
    good = add_extension(made, issuer, NID_ext_key_usage, wish.client ? "clientAuth" : "serverAuth") &&
           add_extension(made, issuer, NID_authority_key_identifier, "keyid");
  if (!good || wish.names.empty()) return good;
  return wish.authority ? add_extension(made, issuer, NID_name_constraints, permitted_names(wish.names))
                        : add_extension(made, issuer, NID_subject_alt_name, alternative_names(wish.names));
}

}  // namespace

std::expected<CertificateFiles, std::string> make_certificate(const CertificateWish& wish,
                                                              const CertificateFiles* by) {
  ERR_clear_error();
  const KeyPointer key = make_key(wish.kind);
  const X509Pointer made(X509_new());
  X509Pointer issuer;
  KeyPointer issuer_key;
  if (by != nullptr) {
    issuer.reset(PEM_read_bio_X509(bio_of(by->certificate).get(), nullptr, nullptr, nullptr));
    issuer_key.reset(PEM_read_bio_PrivateKey(bio_of(by->key).get(), nullptr, nullptr, nullptr));
    if (issuer == nullptr || issuer_key == nullptr ||
        X509_check_private_key(issuer.get(), issuer_key.get()) != 1)
      return std::unexpected("the authority's certificate and key cannot be used: " + take_error());
  }
  X509* const vouches = issuer != nullptr ? issuer.get() : made.get();
  EVP_PKEY* const signs = issuer_key != nullptr ? issuer_key.get() : key.get();
  const bool plain = signs != nullptr && EVP_PKEY_get_base_id(signs) == EVP_PKEY_ED25519;
  if (key == nullptr || made == nullptr || !fill(made.get(), wish, key.get(), vouches) ||
      X509_sign(made.get(), signs, plain ? nullptr : EVP_sha256()) == 0)
    return std::unexpected("the certificate cannot be made: " + take_error());
  CertificateFiles files{
      pem_of([&](BIO* to) { return PEM_write_bio_X509(to, made.get()); }), pem_of([&](BIO* to) {
        return PEM_write_bio_PKCS8PrivateKey(to, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
      })};
  if (files.certificate.empty() || files.key.empty()) return std::unexpected("there is no memory for it");
  return files;
}

}  // namespace leat::tls

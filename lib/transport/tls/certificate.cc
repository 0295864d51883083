#include "transport/tls/certificate.h"

#include <fmt/core.h>
#include <openssl/pem.h>

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "transport/tls/openssl.h"
#include "transport/tls/x509_text.h"

namespace leat::tls {

namespace {

using Fault = Certificate::Fault;

// More than any authority has between a server's certificate and its root.
constexpr int kMostChain = 16;

std::unexpected<Certificate::Mistake> wrong(Fault fault, std::string message, std::string hint = {}) {
  return std::unexpected(Certificate::Mistake{fault, std::move(message), std::move(hint)});
}

std::string in_small_letters(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), ascii_lower);
  return small;
}

// Asked for the password of a key: there is none, but now it is known that one is needed.
int note_that_encrypted(char*, int, int, void* encrypted) {
  *static_cast<bool*>(encrypted) = true;
  return -1;
}

std::string key_type_of(EVP_PKEY* key) {
  const int bits = EVP_PKEY_get_bits(key);
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
      return fmt::format("RSA {}", bits);
    case EVP_PKEY_RSA_PSS:
      return fmt::format("RSA-PSS {}", bits);
    case EVP_PKEY_EC:
      return fmt::format("ECDSA P-{}", bits);
    case EVP_PKEY_ED25519:
      return "Ed25519";
    case EVP_PKEY_ED448:
      return "Ed448";
    default:
      return EVP_PKEY_get0_type_name(key) != nullptr ? EVP_PKEY_get0_type_name(key) : "another";
  }
}

}  // namespace

Certificate::~Certificate() {
  X509_free(leaf_);
  sk_X509_pop_free(chain_, X509_free);
  EVP_PKEY_free(key_);
}

std::expected<std::shared_ptr<const Certificate>, Certificate::Mistake> Certificate::read(
    std::string_view chain, std::string_view key) {
  ERR_clear_error();
  const std::shared_ptr<Certificate> made(new Certificate);
  const Bio certificates = bio_of(chain);
  made->leaf_ = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr);
  if (made->leaf_ == nullptr)
    return wrong(Fault::BadChain, fmt::format("no certificate can be read: {}", take_error()),
                 "it is PEM, and begins with -----BEGIN CERTIFICATE-----");
  made->chain_ = sk_X509_new_null();
  while (X509* const next = PEM_read_bio_X509(certificates.get(), nullptr, nullptr, nullptr)) {
    sk_X509_push(made->chain_, next);
    if (sk_X509_num(made->chain_) > kMostChain)
      return wrong(Fault::BadChain, fmt::format("more than {} certificates follow each other", kMostChain),
                   "name the server's own and those between it and the authority's root");
  }
  ERR_clear_error();  // the last one said that there is no more

  bool encrypted = false;
  made->key_ = PEM_read_bio_PrivateKey(bio_of(key).get(), nullptr, note_that_encrypted, &encrypted);
  if (encrypted)
    return wrong(
        Fault::Encrypted, "the key is encrypted, and nobody is there to type its password",
        "decrypt it with `openssl pkey -in KEY -out PLAIN`, and let nobody but the daemon's user read it");
  if (made->key_ == nullptr)
    return wrong(Fault::BadKey, fmt::format("no private key can be read: {}", take_error()),
                 "it is PEM, and begins with -----BEGIN PRIVATE KEY-----");
  if (X509_check_private_key(made->leaf_, made->key_) != 1) {
    ERR_clear_error();
    for (int i = 0; i < sk_X509_num(made->chain_); ++i)
      if (X509_check_private_key(sk_X509_value(made->chain_, i), made->key_) == 1)
        return wrong(Fault::Mismatch, "the certificate that the key is for is not the first one",
                     "the server's own comes first, then the one that vouches for it");
    ERR_clear_error();
    return wrong(
        Fault::Mismatch, "the key is not that of the certificate",
        "both are from one request; compare `openssl x509 -noout -pubkey` with `openssl pkey -pubout`");
  }
  const SslContext trial(SSL_CTX_new(TLS_server_method()));
  if (trial == nullptr ||
      SSL_CTX_use_cert_and_key(trial.get(), made->leaf_, made->key_, made->chain_, 1) != 1)
    return wrong(Fault::Refused, fmt::format("the certificate cannot be used: {}", take_error()),
                 "keys of RSA have 2048 bits at least");
  made->describe();
  return made;
}

void Certificate::describe() {
  not_before_ = seconds_of(X509_get0_notBefore(leaf_));
  not_after_ = seconds_of(X509_get0_notAfter(leaf_));
  key_type_ = key_type_of(key_);
  issuer_ = text_of(X509_get_issuer_name(leaf_));
  fingerprint_ = fingerprint_of(leaf_);
  for (const std::string& name : alternative_names_of(leaf_, GEN_DNS))
    names_.push_back(in_small_letters(name));
}

bool Certificate::is_for(std::string_view name) const {
  if (std::ranges::contains(names_, name)) return true;
  const size_t dot = name.find('.');
  return dot != name.npos && dot != 0 && name.front() != '*' &&
         std::ranges::contains(names_, "*" + std::string(name.substr(dot)));
}

}  // namespace leat::tls

#include "support/tls_peer.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "base/check.h"

namespace leat::test {

namespace {

constexpr int64_t kDay = 24 * 3600;

tls::CertificateFiles make(const tls::CertificateWish& wish, const tls::CertificateFiles* by) {
  auto made = tls::make_certificate(wish, by);
  ENSURE(made.has_value());
  return std::move(*made);
}

BIO* bio_of(const std::string& text) { return BIO_new_mem_buf(text.data(), static_cast<int>(text.size())); }

}  // namespace

const tls::CertificateFiles& test_authority() {
  static const tls::CertificateFiles authority = [] {
    const int64_t now = std::time(nullptr);
    return make(
        {.subject = "Tests", .from_s = now - 100 * kDay, .until_s = now + 100 * kDay, .authority = true},
        nullptr);
  }();
  return authority;
}

tls::CertificateFiles test_certificate(const std::vector<std::string>& names, tls::KeyKind kind, int days) {
  const int64_t now = std::time(nullptr);
  return make({.subject = "test",
               .names = names,
               .from_s = now - 90 * kDay,
               .until_s = now + days * kDay,
               .kind = kind},
              &test_authority());
}

tls::CertificateFiles test_client(const std::string& subject, const std::vector<std::string>& names,
                                  const tls::CertificateFiles& authority, int64_t seconds) {
  const int64_t now = std::time(nullptr);
  return make(
      {.subject = subject, .names = names, .from_s = now - kDay, .until_s = now + seconds, .client = true},
      &authority);
}

tls::CertificateFiles other_authority() {
  const int64_t now = std::time(nullptr);
  return make({.subject = "Others", .from_s = now - kDay, .until_s = now + kDay, .authority = true}, nullptr);
}

std::string test_revoked(const std::vector<const tls::CertificateFiles*>& revoked, int days, int seconds) {
  const tls::CertificateFiles& by = test_authority();
  BIO* const certificate = bio_of(by.certificate);
  BIO* const key = bio_of(by.key);
  X509* const issuer = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
  EVP_PKEY* const secret = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
  X509_CRL* const list = X509_CRL_new();
  ASN1_TIME* const made = X509_time_adj_ex(nullptr, -10, 0, nullptr);
  ASN1_TIME* const next = X509_time_adj_ex(nullptr, days, seconds, nullptr);
  ENSURE(X509_CRL_set_version(list, X509_CRL_VERSION_2) == 1);
  ENSURE(X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer)) == 1);
  ENSURE(X509_CRL_set1_lastUpdate(list, made) == 1 && X509_CRL_set1_nextUpdate(list, next) == 1);
  for (const tls::CertificateFiles* each : revoked) {
    BIO* const text = bio_of(each->certificate);
    X509* const gone = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    X509_REVOKED* const entry = X509_REVOKED_new();
    X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(gone));
    X509_REVOKED_set_revocationDate(entry, made);
    ENSURE(X509_CRL_add0_revoked(list, entry) == 1);
    X509_free(gone);
    BIO_free(text);
  }
  ENSURE(X509_CRL_sign(list, secret, EVP_sha256()) > 0);
  BIO* const out = BIO_new(BIO_s_mem());
  ENSURE(PEM_write_bio_X509_CRL(out, list) == 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out, &bytes);
  std::string pem(bytes, static_cast<size_t>(size));
  BIO_free(out);
  ASN1_TIME_free(made);
  ASN1_TIME_free(next);
  X509_CRL_free(list);
  EVP_PKEY_free(secret);
  X509_free(issuer);
  BIO_free(key);
  BIO_free(certificate);
  return pem;
}

std::string test_ocsp(const tls::CertificateFiles& of, std::string_view status, int days,
                      const tls::CertificateFiles& by) {
  const auto certificate = [](const tls::CertificateFiles& files) {
    BIO* const text = bio_of(files.certificate);
    X509* const read = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    return read;
  };
  X509* const subject = certificate(of);
  X509* const issuer = certificate(by);
  BIO* const text = bio_of(by.key);
  EVP_PKEY* const key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
  OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
  OCSP_CERTID* const id = OCSP_cert_to_id(EVP_sha1(), subject, issuer);
  ASN1_TIME* const from = X509_time_adj_ex(nullptr, -2, 0, nullptr);
  ASN1_TIME* const until = X509_time_adj_ex(nullptr, days, 0, nullptr);
  const int code = status == "good"      ? V_OCSP_CERTSTATUS_GOOD
                   : status == "revoked" ? V_OCSP_CERTSTATUS_REVOKED
                                         : V_OCSP_CERTSTATUS_UNKNOWN;
  ENSURE(OCSP_basic_add1_status(basic, id, code, 0, from, from, days == 0 ? nullptr : until) != nullptr);
  ENSURE(OCSP_basic_sign(basic, issuer, key, EVP_sha256(), nullptr, 0) == 1);
  OCSP_RESPONSE* const response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
  unsigned char* bytes = nullptr;
  const int size = i2d_OCSP_RESPONSE(response, &bytes);
  ENSURE(size > 0);
  std::string der(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  ASN1_TIME_free(from);
  ASN1_TIME_free(until);
  EVP_PKEY_free(key);
  BIO_free(text);
  X509_free(issuer);
  X509_free(subject);
  return der;
}

std::string TlsPeer::status() const {
  unsigned char* bytes = nullptr;
  const long size = SSL_get_tlsext_status_ocsp_resp(ssl_, &bytes);
  return size > 0 ? std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size))
                  : std::string();
}

TlsPeer::TlsPeer(const Options& options) : context_(SSL_CTX_new(TLS_client_method())) {
  ERR_clear_error();
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context_, [](SSL* ssl, SSL_SESSION* session) {
    auto& self = *static_cast<TlsPeer*>(SSL_get_app_data(ssl));
    SSL_SESSION_free(self.session_);
    self.session_ = session;
    ++self.tickets;
    return 1;
  });
  if (options.version != 0) {
    SSL_CTX_set_min_proto_version(context_, options.version);
    SSL_CTX_set_max_proto_version(context_, options.version);
  }
  if (!options.signatures.empty())
    ENSURE(SSL_CTX_set1_sigalgs_list(context_, options.signatures.c_str()) == 1);
  if (options.identity != nullptr) {
    BIO* const certificate = bio_of(options.identity->certificate);
    BIO* const key = bio_of(options.identity->key);
    X509* const leaf = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
    EVP_PKEY* const secret = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
    ENSURE(SSL_CTX_use_cert_and_key(context_, leaf, secret, nullptr, 1) == 1);
    X509_free(leaf);
    EVP_PKEY_free(secret);
    BIO_free(certificate);
    BIO_free(key);
  }
  ssl_ = SSL_new(context_);
  in_ = BIO_new(BIO_s_mem());
  out_ = BIO_new(BIO_s_mem());
  BIO_set_mem_eof_return(in_, -1);
  SSL_set_bio(ssl_, in_, out_);
  SSL_set_app_data(ssl_, this);
  SSL_set_connect_state(ssl_);
  if (!options.name.empty()) SSL_set_tlsext_host_name(ssl_, options.name.c_str());
  if (options.asks_status) SSL_set_tlsext_status_type(ssl_, TLSEXT_STATUSTYPE_ocsp);
  std::string protocols;
  for (const std::string& each : options.alpn) protocols += static_cast<char>(each.size()) + each;
  if (!protocols.empty())
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(protocols.data()),
                        static_cast<unsigned>(protocols.size()));
  // A copy: a session of TLS 1.3 is used once.
  if (options.session != nullptr) {
    SSL_SESSION* const session = SSL_SESSION_dup(options.session);
    ENSURE(SSL_set_session(ssl_, session) == 1);
    SSL_SESSION_free(session);
  }
}

TlsPeer::~TlsPeer() {
  // One that was not shut down would not be resumed.
  SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
  SSL_SESSION_free(session_);
  SSL_CTX_free(context_);
}

std::string TlsPeer::take_sent() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out_, &bytes);
  std::string sent(bytes, static_cast<size_t>(size));
  (void)BIO_reset(out_);
  return sent;
}

void TlsPeer::go_on() {
  const auto fails = [&](int result) {
    const int error = SSL_get_error(ssl_, result);
    if (error == SSL_ERROR_WANT_READ) return;
    if (error == SSL_ERROR_ZERO_RETURN) {
      ended = true;
      return;
    }
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    failure = reason != nullptr ? reason : "?";
    ERR_clear_error();
  };
  if (!failure.empty()) return;
  ERR_clear_error();
  if (!open) {
    const int result = SSL_do_handshake(ssl_);
    open = result == 1;
    if (!open) return fails(result);
  }
  if (!waiting_.empty()) {
    ENSURE(SSL_write(ssl_, waiting_.data(), static_cast<int>(waiting_.size())) > 0);
    waiting_.clear();
  }
  char bytes[20'000];
  int result = 0;
  while ((result = SSL_read(ssl_, bytes, sizeof bytes)) > 0) plain.append(bytes, static_cast<size_t>(result));
  fails(result);
}

std::string TlsPeer::says(std::string_view more) {
  waiting_ += more;
  go_on();
  return take_sent();
}

void TlsPeer::hears(std::string_view wire) {
  if (!wire.empty()) BIO_write(in_, wire.data(), static_cast<int>(wire.size()));
  go_on();
}

std::string TlsPeer::ends() {
  SSL_shutdown(ssl_);
  return take_sent();
}

std::string TlsPeer::alpn() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string TlsPeer::peer_key() const {
  const X509* const leaf = SSL_get0_peer_certificate(ssl_);
  return leaf != nullptr ? EVP_PKEY_get0_type_name(X509_get0_pubkey(leaf)) : "";
}

bool TlsPeer::trusts(std::string_view name) const {
  X509* const leaf = SSL_get0_peer_certificate(ssl_);
  return leaf != nullptr && X509_check_host(leaf, name.data(), name.size(), 0, nullptr) == 1;
}

}  // namespace leat::test

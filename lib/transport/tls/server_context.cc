#include "transport/tls/server_context.h"

#include <fmt/core.h>
#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <span>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "transport/tls/tls_transport.h"
#include "transport/tls/x509_text.h"

namespace leat::tls {

namespace {

constexpr std::string_view kTls13 = "TLS_";
// Sessions of this daemon are its own.
constexpr std::string_view kSessionContext = "leat";
// Between a client's certificate and one that is believed: more than anybody has.
constexpr int kMostAuthorities = 8;
constexpr int64_t kMostLifetimeS = 7 * 24 * 3600;  // RFC 8446, section 4.6.1

std::string join(const std::vector<std::string>& names, auto chosen) {
  std::string text;
  for (const std::string& each : names)
    if (chosen(each)) text += (text.empty() ? "" : ":") + each;
  return text;
}

int64_t wall_s() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

int64_t lifetime_s(const Options& options) {
  return std::clamp<int64_t>(static_cast<int64_t>(options.ticket_lifetime_ms / 1000), 1, kMostLifetimeS);
}

ServerContext& context_of(SSL* ssl) {
  return *static_cast<ServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

std::string_view asked_name(const SSL* ssl) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : std::string_view();
}

// What stands in a Host field, which is in order.
std::string_view without_port(std::string_view host) {
  const size_t bracket = host.rfind(']');
  host = host.substr(0, host.find(':', bracket == host.npos ? 0 : bracket));
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

}  // namespace

std::string check_cipher(std::string_view called, std::string_view text) {
  const std::string name(text);
  const SslContext trial(SSL_CTX_new(TLS_server_method()));
  const bool known = text.starts_with(kTls13) ? SSL_CTX_set_ciphersuites(trial.get(), name.c_str()) == 1
                                              : SSL_CTX_set_cipher_list(trial.get(), name.c_str()) == 1;
  ERR_clear_error();
  const STACK_OF(SSL_CIPHER)* const all = SSL_CTX_get_ciphers(trial.get());
  for (int i = 0; known && i < sk_SSL_CIPHER_num(all); ++i)
    if (text == SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i))) return {};
  return std::string(called) + " has `" + name + "`, which is no cipher by OpenSSL's names";
}

std::string check_group(std::string_view called, std::string_view text) {
  const std::string name(text);
  const SslContext trial(SSL_CTX_new(TLS_server_method()));
  const bool known = text.find_first_of(":/?*-") == text.find("-", 0) &&
                     SSL_CTX_set1_groups_list(trial.get(), name.c_str()) == 1;
  ERR_clear_error();
  return known ? std::string()
               : std::string(called) + " has `" + name + "`, which is no group by OpenSSL's names";
}

std::shared_ptr<ServerContext> ServerContext::create(const std::shared_ptr<const Server>& server,
                                                     transport::Now now_ns, std::string& wrong) {
  ERR_clear_error();
  std::shared_ptr<ServerContext> made(new ServerContext(server, std::move(now_ns)));
  return made->set_up_common() && made->set_up(wrong) ? made : nullptr;
}

Ssl ServerContext::new_ssl() {
  Ssl ssl(SSL_new(ssl_context_.get()));
  if (ssl != nullptr) SSL_set_accept_state(ssl.get());
  return ssl;
}

// For people who did not write TLS; OpenSSL's words for the rest.
Context::Failed ServerContext::failure(SSL* ssl) const {
  const unsigned long error = ERR_peek_error();
  switch (ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
      return {Failure::Version, "it speaks older versions of TLS alone than server.tls_min_version"};
    case SSL_R_NO_SHARED_CIPHER:
      return {Failure::Cipher,
              "it has no cipher of server.tls_ciphers, or none that goes with the certificate's key"};
    case SSL_R_NO_SHARED_GROUPS:
      return {Failure::Group, "it has no group of server.tls_groups"};
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return {Failure::Protocol, "it speaks no protocol of this listener (ALPN)"};
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return {Failure::Certificate, "it shows no certificate, and has to (client_certificate)"};
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return {Failure::Certificate, fmt::format("its certificate is refused ({})",
                                                X509_verify_cert_error_string(SSL_get_verify_result(ssl)))};
    case SSL_R_CALLBACK_FAILED:
      return {Failure::Name, "it asks for a name that no certificate is for (server.tls_unknown_name)"};
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_RECORD_TOO_SMALL:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
      return {Failure::NotTls, "it does not speak TLS"};
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
      return {Failure::Distrust, "it does not trust the certificate"};
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
      return {Failure::Distrust, "it finds that the certificate has expired"};
    default:
      break;
  }
  const char* const reason = ERR_reason_error_string(error);
  return {Failure::Other,
          fmt::format("its handshake failed ({})", reason != nullptr ? reason : "no more is known")};
}

bool ServerContext::set_ciphers() {
  SSL_CTX* const context = ssl_context_.get();
  const auto is_tls13 = [](const std::string& name) { return name.starts_with(kTls13); };
  const std::vector<std::string>& names = server_->options.ciphers;
  const std::string newer = join(names, is_tls13), older = join(names, std::not_fn(is_tls13));
  if (!older.empty() && SSL_CTX_set_cipher_list(context, older.c_str()) != 1) return false;
  if (SSL_CTX_set_ciphersuites(context, newer.c_str()) != 1) return false;
  // A version without a cipher is not spoken.
  if (newer.empty()) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  const bool only_newer = server_->options.min_version == Options::Version::Tls13 || older.empty();
  SSL_CTX_set_min_proto_version(context, only_newer ? TLS1_3_VERSION : TLS1_2_VERSION);
  return true;
}

// Clients that are to show a certificate, or may.
bool ServerContext::set_clients() {
  SSL_CTX* const context = ssl_context_.get();
  const ClientTrust* const clients = server_->clients.get();
  if (clients == nullptr)
    return SSL_CTX_set_session_id_context(context,
                                          reinterpret_cast<const unsigned char*>(kSessionContext.data()),
                                          static_cast<unsigned>(kSessionContext.size())) == 1;
  STACK_OF(X509_NAME)* const names = SSL_dup_CA_list(clients->names());
  if (names == nullptr) return false;
  SSL_CTX_set_client_CA_list(context, names);
  SSL_CTX_set1_verify_cert_store(context, clients->store());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (clients->required() ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  SSL_CTX_set_verify_depth(context, kMostAuthorities);
  const auto& own = clients->session_context();
  return SSL_CTX_set_session_ticket_cb(context, nullptr, take_ticket, this) == 1 &&
         SSL_CTX_set_session_id_context(context, own.data(), static_cast<unsigned>(own.size())) == 1;
}

std::unique_ptr<const ProvenPeer> ServerContext::peer_of(SSL* ssl) const {
  X509* const shown = server_->clients != nullptr ? SSL_get0_peer_certificate(ssl) : nullptr;
  if (shown == nullptr || SSL_get_verify_result(ssl) != X509_V_OK) return nullptr;
  auto peer = std::make_unique<ProvenPeer>(subject_of(shown), common_name_of(shown), std::string(),
                                           fingerprint_of(shown));
  const auto add = [&](std::string_view kind, int type) {
    for (const std::string& name : alternative_names_of(shown, type))
      peer->names += fmt::format("{}{}:{}", peer->names.empty() ? "" : " ", kind, name);
  };
  add("dns", GEN_DNS);
  add("uri", GEN_URI);
  peer->shown = {peer->subject, peer->common_name, peer->names, peer->fingerprint};
  return peer;
}

bool ServerContext::set_up(std::string& wrong) {
  SSL_CTX* const context = ssl_context_.get();
  const Options& options = server_->options;
  const std::string groups = join(options.groups, [](const std::string&) { return true; });
  if (!set_ciphers() || !set_clients() || SSL_CTX_set1_groups_list(context, groups.c_str()) != 1) {
    wrong = take_error();
    return false;
  }
  SSL_CTX_set_tlsext_servername_callback(context, choose_name);
  SSL_CTX_set_tlsext_servername_arg(context, this);
  SSL_CTX_set_cert_cb(context, choose_certificate, this);
  SSL_CTX_set_tlsext_status_cb(context, staple);
  SSL_CTX_set_tlsext_status_arg(context, this);
  SSL_CTX_set_alpn_select_cb(context, choose_protocol, this);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  if (server_->tickets == nullptr || options.ticket_lifetime_ms == 0) {
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
  } else {
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_timeout(context, lifetime_s(options));
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, seal_ticket);
  }
  return true;
}

int ServerContext::choose_name(SSL* ssl, int* alert, void* context) {
  const Server& server = *static_cast<ServerContext*>(context)->server_;
  const std::string_view name = asked_name(ssl);
  if (name.empty() || server.options.unknown_name == Options::UnknownName::Default ||
      server.certificates->find(name) != nullptr)
    return SSL_TLSEXT_ERR_OK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

const Certificates::Choice& ServerContext::choice_for(std::string_view name) const {
  const Certificates::Choice* const choice = server_->certificates->find(name);
  return choice != nullptr ? *choice : server_->certificates->fallback();
}

// Browsers ask on one connection for all that its certificate is for (RFC 9113, section 9.1.1). It is right as well for what would
// have had the same certificate; and for anything where its client has asked for no name, so that it cannot have verified one.
bool ServerContext::carries(const SSL* ssl, std::string_view host) const {
  const std::string_view name = asked_name(ssl);
  host = without_port(host);
  if (name.empty() || equal_ignoring_case(name, host)) [[likely]]
    return true;
  const Certificates::Choice& given = choice_for(name);
  if (given == choice_for(host)) return true;
  std::string small(host);
  std::ranges::transform(small, small.begin(), ascii_lower);
  return std::ranges::all_of(given, [&](const auto& each) { return each->is_for(small); });
}

int ServerContext::choose_certificate(SSL* ssl, void* context) {
  for (const auto& each : static_cast<ServerContext*>(context)->choice_for(asked_name(ssl)))
    if (SSL_use_cert_and_key(ssl, each->leaf(), each->key(), each->chain(), 1) != 1) return 0;
  return 1;
}

// What the authority says of the certificate that was chosen, where that is known and not too old.
int ServerContext::staple(SSL* ssl, void* context) {
  const Certificates& all = *static_cast<ServerContext*>(context)->server_->certificates;
  const OcspResponse* const response = all.stapled(SSL_get_certificate(ssl));
  if (response == nullptr || response->until_s() <= wall_s()) return SSL_TLSEXT_ERR_NOACK;
  void* const copy = OPENSSL_memdup(response->bytes().data(), response->bytes().size());
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response->bytes().size()));  // its own now
  return SSL_TLSEXT_ERR_OK;
}

int ServerContext::choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size,
                                   const unsigned char* offered, unsigned offered_size, void* context) {
  // Names with a byte before each that says how long it is; OpenSSL has seen that they come out even.
  const std::string_view names(reinterpret_cast<const char*>(offered), offered_size);
  for (const std::string& wanted : static_cast<ServerContext*>(context)->server_->protocols)
    for (size_t at = 0; at < names.size(); at += 1 + static_cast<unsigned char>(names[at])) {
      const std::string_view name = names.substr(at + 1, static_cast<unsigned char>(names[at]));
      if (name != wanted) continue;
      *chosen = reinterpret_cast<const unsigned char*>(name.data());
      *size = static_cast<unsigned char>(name.size());
      return SSL_TLSEXT_ERR_OK;
    }
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

// 1: the key is there; 2: it opens, and the client gets a new ticket, as one of TLS 1.3 is used once (RFC 8446, appendix C.4);
// 0: it is nobody's.
int ServerContext::seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                               EVP_MAC_CTX* mac, int seals) {
  const Server& server = *context_of(ssl).server_;
  const int64_t lifetime = lifetime_s(server.options);
  std::optional<TicketKeys::Found> found;
  if (seals != 0) {
    const auto key = server.tickets->current(wall_s(), lifetime);
    if (!key || RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) != 1) return -1;
    std::ranges::copy(key->name, name);
    found = {*key, false};
  } else {
    found = server.tickets->find(std::span<const unsigned char, 16>(name, 16), wall_s(), lifetime);
    if (!found) return 0;
  }
  TicketKeys::Key& key = found->key;
  const int done = EVP_CipherInit_ex(cipher, key.is_short ? EVP_aes_128_cbc() : EVP_aes_256_cbc(), nullptr,
                                     key.cipher.data(), iv, seals);
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(),
                                        key.is_short ? key.mac.size() / 2 : key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  const bool good = done == 1 && EVP_MAC_CTX_set_params(mac, params) == 1;
  const bool renews = found->former || SSL_version(ssl) == TLS1_3_VERSION;
  OPENSSL_cleanse(&key, sizeof key);
  if (!good) return -1;
  return renews ? 2 : 1;
}

// A session is not resumed where its client would not be let in now: its certificate is not good any more, or nobody is let in.
SSL_TICKET_RETURN ServerContext::take_ticket(SSL*, SSL_SESSION* session, const unsigned char*, size_t,
                                             SSL_TICKET_STATUS status, void* context) {
  if (status == SSL_TICKET_EMPTY || status == SSL_TICKET_NO_DECRYPT) return SSL_TICKET_RETURN_IGNORE_RENEW;
  if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_ABORT;
  const X509* const shown = SSL_SESSION_get0_peer(session);
  const ClientTrust& clients = *static_cast<ServerContext*>(context)->server_->clients;
  if (shown != nullptr &&
      (X509_cmp_current_time(X509_get0_notAfter(shown)) <= 0 || clients.lists_until() <= wall_s()))
    return SSL_TICKET_RETURN_IGNORE_RENEW;
  return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

std::string check(const std::shared_ptr<const Server>& server) {
  std::string wrong;
  if (ServerContext::create(server, [] { return uint64_t{0}; }, wrong) == nullptr && wrong.empty())
    wrong = "there is no memory for it";
  return wrong;
}

std::function<transport::MakeTransport(transport::Now)> transports(std::shared_ptr<const Server> server) {
  return [server = std::move(server)](transport::Now now_ns) -> transport::MakeTransport {
    std::string wrong;
    std::shared_ptr<Context> context = ServerContext::create(server, std::move(now_ns), wrong);
    return [context = std::move(context)] { return std::make_unique<TlsTransport>(context); };
  };
}

}  // namespace leat::tls

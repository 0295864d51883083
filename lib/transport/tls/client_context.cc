// The Context of connections to one server.
#include <fmt/core.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "base/host_address.h"
#include "transport/tls/client.h"
#include "transport/tls/context.h"
#include "transport/tls/tls_transport.h"

namespace leat::tls {

namespace {

using Store = std::unique_ptr<X509_STORE, Freeing<X509_STORE_free>>;
using Session = std::unique_ptr<SSL_SESSION, Freeing<SSL_SESSION_free>>;

// A session of TLS 1.3 is resumed once, and each connection brings a new one: more than a few are never of use.
constexpr size_t kMostSessions = 8;

// Whom a server is to talk to.
struct Peer {
  std::string host;
  bool is_name = true;  // else an address
  std::vector<std::string> protocols;
  Store own;  // whom to believe; null: the system's
};

Store read_store(std::string_view authorities) {
  Store store(X509_STORE_new());
  const Bio text = bio_of(authorities);
  while (store != nullptr) {
    const X509Pointer each(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
    if (each == nullptr) break;
    X509_STORE_add_cert(store.get(), each.get());
  }
  ERR_clear_error();  // the last one said that there is no more
  return store;
}

// Read once: it is some hundred certificates, which all contexts share.
X509_STORE* systems_store() {
  static const Store store = [] {
    Store made(X509_STORE_new());
    if (made != nullptr) X509_STORE_set_default_paths(made.get());
    return made;
  }();
  return store.get();
}

class ClientContext final : public Context {
 public:
  static std::shared_ptr<ClientContext> create(const std::shared_ptr<const Peer>& peer,
                                               transport::Now now_ns) {
    std::shared_ptr<ClientContext> made(new ClientContext(peer, std::move(now_ns)));
    return made->set_up() ? made : nullptr;
  }

  [[nodiscard]] Ssl new_ssl() override {
    Ssl ssl(SSL_new(ssl_context_.get()));
    if (ssl == nullptr) return ssl;
    SSL_set_connect_state(ssl.get());
    X509_VERIFY_PARAM* const verified = SSL_get0_param(ssl.get());
    const bool named = peer_->is_name ? SSL_set_tlsext_host_name(ssl.get(), peer_->host.c_str()) == 1 &&
                                            SSL_set1_host(ssl.get(), peer_->host.c_str()) == 1
                                      : X509_VERIFY_PARAM_set1_ip_asc(verified, peer_->host.c_str()) == 1;
    if (!named) return nullptr;
    if (!sessions_.empty()) {
      SSL_set_session(ssl.get(), sessions_.back().get());
      sessions_.pop_back();
    }
    return ssl;
  }
  [[nodiscard]] bool is_client() const override { return true; }
  [[nodiscard]] Failed failure(SSL* ssl) const override {
    if (const long verified = SSL_get_verify_result(ssl); verified != X509_V_OK)
      return {Failure::Certificate, fmt::format("its certificate is not to be trusted ({})",
                                                X509_verify_cert_error_string(verified))};
    return {Failure::Other, fmt::format("its handshake failed ({})", take_error())};
  }

 private:
  ClientContext(const std::shared_ptr<const Peer>& peer, transport::Now now_ns)
      : Context(TLS_client_method(), std::move(now_ns), UINT32_MAX, UINT32_MAX), peer_(peer) {}

  bool set_up() {
    SSL_CTX* const context = ssl_context_.get();
    X509_STORE* const believed = peer_->own != nullptr ? peer_->own.get() : systems_store();
    if (!set_up_common() || believed == nullptr) return false;
    SSL_CTX_set1_cert_store(context, believed);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, [](SSL* ssl, SSL_SESSION* session) {
      static_cast<ClientContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)))->keep(session);
      return 1;
    });
    std::string offered;
    for (const std::string& each : peer_->protocols) offered += static_cast<char>(each.size()) + each;
    return offered.empty() ||
           SSL_CTX_set_alpn_protos(context, reinterpret_cast<const unsigned char*>(offered.data()),
                                   static_cast<unsigned>(offered.size())) == 0;
  }
  void keep(SSL_SESSION* session) {
    if (sessions_.size() == kMostSessions) sessions_.erase(sessions_.begin());
    sessions_.emplace_back(session);
  }

  const std::shared_ptr<const Peer> peer_;
  std::vector<Session> sessions_;  // the newest last
};

}  // namespace

std::expected<std::function<transport::MakeTransport(transport::Now)>, std::string> client_transports(
    std::string_view host, std::vector<std::string> protocols, std::string_view authorities) {
  ERR_clear_error();
  const auto address = HostAddress::parse(host);
  auto peer =
      std::make_shared<const Peer>(std::string(host), !(address && address->is_ip()), std::move(protocols),
                                   authorities.empty() ? nullptr : read_store(authorities));
  if (ClientContext::create(peer, [] { return uint64_t{0}; }) == nullptr)
    return std::unexpected("TLS cannot be set up: " + take_error());
  return [peer = std::move(peer)](transport::Now now_ns) -> transport::MakeTransport {
    std::shared_ptr<Context> context = ClientContext::create(peer, std::move(now_ns));
    return [context = std::move(context)] { return std::make_unique<TlsTransport>(context); };
  };
}

}  // namespace leat::tls

// ServerContext: the Context of a listening socket's connections: which certificate, protocol and session a client gets.
#pragma once

#include <memory>
#include <string>

#include "transport/tls/context.h"
#include "transport/tls/server.h"

namespace leat::tls {

class ServerContext final : public Context {
 public:
  // What is wrong with the server's options is said in one sentence, and then there is none.
  static std::shared_ptr<ServerContext> create(const std::shared_ptr<const Server>& server,
                                               transport::Now now_ns, std::string& wrong);

  [[nodiscard]] Ssl new_ssl() override;
  [[nodiscard]] bool is_client() const override { return false; }
  [[nodiscard]] std::unique_ptr<const ProvenPeer> peer_of(SSL* ssl) const override;
  [[nodiscard]] Failed failure(SSL* ssl) const override;
  [[nodiscard]] bool carries(const SSL* ssl, std::string_view host) const override;

 private:
  ServerContext(const std::shared_ptr<const Server>& server, transport::Now now_ns)
      : Context(TLS_server_method(), std::move(now_ns), server->options.handshakes,
                server->options.handshakes_per_turn, server->counts, server->memory,
                server->options.memory_bytes),
        server_(server) {}
  [[nodiscard]] bool set_up(std::string& wrong);
  [[nodiscard]] bool set_ciphers();
  [[nodiscard]] bool set_clients();

  [[nodiscard]] const Certificates::Choice& choice_for(std::string_view name) const;
  static int choose_name(SSL* ssl, int* alert, void* context);
  static int choose_certificate(SSL* ssl, void* context);
  static int staple(SSL* ssl, void* context);
  static int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size,
                             const unsigned char* offered, unsigned offered_size, void* context);
  static int seal_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                         EVP_MAC_CTX* mac, int seals);
  static SSL_TICKET_RETURN take_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char* name,
                                       size_t name_size, SSL_TICKET_STATUS status, void* context);

  const std::shared_ptr<const Server> server_;
};

}  // namespace leat::tls

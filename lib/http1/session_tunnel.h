// SessionTunnel: the tunnel that a session's connection has become, after a request that switched protocols.
//
// HTTP/1 is over on that connection then: what follows the request's head is its user's, also what came with the same bytes, and
// when the tunnel ends so does the connection. The session goes on to carry the bytes, by its step Tunnel: waiting input,
// output, deadline, drain and the peer's end are its own, as for requests.
//
// Thread: its worker's.
#pragma once

#include <memory>
#include <utility>

#include "http/tunnel_side.h"

namespace leat::http1 {

class Session;

class SessionTunnel final : public http::TunnelSide {
 public:
  SessionTunnel(Session& session, transport::Output& output, std::unique_ptr<http::TunnelUser> user)
      : TunnelSide(output, std::move(user)), session_(session) {}

  // --- http::Tunnel
  [[nodiscard]] bool is_full() override;
  void set_deadline(uint64_t ms) override;

 private:
  void wrote() override;
  void want_turn() override;

  Session& session_;
};

}  // namespace leat::http1

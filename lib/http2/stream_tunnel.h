// StreamTunnel: the tunnel that a stream has become, after a request that goes on in another protocol (RFC 8441).
//
// DATA frames carry its bytes both ways, in the windows and the order of all streams. What its user writes waits in the stream's queue
// until the session looks at the stream, so that what is written together leaves together. END_STREAM is an end in order,
// either side's by itself; RST_STREAM is none.
//
// Thread: its worker's.
#pragma once

#include <memory>
#include <utility>

#include "http/tunnel_side.h"

namespace leat::http2 {

class Stream;

class StreamTunnel final : public http::TunnelSide {
 public:
  StreamTunnel(Stream& stream, transport::Output& output, std::unique_ptr<http::TunnelUser> user)
      : TunnelSide(output, std::move(user)), stream_(stream) {}

  // --- http::Tunnel
  [[nodiscard]] bool is_full() override;
  void set_deadline(uint64_t ms) override;

 private:
  void wrote() override;
  void want_turn() override;

  Stream& stream_;
};

}  // namespace leat::http2

// What an HTTP/2 connection offers its peer, and what it takes from one, beside what http::Limits says of any request. Each is
// a setting; config/ fills this struct.
#pragma once

#include <cstdint>

namespace leat::http2 {

struct Options {
  // Requests of a connection that are under way at the same time. A page of a browser has a hundred; each may hold a handler.
  uint32_t streams = 128;
  // Of the table in which the peer's fields are kept (HPACK), per connection. What it is by itself: few gain from more.
  uint32_t header_table_bytes = 4096;
  // How much of a request's body may come before its handler has read any ...
  uint32_t window_bytes = 64 * 1024;
  // ... and how much at most on its way while the handler reads.
  uint32_t most_window_bytes = 1024 * 1024;
  // Of bodies that handlers let wait, on one connection together. Then the peer waits.
  uint32_t waiting_bytes = 4 * 1024 * 1024;
  // How long an answer waits for its peer to take some more of it, whether or not it takes others.
  uint32_t window_timeout_ms = 30'000;
  // Frames that a head may be in, beside the first.
  uint32_t continuations = 8;
  // Requests that a peer may take back, or spoil, beyond those that it has had answered.
  uint32_t resets = 100;
  // Frames that carry nothing, such as pings, at once ...
  uint32_t control_frames = 1000;
  // ... and each second.
  uint32_t control_rate = 100;
  // Whether a request may ask to go on in another protocol (RFC 8441). Without it browsers open a connection of HTTP/1.1 for each
  // of their WebSockets.
  bool tunnels = true;
};

}  // namespace leat::http2

// What a WebSocket may do; settings, which config/ fills.
#pragma once

#include <cstdint>

namespace leat::websocket {

struct Options {
  uint64_t message_bytes = uint64_t{1} << 20;  // that is received, unpacked; past it 1009
  uint64_t frame_bytes = uint64_t{1} << 20;    // likewise, of one of its frames as it comes
  uint32_t messages_per_second = 0;  // that are received; beyond, it is read from more slowly. 0: any number
  uint64_t queue_bytes = uint64_t{4} << 20;  // that wait to be sent; beyond, nothing more is taken
  uint32_t ping_interval_ms = 30'000;  // without a byte from the peer, after which it is asked; 0: never
  uint32_t ping_timeout_ms = 20'000;   // for its answer, before it counts as gone
  uint32_t idle_timeout_ms = 0;        // without a message in either direction; 0: any time
  uint32_t close_timeout_ms = 5'000;   // for the peer's Close, after ours
  uint32_t drain_spread_ms = 5'000;    // over which those are told that the server goes
  uint64_t broadcast_bytes = uint64_t{64} << 20;  // of messages for many, on their way through workers
  bool compress = true;                           // permessage-deflate, where clients offer it
  uint32_t compress_from = 256;  // bytes of a message that is sent, from which on it is packed
};

}  // namespace leat::websocket

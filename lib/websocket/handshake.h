// The handshake of WebSocket as a server sees it (RFC 6455, section 4.2; compression: RFC 7692, section 7.1).
//
// A request is judged by what its client says and by what is offered here; nothing is answered. Who asks over another stream
// than HTTP/1.1's has no key to be proved to (RFC 8441, section 5).
//
// Thread: any.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace leat::websocket {

inline constexpr std::string_view kProtocol = "websocket";

// What is offered to a client.
struct Offer {
  std::span<const std::string_view> protocols;  // subprotocols, in no order: the client's counts
  // Pages of these may ask, with "*" whichever; empty: those of the host that is asked. A browser sends its user's cookies
  // along for any page, and answers are not hidden from that, as they are with other requests (RFC 6455, section 10.2).
  std::span<const std::string_view> origins;
  bool compression = true;
};

// How frames are compressed, as was agreed on.
struct Compression {
  bool agreed = false;
  uint8_t window_bits = 15;  // of what the server packs
};

// A handshake that is good, or what is wrong with it.
struct Handshake {
  uint16_t status = 0;          // 0: it is good. 400, 403, 426, or 503 where memory is out
  std::string_view detail;      // what the client is told, a literal
  std::string_view accept;      // of Sec-WebSocket-Accept, in the arena; empty where there is no key
  std::string_view protocol;    // the subprotocol that was chosen, as the client spelt it; empty: none
  std::string_view extensions;  // what is agreed to, in the arena; empty: none
  Compression compression;
};

// `keyed`: the client has to have sent a key. Texts are good as long as the request.
Handshake judge(const http::Request& request, const Offer& offer, bool keyed, Arena& arena);

// The Sec-WebSocket-Accept for a key, 28 bytes into `to`. False: memory is out.
bool make_accept(std::string_view key, char* to);
inline constexpr size_t kAcceptSize = 28;

}  // namespace leat::websocket

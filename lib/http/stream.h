// Stream: the way back of one request, as its exchange sees it.
//
// What a handler answers goes from the exchange to its stream, and the stream makes bytes of it: HTTP/1 on a
// connection (http1::Session), or what a thread of the pool hands to a worker (plugin::DetachedCall). An
// exchange knows no more of a protocol than this. A whole answer is one call, answer(). One in pieces is
// head(), then data() any number of times, and end(); or cut() at any moment.
//
// What a stream does to its exchange in return (the request has come whole, its client has left) it does
// through http::StreamSide (http/exchange.h).
//
// Thread: its exchange's.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "http/refusal.h"
#include "transport/output.h"

namespace leat::http {

class Exchange;
class Protocol;
class Response;
class Tunnel;
class TunnelUser;

using transport::Release;

// How long the body of an answer is. How a client is told, if at all, is its protocol's.
struct AnswerFraming {
  enum class Kind : uint8_t { None, Length, Unknown };  // None: the status has no body, nor a word about one
  Kind kind = Kind::None;
  uint64_t length = 0;  // with Length
};

// What the body of a request is to do.
enum class BodyFlow : uint8_t {
  Flowing,  // come
  Paused,   // wait, for as long as its handler likes
  Held      // wait, for as long as an answer may take; then that is a 504
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Whether the head could be sent as it is: a protocol bounds it.
  [[nodiscard]] virtual bool fits(const Response& response) const = 0;

  // The answer, of which `body` is all; it is not sent where exchange.head_only(). Without `pinned` it is
  // copied; with it, it stays where it is until that runs, which it does in any case.
  virtual void answer(Exchange& exchange, AnswerFraming framing, std::string_view body,
                      const Release* pinned) = 0;

  // An answer in pieces begins.
  virtual void head(Exchange& exchange, AnswerFraming framing) = 0;
  // Copies a piece of it; nothing is sent where exchange.head_only(). False: so much is queued that the
  // exchange shall wait for Service::on_writable; or the answer was cut.
  virtual bool data(Exchange& exchange, std::string_view bytes) = 0;
  // It is whole; exchange.trailers() follow where the protocol has a place for them.
  virtual void end(Exchange& exchange) = 0;
  // It will not be: its client must not take it for a whole one.
  virtual void cut(Exchange& exchange, const Refusal& why) = 0;

  // A client that waits to be told so goes on with the request's body (100 Continue). Nothing where it does
  // not wait. The exchange may be finished after that, for want of memory.
  virtual void continue_body(Exchange& exchange) = 0;
  // Before the answer: what its client may fetch meanwhile, the values of Link fields (103 Early Hints, RFC 8297). Nothing where
  // that is not for this client, or memory is out.
  virtual void hints(Exchange& exchange, std::span<const std::string_view> links) {
    (void)exchange, (void)links;
  }
  // What the request's body is to do from now on; at first it flows.
  virtual void body_flow(Exchange& exchange, BodyFlow flow) = 0;

  // --- Going on in another protocol (RFC 9110, section 7.8; RFC 8441, section 4); see http/tunnel.h.

  // The status that agrees to it. 0: the client does not ask for `protocol` on this stream, or it is not to be had here.
  [[nodiscard]] virtual uint16_t tunnel_status(const Exchange&, std::string_view protocol) const {
    (void)protocol;
    return 0;
  }
  // Sends the head, with that status; the bytes of both directions are `user`'s from then on. Null: memory was out, and that
  // was answered.
  virtual Tunnel* tunnel(Exchange& exchange, std::string_view protocol, std::unique_ptr<TunnelUser> user);

  // Who goes on with the exchange once it was suspended; nullptr where it cannot be.
  [[nodiscard]] virtual Protocol* protocol() = 0;
};

}  // namespace leat::http

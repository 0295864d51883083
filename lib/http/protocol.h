// Protocol: what a connection drives. Bytes in by feed(), bytes out by output(), and time.
//
// A connection makes one when it is known which it is to be (choose_protocol), and knows nothing else of it.
// One protocol has one request at a time (http1::Session), another many; each request has a Stream of its
// own.
//
// What is asked for at every turn lies here as a value, so that it costs no call; a protocol keeps it true.
//
// No call re-enters: handlers run from feed(), resume(), sent() and the like, and what they ask of their
// exchange takes effect when they return.
//
// Thread: its worker's. Owned by a connection, which outlives no exchange of it: disconnect() ends them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "http/client_identity.h"
#include "http/refusal.h"
#include "http/worker_context.h"
#include "transport/output.h"
#include "transport/transport.h"

namespace leat::http {

struct ProxyTrust;

// Who is at the other end. What it refers to outlives the protocol.
struct ProtocolPeer {
  ClientIdentity identity;            // of its requests, as far as the connection knows
  const ProxyTrust* trust = nullptr;  // whose word counts with a request; null: its client's does not
  std::string_view listener;          // the name of the listening socket that it came by
  uint32_t owner = 0;                 // the number by which the protocol's owner finds itself
  const transport::Transport* transport = nullptr;  // that lies between; null: none
  bool internal = false;  // nobody: what is fed comes from WorkerContext::ask_self(), and is one request
};
// Who asks for itself.
inline ProtocolPeer peer_at(std::string_view address, uint32_t owner = 0) {
  return {.identity = {.peer = address, .client = address}, .owner = owner};
}

inline constexpr Refusal kMisdirected{
    421, "This connection is for another host: another one has to be opened for this request."};

class Protocol {
 public:
  virtual ~Protocol() = default;  // after disconnect()
  Protocol(const Protocol&) = delete;
  Protocol& operator=(const Protocol&) = delete;

  // --- Events

  // Bytes from the peer; all are taken.
  virtual void feed(std::string_view bytes) = 0;
  // The peer will send no more, and all that it has sent was fed. What it asked for is answered if that comes
  // soon: see peer_ended().
  virtual void feed_end() = 0;
  // The same where bytes may still be on their way to feed(). A peer that has ended its side may read on, or
  // may have left altogether, and only sending to it tells which. So a request that waits, and has nothing on
  // its way to the peer for Limits::half_closed_timeout_ms, ends as if the peer had gone.
  virtual void peer_ended() = 0;
  // The transport has gone: ends what is under way. Output stays as it is, since a send may be under way that
  // reads from it; it is dropped with the protocol.
  virtual void disconnect() = 0;
  // The first `size` bytes of output() have left.
  virtual void sent(size_t size) = 0;
  // Goes on with a suspended exchange of this protocol.
  virtual void resume(Exchange& exchange, WorkerContext::Resume call, void* argument) = 0;
  // Goes on after wants_turn().
  virtual void take_turn() = 0;
  // deadline_ms() has passed.
  virtual void deadline_passed() = 0;
  // Ends in order, with nothing lost that the peer has sent: what was begun is answered, and the last answer
  // says that it is the last. Where nothing is under way the next request still is answered, up to
  // `idle_until_ms` (as deadline_ms()). May be called again, with the same time.
  virtual void drain(uint64_t idle_until_ms) = 0;
  // Memory is out: a request that has not come whole is answered with a 503. Of one that came whole nothing
  // is lost, but what the peer has sent behind it, and what it sends from now on, is dropped: its answer is
  // the last one.
  virtual void give_up_input() = 0;
  // Whatever the peer asks for is answered with a 503 that needs nothing but room for its bytes, and the
  // protocol ends.
  virtual void turn_away() = 0;

  // --- Questions

  [[nodiscard]] transport::Output& output() { return output_; }
  [[nodiscard]] uint32_t owner() const { return peer_.owner; }
  [[nodiscard]] std::string_view listener() const { return peer_.listener; }
  [[nodiscard]] bool internal() const { return peer_.internal; }
  // More input is there, but this turn was long enough: call take_turn() in the next.
  [[nodiscard]] bool wants_turn() const { return wants_turn_; }
  // When deadline_passed() wants to be called (WorkerContext::now_ns() / 10^6), UINT64_MAX for never. It
  // moves without notice: look at it when an earlier one has passed.
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }
  // The last answer is incomplete: close so that the peer notices (a reset), once output() has left.
  [[nodiscard]] bool cut() const { return cut_; }
  // The peer may still be sending: read and drop for a moment before closing, or a reset could destroy the
  // answer on its way (RFC 9112, section 9.6).
  [[nodiscard]] bool linger() const { return linger_; }
  // Send what output() holds, then close.
  [[nodiscard]] bool finished() const { return finished_; }
  // Between two requests, nothing held.
  [[nodiscard]] bool idle() const { return at_rest_ && output_.empty(); }
  // False: receive no more until it is true again; bytes that still come are kept.
  [[nodiscard]] bool wants_input() const { return takes_input_ || keeps_input(); }
  [[nodiscard]] virtual bool half_closed() const = 0;
  // Memory that is held, in bytes: answers on their way, input that waits, and what requests under way have.
  // Looks at everything.
  [[nodiscard]] virtual size_t footprint() const = 0;
  // Of that, input that came before it was its turn.
  [[nodiscard]] virtual size_t waiting_input() const = 0;
  // Since when the peer has been owing the rest of a request, in the clock of deadline_ms(); UINT64_MAX: it
  // owes nothing.
  [[nodiscard]] virtual uint64_t owed_since_ms() const = 0;
  [[nodiscard]] virtual uint64_t requests() const = 0;

 protected:
  Protocol(const ProtocolPeer& peer, transport::OutputMemory memory) : peer_(peer), output_(memory) {}
  // Of bytes that could not be used at once, whether they may come all the same.
  [[nodiscard]] virtual bool keeps_input() const = 0;
  // Whether a request for that host may come by this connection (RFC 9110, section 7.4); else it is answered with kMisdirected.
  [[nodiscard]] bool may_be_asked_for(std::string_view host) const {
    return peer_.transport == nullptr || host.empty() || peer_.transport->carries(host);
  }

  const ProtocolPeer peer_;
  transport::Output output_;
  uint64_t deadline_ms_ = UINT64_MAX;
  bool wants_turn_ = false;
  bool finished_ = false;
  bool at_rest_ = true;       // between two requests, and no input waits
  bool takes_input_ = false;  // what comes is used at once
  bool cut_ = false;
  bool linger_ = false;
};

// Makes the protocols of one kind for one worker's connections.
class ProtocolFactory {
 public:
  virtual ~ProtocolFactory() = default;
  [[nodiscard]] virtual std::unique_ptr<Protocol> make(const ProtocolPeer& peer) = 0;
  // As a listener's options name it, and as two ends of a transport agree on it (ALPN, RFC 7301).
  [[nodiscard]] virtual std::string_view name() const = 0;
  // What each of its connections begins with, by which it is known where nothing was agreed on; empty:
  // anything.
  [[nodiscard]] virtual std::string_view preface() const { return {}; }
};

// Which of those that a listener has a connection speaks.
struct ProtocolChoice {
  ProtocolFactory* factory = nullptr;
  bool needs_more = false;  // bytes; otherwise, without a factory: none of them
};
// `allowed` is not empty, and what comes first in it goes first where several would do. `agreed`: what the
// transport's ends agreed on; empty, or a name that nobody here has: look at `first`, the bytes that have
// come so far. `last`: there will be no others.
[[nodiscard]] ProtocolChoice choose_protocol(std::span<ProtocolFactory* const> allowed,
                                             std::string_view agreed, std::string_view first,
                                             bool last = false);

}  // namespace leat::http

// Transport: what lies between a socket and a protocol and changes the bytes on their way: encryption, or a
// header before all else.
//
//   wire bytes -> received() -> PlainSink            the protocol's input
//   the protocol's output -> seal() -> wire Output   what the socket sends
//
// A plain socket has none, and pays one branch for it. A transport knows no socket and no clock: whoever owns
// both sends what it seals and gives up on a handshake that takes too long. Nothing above it counts wire
// bytes: the protocol's bytes have left when all that they were sealed into has (Channel).
//
// It begins in Handshake, in which nothing is sealed but what it says itself, and only moves forward. In
// Ended the peer has said that it sends no more, as by an end of file, but so that nobody can have cut it.
// In Failed nothing is received or sealed any more, but for what it has to say about that.
//
// Thread: its connection's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "transport/output.h"
#include "transport/tls_facts.h"

namespace leat::transport {

// Takes plain bytes; they stay until it returns.
class PlainSink {
 public:
  virtual void plain(std::string_view bytes) = 0;

 protected:
  ~PlainSink() = default;
};

struct ProxyHeader;

class Transport {
 public:
  enum class State : uint8_t { Handshake, Open, Ended, Failed };
  // The most plain bytes of one seal(): what is sealed at once is sent at once.
  static constexpr size_t kMostSealed = size_t{256} * 1024;

  virtual ~Transport() = default;

  // Bytes from the peer, in any pieces; all are taken.
  virtual void received(std::string_view wire, PlainSink& sink) = 0;
  // Appends to `wire` what it has to say itself, then the first bytes of `plain`, sealed, as many as it
  // wants. Returns how many of `plain` those are; they are not consumed. Takes fewer where memory is short,
  // and fails where there is none at all: what is sealed is a copy, and a block kept for each connection to
  // hold one would be the very memory that has run out.
  [[nodiscard]] virtual size_t seal(const Output& plain, Output& wire) = 0;
  // Appends that nothing follows. Called once at most, when all is sealed.
  virtual void close_notify(Output& wire) = 0;
  [[nodiscard]] virtual State state() const = 0;

  // It was handed more than is to be done in one turn: calls take_turn() in the next.
  [[nodiscard]] virtual bool wants_turn() const { return false; }
  virtual void take_turn(PlainSink&) {}

  // What passes is encrypted.
  [[nodiscard]] virtual bool secure() const { return false; }
  // Known once it is Open; empty: nothing was said.
  [[nodiscard]] virtual std::string_view alpn() const { return {}; }
  // What it has agreed on, and who its peer is; null: it speaks no TLS, or is not open. It stays as long as the transport.
  [[nodiscard]] virtual const TlsFacts* tls() const { return nullptr; }
  // Whether a request for that host, which may have a port, may come by it: what its peer has verified is right for that one.
  [[nodiscard]] virtual bool carries(std::string_view host) const {
    (void)host;
    return true;
  }
  // What a proxy has said of the connection (transport/proxy_protocol.h); null: nothing.
  [[nodiscard]] virtual const ProxyHeader* proxy_header() const { return nullptr; }
  // Its work is done: bytes pass as they are from now on, and it can go.
  [[nodiscard]] virtual bool spent() const { return false; }
  // Why it has failed, as a sentence about the peer ("it ..."); empty where that is not for the log.
  [[nodiscard]] virtual std::string_view failure() const { return {}; }
};

// Makes the transports of connections that have something in common, on the thread that is theirs.
using MakeTransport = std::function<std::unique_ptr<Transport>()>;
// That thread's time in nanoseconds, which goes on from one of its turns to the next.
using Now = std::function<uint64_t()>;

// A transport with its wire bytes, for whoever owns socket and protocol.
class Channel {
 public:
  using State = Transport::State;
  Channel(std::unique_ptr<Transport> transport, OutputMemory memory)
      : transport_(std::move(transport)), wire_(memory) {}

  void received(std::string_view wire, PlainSink& sink);
  void take_turn(PlainSink& sink);
  // What to send next, with nothing in flight. `plain` is sealed only when all that was sealed before has
  // left, so back-pressure is felt there, and one send's worth is sealed at most.
  [[nodiscard]] Output& to_send(const Output& plain);
  // The first `size` wire bytes have left. Returns how many bytes at the front of `plain` have left with
  // them.
  [[nodiscard]] size_t sent(size_t size);
  // Says that nothing follows; false where it was said, or cannot be.
  [[nodiscard]] bool end();

  [[nodiscard]] State state() const { return transport_->state(); }
  [[nodiscard]] const Transport& transport() const { return *transport_; }
  [[nodiscard]] bool was_open() const { return opened_; }
  [[nodiscard]] bool empty() const { return wire_.empty(); }
  [[nodiscard]] size_t footprint() const { return wire_.footprint(); }

 private:
  void look();

  std::unique_ptr<Transport> transport_;
  Output wire_;
  size_t sealed_ = 0;  // plain bytes in `wire_`
  State reached_ = State::Handshake;
  bool opened_ = false;
  bool ended_ = false;
};

}  // namespace leat::transport

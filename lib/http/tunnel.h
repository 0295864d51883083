// Tunnel: what is left of a request once it has switched protocols: the bytes of both directions.
//
// A handler whose client asks to go on in another protocol (RFC 9110, section 7.8; over HTTP/2 RFC 8441) agrees with
// Exchange::switch_to() and names a TunnelUser. What is received from then on is that one's, and what it writes is sent. The
// Tunnel is the stream's side of it, http1::SessionTunnel; the user is whoever speaks the other protocol, websocket::Socket.
//
// Always holds:
//  - The stream owns the user. It ends after on_closed(), never within a call of its own.
//  - The user is called by one event at a time, and never from within a call of its own to the tunnel: what that leads to
//    comes later. So it may write and end whenever it likes, also out of events of others on its worker.
//  - Both directions have back-pressure: a user that does not read is not read for, and where its peer does not take what is
//    written, nothing is read either and the user is told when there is room.
//
// Thread: the worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/refusal.h"
#include "transport/output.h"

namespace leat::pipeline {
struct Route;
}

namespace leat::http {

class Tunnel {
 public:
  // --- Outwards

  // Copies. False: memory is out, and the tunnel is cut.
  virtual bool write(std::string_view bytes) = 0;
  // Refers to them until `release` runs, which it does in any case. False: as write().
  virtual bool write_pinned(std::string_view bytes, transport::Release release) = 0;
  // Bytes that were written and have not left.
  [[nodiscard]] virtual size_t queued() const = 0;
  // So much is queued that the user shall wait for on_writable(), which then comes.
  [[nodiscard]] virtual bool is_full() = 0;
  // Nothing is written any more. When what was has left, it ends in order.
  virtual void end() = 0;
  // It ends now, in a way that the peer cannot take for an orderly end.
  virtual void cut() = 0;

  // --- Inwards

  // Whether on_bytes() is called; at first it is.
  virtual void set_reading(bool reading) = 0;

  // --- Beside both

  // When on_deadline() is called (WorkerContext::now_ns() / 10^6), in place of what was said before; UINT64_MAX: never.
  virtual void set_deadline(uint64_t ms) = 0;
  // How it ended, where that was not in order, for the log.
  virtual void set_end(const Refusal& why) = 0;

 protected:
  ~Tunnel() = default;
};

// Those of one worker whose routes may go, so that they can be told: a list through them.
class TunnelUser {
 public:
  TunnelUser() = default;
  virtual ~TunnelUser() {
    if (link_ != nullptr) *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
  }
  TunnelUser(const TunnelUser&) = delete;
  TunnelUser& operator=(const TunnelUser&) = delete;

  // The request is over, or stays with it; bytes follow. `tunnel` is there until on_closed().
  virtual void on_open(Tunnel& tunnel) = 0;
  // Bytes from the peer. How many it has used: all, unless it has stopped reading; the others come again.
  virtual size_t on_bytes(std::string_view bytes) = 0;
  // The peer has ended its side, and all that it sent was given to on_bytes().
  virtual void on_peer_end() = 0;
  // There is room again, after Tunnel::is_full() was true.
  virtual void on_writable() = 0;
  virtual void on_deadline() = 0;
  // The server ends, or what it serves by is replaced: it shall come to its end, not later than at `until_ms`, if that can be.
  virtual void on_drain(uint64_t until_ms) = 0;
  // Memory is out: what was received and not yet used has gone, and nothing more is received.
  virtual void on_starved() = 0;
  // The tunnel has gone, whoever has ended it; also one that did not come to on_open().
  virtual void on_closed() = 0;
  // Memory that it has, in bytes.
  [[nodiscard]] virtual size_t footprint() const = 0;

  // The route that it came by, and the list of those of a service.
  [[nodiscard]] const pipeline::Route* route() const { return route_; }
  [[nodiscard]] TunnelUser* next() const { return next_; }
  void enlist(TunnelUser*& first, const pipeline::Route* route) {
    route_ = route;
    next_ = first;
    link_ = &first;
    if (next_ != nullptr) next_->link_ = &next_;
    first = this;
  }

 private:
  const pipeline::Route* route_ = nullptr;
  TunnelUser* next_ = nullptr;
  TunnelUser** link_ = nullptr;
};

}  // namespace leat::http

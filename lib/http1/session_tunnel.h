// SessionTunnel: the tunnel that a session's connection has become, after a request that switched protocols.
//
// HTTP/1 is over on that connection then: what follows the request's head is its user's, also what came with the same bytes, and
// when the tunnel ends so does the connection. The session goes on to carry the bytes, by its step Tunnel: waiting input,
// output, deadline, drain and the peer's end are its own, as for requests.
//
// It ends in three steps, so that its user is never destroyed within a call of its own: end() or cut() note it; the session
// comes to see that, after the event or in a turn that is asked for; then the user hears on_closed(), and goes.
//
// Thread: its worker's.
#pragma once

#include <memory>
#include <utility>

#include "http/exchange.h"
#include "http/tunnel.h"
#include "http/tunnel_record.h"

namespace leat::http1 {

class Session;

class SessionTunnel final : public http::Tunnel {
 public:
  SessionTunnel(Session& session, std::unique_ptr<http::TunnelUser> user)
      : session_(session), user_(std::move(user)) {}
  SessionTunnel(const SessionTunnel&) = delete;
  SessionTunnel& operator=(const SessionTunnel&) = delete;

  // --- http::Tunnel
  bool write(std::string_view bytes) override;
  bool write_pinned(std::string_view bytes, transport::Release release) override;
  [[nodiscard]] size_t queued() const override;
  [[nodiscard]] bool is_full() override;
  void end() override;
  void cut() override;
  void set_reading(bool reading) override;
  void set_deadline(uint64_t ms) override;
  void set_end(const http::Refusal& why) override { why_ = why; }

  // --- For its session

  // Calls the user, whose calls back take effect when this returns.
  template <class Call>
  void tell(Call call) {
    calling_ = true;
    call(*user_);
    calling_ = false;
  }
  // Gives it what has come. How much was used.
  size_t give(std::string_view bytes);
  // The peer's end, once.
  void tell_of_end() {
    if (!std::exchange(told_of_end_, true)) tell([](http::TunnelUser& user) { user.on_peer_end(); });
  }
  // There is room in the output.
  void tell_of_room() {
    full_ = false;
    tell([](http::TunnelUser& user) { user.on_writable(); });
  }
  void set_entered() { entered_ = true; }
  [[nodiscard]] bool entered() const { return entered_; }
  [[nodiscard]] bool reads() const { return reading_ && !full_ && !over(); }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] bool over() const { return ended_ || was_cut_; }
  [[nodiscard]] bool was_cut() const { return was_cut_; }
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }
  [[nodiscard]] const http::Refusal& why() const { return why_; }
  [[nodiscard]] uint64_t received() const { return received_; }
  [[nodiscard]] uint64_t written() const { return written_; }
  [[nodiscard]] http::TunnelUser& user() { return *user_; }
  // Its request ends; with `whole`, it will be shown again.
  void keep(http::Exchange& exchange, bool whole) {
    route_ = exchange.route;
    if (!whole) return;
    record_ = std::make_unique<http::TunnelRecord>();
    record_->take(exchange);
  }
  [[nodiscard]] const pipeline::Route* route() const { return route_; }
  // Null where nobody wants to see the request again.
  [[nodiscard]] const http::TunnelRecord* record() const { return record_.get(); }
  [[nodiscard]] size_t footprint() const {
    return user_->footprint() + (record_ == nullptr ? 0 : record_->footprint());
  }

 private:
  bool written(bool queued, size_t size);
  void want_turn();

  Session& session_;
  const std::unique_ptr<http::TunnelUser> user_;
  const pipeline::Route* route_ = nullptr;
  std::unique_ptr<http::TunnelRecord> record_;
  uint64_t deadline_ms_ = UINT64_MAX;
  uint64_t received_ = 0;  // bytes that the user was given, ...
  uint64_t written_ = 0;   // ... and has written
  http::Refusal why_;
  bool entered_ = false;  // its request has ended, or stays with it
  bool calling_ = false;  // the user
  bool reading_ = true;
  bool full_ = false;  // on_writable() is owed
  bool ended_ = false;
  bool was_cut_ = false;
  bool told_of_end_ = false;
};

}  // namespace leat::http1

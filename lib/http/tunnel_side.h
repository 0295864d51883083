// TunnelSide: what the tunnels of all protocols have in common: the user, what it has been told and is owed, and what the log will be
// told of both.
//
// How bytes leave, and when the user is to be called, is for the protocol that derives from it (http1::SessionTunnel,
// http2::StreamTunnel). It ends in three steps, so that its user is never destroyed within a call of its own: end() or cut() note
// it; the protocol comes to see that, after the event or in a turn that is asked for; then the user hears on_closed(), and goes.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "http/exchange.h"
#include "http/service.h"
#include "http/tunnel.h"
#include "http/tunnel_record.h"
#include "transport/output.h"

namespace leat::http {

class TunnelSide : public Tunnel {
 public:
  // `output` takes what the user writes, and outlives it.
  TunnelSide(transport::Output& output, std::unique_ptr<TunnelUser> user)
      : output_(output), user_(std::move(user)) {}
  virtual ~TunnelSide() = default;
  TunnelSide(const TunnelSide&) = delete;
  TunnelSide& operator=(const TunnelSide&) = delete;

  // --- Tunnel
  bool write(std::string_view bytes) final { return !over() && written(output_.append(bytes), bytes.size()); }
  bool write_pinned(std::string_view bytes, transport::Release release) final {
    const bool queued = !over() && output_.append_pinned(bytes, release);
    if (!queued && release.run != nullptr) release.run(release.context);
    return !over() && written(queued, bytes.size());
  }
  [[nodiscard]] size_t queued() const final { return output_.size(); }
  void end() final {
    ended_ = true;
    changed();
  }
  void cut() final {
    was_cut_ = true;
    changed();
  }
  void set_reading(bool reading) final {
    if (std::exchange(reading_, reading) != reading) changed();
  }
  void set_end(const Refusal& why) final { why_ = why; }

  // --- For its protocol

  // Calls the user, whose calls back take effect when this returns.
  template <class Call>
  void tell(Call call) {
    calling_ = true;
    call(*user_);
    calling_ = false;
  }
  // Gives it what has come. How much was used.
  size_t give(std::string_view bytes) {
    size_t used = 0;
    tell([&](TunnelUser& user) { used = user.on_bytes(bytes); });
    received_ += used;
    return used;
  }
  // The peer's end, once.
  void tell_of_end() {
    if (!std::exchange(told_of_end_, true)) tell([](TunnelUser& user) { user.on_peer_end(); });
  }
  // There is room in the output.
  void tell_of_room() {
    full_ = false;
    tell([](TunnelUser& user) { user.on_writable(); });
  }
  // Its deadline, which is over with that.
  void tell_of_deadline() {
    deadline_ms_ = UINT64_MAX;
    tell([](TunnelUser& user) { user.on_deadline(); });
  }

  [[nodiscard]] bool entered() const { return entered_; }
  [[nodiscard]] bool reads() const { return reading_ && !full_ && !over(); }
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] bool over() const { return ended_ || was_cut_; }
  [[nodiscard]] bool was_cut() const { return was_cut_; }
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }
  [[nodiscard]] size_t footprint() const {
    return user_->footprint() + (record_ == nullptr ? 0 : record_->footprint());
  }

  // Its request has been answered. Where that ends with it, what the log will want is kept.
  void enter(Service& service, Exchange& exchange) {
    entered_ = true;
    const bool whole = service.on_tunnel(exchange, *user_);
    if (!exchange.left_for_tunnel()) return;
    route_ = exchange.route;
    if (!whole) return;
    record_ = std::make_unique<TunnelRecord>();
    record_->take(exchange);
  }
  // It has ended, whoever has ended it: its user hears of that, and the log. `stayed`: its request, where that is still there.
  // `take` gives an exchange to show it by, or null.
  template <class Take>
  void close(Service& service, ExchangePool& exchanges, Exchange* stayed, Take take) {
    tell([](TunnelUser& user) { user.on_closed(); });
    if (stayed != nullptr) return describe(*stayed);
    if (!entered_) return;
    Exchange* const shown = record_ != nullptr && record_->whole() ? take() : nullptr;
    if (shown != nullptr) {
      record_->restore(*shown);
      describe(*shown);
    }
    service.on_tunnel_end(route_, shown);
    if (shown != nullptr) exchanges.give(*shown);
  }

 protected:
  // Its protocol has something to look at, in a turn that it is to ask for. Not within a call of the user's, behind which it looks.
  virtual void want_turn() = 0;
  void changed() {
    if (!calling_) want_turn();
  }
  [[nodiscard]] bool calling() const { return calling_; }
  void set_full() { full_ = true; }
  void put_deadline(uint64_t ms) { deadline_ms_ = ms; }
  // More is in the output.
  virtual void wrote() = 0;

 private:
  bool written(bool queued, size_t size) {
    if (queued) {
      written_ += size;
      wrote();
    } else {
      cut();
    }
    return queued;
  }
  void describe(Exchange& exchange) const {
    StreamSide its(exchange);
    its.count_received(received_);
    its.count_sent(written_);
    its.finish();
    if (why_) its.set_cut(why_);
  }

  transport::Output& output_;
  const std::unique_ptr<TunnelUser> user_;
  const pipeline::Route* route_ = nullptr;
  std::unique_ptr<TunnelRecord> record_;  // null where nobody wants to see the request again
  uint64_t deadline_ms_ = UINT64_MAX;
  uint64_t received_ = 0;  // bytes that the user was given, ...
  uint64_t written_ = 0;   // ... and has written
  Refusal why_;
  bool entered_ = false;  // its request has ended, or stays with it
  bool calling_ = false;  // the user
  bool reading_ = true;
  bool full_ = false;  // on_writable() is owed
  bool ended_ = false;
  bool was_cut_ = false;
  bool told_of_end_ = false;
};

}  // namespace leat::http

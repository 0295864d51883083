#include "http1/session_tunnel.h"

#include <algorithm>

#include "base/check.h"
#include "http/list.h"
#include "http1/session.h"

namespace leat::http1 {

void SessionTunnel::wrote() { session_.env_.worker.touch(session_); }

bool SessionTunnel::is_full() {
  if (full() || !session_.over_high_water()) return full();
  set_full();
  session_.held_by_output_ = true;
  session_.takes_input_ = false;
  return true;
}

void SessionTunnel::set_deadline(uint64_t ms) {
  put_deadline(ms);
  if (calling()) return;  // its session looks at it afterwards
  session_.deadline_ms_ = std::min(session_.deadline_ms_, ms);
  session_.env_.worker.touch(session_);
}

void SessionTunnel::want_turn() {
  session_.wants_turn_ = true;
  session_.env_.worker.touch(session_);
}

// --- The session's part ------------------------------------------------------------------------------

namespace {

bool lists(const http::Request& request, http::HeaderId id, std::string_view what) {
  bool found = false;
  const http::Head& head = request.head();
  for (const http::HeaderSlot& slot : head.headers())
    if (slot.id == id)
      http::for_each_item(head.view(slot.value),
                          [&](std::string_view item) { found |= equal_ignoring_case(item, what); });
  return found;
}

}  // namespace

// The client says so in a request without a body, since what follows that is not HTTP any more (RFC 9110, section 7.8).
uint16_t Session::tunnel_status(const http::Exchange& exchange, std::string_view protocol) const {
  const http::Request& request = exchange.request;
  const bool asks = &exchange == exchange_ && !internal() && !half_closed() && tunnel_ == nullptr &&
                    request.method() == http::Method::Get && request.minor_version() > 0 &&
                    request.head().framing == http::Framing::None &&
                    lists(request, http::HeaderId::Connection, "upgrade") &&
                    lists(request, http::HeaderId::Upgrade, protocol);
  return asks ? 101 : 0;
}

http::Tunnel* Session::tunnel(http::Exchange& exchange, std::string_view protocol,
                              std::unique_ptr<http::TunnelUser> user) {
  ENSURE(&exchange == exchange_ && tunnel_ == nullptr);
  exchange.close_after = true;  // it is the last answer, and what the session looks at next
  const ResponseFraming framing{.kind = ResponseFraming::Kind::Switch, .protocol = protocol};
  if (env_.writer.write_head(output_, exchange.response, framing, {}) == Writer::Written::Nothing) {
    answer_in_its_place({});
    return nullptr;
  }
  tunnel_ = std::make_unique<SessionTunnel>(*this, output_, std::move(user));
  return tunnel_.get();
}

// The handler has returned that agreed to it.
void Session::enter_tunnel() {
  SessionTunnel& tunnel = *tunnel_;
  step_ = Step::Tunnel;
  parser_ = nullptr;
  tunnel.enter(env_.service, *exchange_);
  if (exchange_->left_for_tunnel()) {
    env_.service.on_done(*exchange_);
    give_exchange();
  }
  tunnel.tell([&](http::TunnelUser& user) { user.on_open(tunnel); });
  if (draining_) tunnel.tell([&](http::TunnelUser& user) { user.on_drain(idle_until_ms_); });
}

// False while it is the peer's turn, or the user's.
bool Session::run_tunnel(std::string_view in, size_t& used) {
  SessionTunnel& tunnel = *tunnel_;
  if (tunnel.full()) {
    if (output_.size() <= env_.limits.output_low_bytes) tunnel.tell_of_room();
    held_by_output_ = tunnel.full();
  }
  if (used < in.size() && tunnel.reads()) used += tunnel.give(in.substr(used));
  if (ended_ && used == in.size() && tunnel.reads()) tunnel.tell_of_end();
  if (!tunnel.over()) return false;
  cut_ = tunnel.was_cut();
  close(!cut_ && !ended_);
  return true;
}

// Whoever has ended it.
void Session::end_tunnel() {
  const std::unique_ptr<SessionTunnel> tunnel = std::move(tunnel_);
  tunnel->close(env_.service, env_.exchanges, exchange_, [&] { return take_exchange(); });
}

}  // namespace leat::http1

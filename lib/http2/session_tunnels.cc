// The session's tunnels: streams that have gone on in another protocol (RFC 8441; RFC 9113, section 8.5).
#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/text.h"
#include "http/problem.h"
#include "http2/session.h"

namespace leat::http2 {

// --- http::Tunnel -----------------------------------------------------------------------------------

void StreamTunnel::wrote() { changed(); }

bool StreamTunnel::is_full() {
  if (full() || !stream_.session->wants_no_more(stream_)) return full();
  set_full();
  if (!std::exchange(stream_.blocked, true)) ++stream_.session->blocked_;
  return true;
}

void StreamTunnel::set_deadline(uint64_t ms) {
  put_deadline(ms);
  Session& session = *stream_.session;
  session.streams_deadline_ms_ = std::min(session.streams_deadline_ms_, ms);
  if (calling() || ms >= session.deadline_ms_) return;
  session.deadline_ms_ = ms;
  session.env_.worker.touch(session);
}

void StreamTunnel::want_turn() {
  Session& session = *stream_.session;
  session.touch(stream_);
  session.wants_turn_ = true;
  session.env_.worker.touch(session);
}

// --- http::Stream -----------------------------------------------------------------------------------

uint16_t Stream::tunnel_status(const http::Exchange& asks, std::string_view protocol) const {
  return &asks == exchange && session->may_switch(*this, protocol) ? 200 : 0;
}
http::Tunnel* Stream::tunnel(http::Exchange&, std::string_view, std::unique_ptr<http::TunnelUser> user) {
  return session->open_tunnel(*this, std::move(user));
}

// Its client has said so by the pseudo-field :protocol, which is the request's Upgrade field here.
bool Session::may_switch(const Stream& stream, std::string_view protocol) const {
  return stream.connects && stream.switched == nullptr && !stream.reset && !half_closed() &&
         equal_ignoring_case(stream.exchange->request.header(http::HeaderId::Upgrade), protocol);
}

http::Tunnel* Session::open_tunnel(Stream& stream, std::unique_ptr<http::TunnelUser> user) {
  ENSURE(stream.exchange != nullptr && stream.switched == nullptr);
  touch(stream);
  if (write_head(stream, {}, false, {}) == Writer::Written::Nothing) return nullptr;
  stream.switched = std::make_unique<StreamTunnel>(stream, stream.queue, std::move(user));
  return stream.switched.get();
}

// To one who asks to go on in another protocol, success says that this is so. What a handler answers that knows nothing of that must
// not be taken for it.
void Session::deny_tunnel(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  exchange.response.keep_middleware();
  exchange.response.status = 501;
  exchange.response.content_type = http::kProblemType;
  side(stream).finish();
  side(stream).set_cancelled(true);  // whatever the handler still says, nobody hears it
  put_problem(stream, http::problem_body(exchange.arena(), 501,
                                         "This resource does not speak the protocol that was asked for.",
                                         exchange.request.id(), {}));
}

// --- Events -----------------------------------------------------------------------------------------

// Something has happened to it. No handler and no user is on the stack.
void Session::run_tunnel(Stream& stream) {
  StreamTunnel& tunnel = *stream.switched;
  if (!tunnel.entered() && !stream.reset) enter_tunnel(stream);
  if (!stream.held.empty() && tunnel.reads() && !stream.reset) {
    const size_t used = tunnel.give(stream.held.view());
    held_bytes_ -= used;
    stream.held.consume(used);
  }
  if (stream.body_ended && stream.held.empty() && tunnel.reads() && !stream.reset) tunnel.tell_of_end();
  if (tunnel.was_cut()) {
    drop_queue(stream);
    reset(stream, Code::Cancel);
  }
  if (stream.reset) return end_tunnel(stream);
  stream.ends = tunnel.over();
  if (!stream.queue.empty())
    enqueue(stream);
  else if (stream.ends)
    write_end(stream);
  if (stream.ends) return end_tunnel(stream);
  grant(stream);
}

// The handler has returned that agreed to it.
void Session::enter_tunnel(Stream& stream) {
  StreamTunnel& tunnel = *stream.switched;
  stream.step = Stream::Step::Tunnel;
  tunnel.enter(env_.service, *stream.exchange);
  if (stream.exchange->left_for_tunnel()) end_exchange(stream);
  tunnel.tell([&](http::TunnelUser& user) { user.on_open(tunnel); });
  if (draining_) tunnel.tell([&](http::TunnelUser& user) { user.on_drain(leave_at_ms_); });
}

// Whoever has ended it. What was written goes on to the peer, unless the stream is reset.
void Session::end_tunnel(Stream& stream) {
  const std::unique_ptr<StreamTunnel> tunnel = std::move(stream.switched);
  tunnel->close(env_.service, env_.exchanges, stream.exchange,
                [&] { return env_.exchanges.take(stream, env_.service, env_.limits.request_memory_bytes); });
  if (stream.exchange != nullptr)
    side(stream).set_cancelled(true);
  else if (!stream.reset)
    resets_.give(1);
  if (std::exchange(stream.blocked, false)) --blocked_;
  make_deaf(stream);
  if (stream.receives) stream.linger_until_ms = now_ms() + env_.limits.body_timeout_ms;
}

// What has come for it, and what comes, is of no use.
void Session::make_deaf(Stream& stream) {
  stream.deaf = true;
  held_bytes_ -= stream.held.view().size();
  stream.held.clear();
  grant_connection();
}

void Session::starve_tunnel(Stream& stream) {
  make_deaf(stream);
  touch(stream);
  stream.switched->tell([](http::TunnelUser& user) { user.on_starved(); });
}

void Session::take_tunnel_data(Stream& stream, std::string_view piece) {
  touch(stream);
  if (stream.deaf) return;
  StreamTunnel& tunnel = *stream.switched;
  if (stream.held.empty() && tunnel.entered() && tunnel.reads()) piece.remove_prefix(tunnel.give(piece));
  if (piece.empty()) return;
  if (!stream.held.append(piece)) return starve_tunnel(stream);
  held_bytes_ += piece.size();
}

}  // namespace leat::http2

// The session's requests: from a header block to the request that the service is given, and its body (RFC 9113, section 8).
#include <algorithm>
#include <new>

#include "base/check.h"
#include "http/forwarding.h"
#include "http/problem.h"
#include "http/refused_head.h"
#include "http2/session.h"

namespace leat::http2 {

namespace {

constexpr std::string_view kHead = "HEAD ";

}  // namespace

// A head, or trailers, have come whole. Whoever they are for, they are read: the table must follow.
void Session::on_block(std::string_view block) {
  const uint32_t id = block_frame_.stream;
  const bool ends = block_frame_.has(flag::kEndStream);
  const bool opens = id > streams_.last_id();
  const uint64_t epoch = decoder_.table().epoch();
  if (opens && ends && env_.heads != nullptr && !decoder_.expects_size()) {
    if (const RecentHeads::Recent* const recent = recent_.find(block, epoch)) return begin_known(id, *recent);
  }
  RequestHead& head = env_.head;
  if (opens)
    head.begin(env_.limits, tunnels_);
  else
    head.begin_trailers(env_.limits);
  switch (decoder_.decode(block, head)) {
    case HpackDecoder::Result::Malformed:
      return fail(Code::CompressionError, "A header block is malformed.");
    case HpackDecoder::Result::OutOfMemory:
      return fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
    case HpackDecoder::Result::Good:
      break;
  }
  if (head.absurd()) return fail(Code::EnhanceYourCalm, "A head is too large.");
  head.finish(ends);
  if (opens) {
    http::KnownHead* const known = begin_request(id, ends);
    if (known != nullptr && epoch == decoder_.table().epoch())
      recent_.note(block, epoch, *known, Priority::parse(head.priority()));
    return;
  }
  if (Stream* const stream = streams_.find(id)) return take_trailers(*stream);
  (void)spend_control();  // it was broken off
}

// Whether one that begins is to be looked at.
bool Session::admit(uint32_t id) {
  streams_.note_opened(id);
  if (id > last_served_) {
    streams_.note_broken(id);  // its client has been told
    return false;
  }
  if (streams_.count() < most_streams_) return true;
  break_stream(id, Code::RefusedStream);
  (void)spend_reset();
  return false;
}

void Session::begin_known(uint32_t id, const RecentHeads::Recent& recent) {
  if (!admit(id)) return;
  Stream* const opened = open(id, true, recent.priority);
  if (opened == nullptr) return;
  ++recent.known->pins;
  side(*opened).set_known_head(*recent.known);
  serve(*opened);
}

// The known head that it has; null: it has one of its own, or none.
http::KnownHead* Session::begin_request(uint32_t id, bool ends) {
  if (!admit(id)) return nullptr;
  Stream* const opened = open(id, ends, Priority::parse(env_.head.priority()));
  if (opened == nullptr) return nullptr;
  Stream& stream = *opened;
  const RequestHead& head = env_.head;
  stream.connects = head.connects();
  if (head.malformed() != nullptr) {
    http::keep_refused_head(*stream.exchange, head.text(), {400, head.malformed()});
    break_off(stream, Code::ProtocolError, head.malformed());
    return nullptr;
  }
  if (head.refusal()) {
    http::keep_refused_head(*stream.exchange, head.text(), head.refusal());
    if (head.text().starts_with(kHead)) side(stream).show_head_request();
    refuse(stream, head.refusal());
    return nullptr;
  }
  if (!show_head(stream, ends)) {
    refuse(stream, http::kOutOfMemory);
    return nullptr;
  }
  http::KnownHead* const known = stream.exchange->known_head();
  serve(stream);
  return known;
}

// Its head is there.
void Session::serve(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  if (!may_be_asked_for(exchange.request.host())) [[unlikely]]
    return refuse(stream, http::kMisdirected);
  if (exchange.request.head().forwarded &&
      !http::identify(exchange.request, exchange.arena(), peer_.identity, peer_.trust))
    return refuse(stream, http::kOutOfMemory);
  ++requests_;
  exchange.started_ns = env_.worker.now_ns();
  exchange.close_after = requests_ >= env_.limits.requests_per_connection;
  ask_service(stream);
}

// Null: there is no room for it, which its client is told.
Stream* Session::open(uint32_t id, bool ends, Priority priority) {
  Stream* const stream = env_.streams.take(*this, id);
  http::Exchange* const exchange =
      stream == nullptr ? nullptr
                        : env_.exchanges.take(*stream, env_.service, env_.limits.request_memory_bytes);
  if (exchange == nullptr) {
    if (stream != nullptr) env_.streams.give(*stream);
    if (!Writer::write_ready(output_, Writer::Ready::Unavailable, id, take_first())) closing_ = cut_ = true;
    if (!ends) break_stream(id, Code::NoError);
    return nullptr;
  }
  stream->exchange = exchange;
  stream->receives = !ends;
  stream->body_ended = ends;
  stream->send_window = peer_window_;
  stream->receive_window = stream->most_window = stream_window_;
  stream->expected = UINT64_MAX;
  stream->priority = priority;
  for (Announced& each : announced_)
    if (each.stream == id) stream->priority = each.priority;
  exchange->set_body_limit(env_.limits.body_bytes);
  exchange->set_answer_timeout(env_.limits.answer_timeout_ms);
  exchange->request.set_identity(peer_.identity);
  if (streams_.count() == 0) streams_deadline_ms_ = UINT64_MAX;
  streams_.add(*stream);
  touch(*stream);
  return stream;
}

// The head becomes the exchange's: one that is known, or a copy. False: memory is out.
bool Session::show_head(Stream& stream, bool ends) {
  const RequestHead& come = env_.head;
  http::Exchange& exchange = *stream.exchange;
  const http::Head& made = come.head();
  const bool may_be_known = env_.heads != nullptr && ends && !stream.connects;
  if (may_be_known) {
    if (http::KnownHead* const known = env_.heads->match_and_pin(come.text(), hint_)) {
      hint_ = known;
      side(stream).set_known_head(*known);
    }
  }
  if (exchange.known_head() == nullptr) {
    Arena& arena = exchange.arena();
    const std::string_view text = arena.copy(come.text());
    auto* const slots = arena.allocate_array<http::HeaderSlot>(std::max<size_t>(come.slots().size(), 1));
    void* const place = arena.allocate(sizeof(http::Head), alignof(http::Head));
    if (text.data() == nullptr || slots == nullptr || place == nullptr) return false;
    std::ranges::copy(come.slots(), slots);
    http::Head& own = *new (place) http::Head(made);
    own.bytes = text.data();
    own.slots = slots;
    exchange.request.show_head(own);
    if (may_be_known && !own.expect_continue) env_.heads->offer(own);
  }
  if (come.has_length() && !stream.connects) stream.expected = made.content_length;
  return true;
}

void Session::ask_service(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  stream.step = Stream::Step::Head;
  side(stream).set_requested();
  const http::Service::BodyMode mode = env_.service.on_request(exchange);
  if (stream.reset) return;  // the service gave up, or memory did
  if (exchange.held()) {
    stream.step = Stream::Step::Held;
    return;
  }
  const http::Head& head = exchange.request.head();
  if (head.framing == http::Framing::None) {
    await_answer(stream);
    if (!exchange.finished()) env_.service.on_body_end(exchange);
    return;
  }
  if (!exchange.started() && exchange.body_over_limit()) return refuse(stream, http::kBodyTooLarge);
  stream.step = Stream::Step::Body;
  stream.body.begin(mode, now_ms());
  if (!exchange.started()) continue_body(stream);
  go_on(stream);
}

// The request has come whole.
void Session::await_answer(Stream& stream) {
  stream.step = Stream::Step::Answer;
  side(stream).set_complete(now_ms() + side(stream).answer_timeout_ms());
}

// Tells a client that waits for it to go on with the body (RFC 9110, section 10.1.1). Nothing where that was done, or the body has
// begun without.
void Session::continue_body(Stream& stream) {
  const http::Head& head = stream.exchange->request.head();
  if (!head.expect_continue || head.framing == http::Framing::None || stream.body.begun() || stream.head_sent)
    return;
  stream.body.set_begun();
  if (!Writer::write_ready(output_, Writer::Ready::Continue, stream.id, take_first()))
    cut_answer(stream, http::kOutOfMemory);
}

// --- The body ---------------------------------------------------------------------------------------

void Session::take_data(Stream& stream, std::string_view piece) {
  if (stream.reset) return;
  if (stream.switched != nullptr) return take_tunnel_data(stream, piece);
  stream.received += piece.size();
  if (stream.received > stream.expected)
    return break_off(stream, Code::ProtocolError, "The request's body is longer than its head says.");
  stream.body.note_arrival(now_ms());
  if (stream.exchange == nullptr || stream.exchange->finished()) return;
  const http::Exchange& exchange = *stream.exchange;
  if (stream.step == Stream::Step::Body && stream.held.empty() && !stream.body.waits(exchange) &&
      !exchange.body_kept())
    return give_body(stream, piece);
  if (!stream.held.append(piece)) return refuse(stream, http::kOutOfMemory);
  held_bytes_ += piece.size();
  go_on(stream);
}

// To whoever wants it.
void Session::give_body(Stream& stream, std::string_view piece) {
  http::Exchange& exchange = *stream.exchange;
  stream.body.set_begun();
  stream.body.count(exchange, piece.size());
  if (stream.body.bytes() > side(stream).body_limit()) return refuse(stream, http::kBodyTooLarge);
  if (!stream.body.give(env_.service, exchange, piece)) refuse(stream, http::kOutOfMemory);
}

// Its last frame has come.
void Session::end_request(Stream& stream) {
  stream.receives = false;
  stream.body_ended = true;
  if (stream.expected != UINT64_MAX && stream.received != stream.expected)
    return break_off(stream, Code::ProtocolError, "The request's body is shorter than its head says.");
  go_on(stream);
}

void Session::take_trailers(Stream& stream) {
  touch(stream);
  const RequestHead& head = env_.head;
  if (stream.reset) return;
  if (!stream.receives) return break_off(stream, Code::StreamClosed, "HEADERS follow the request's end.");
  if (stream.connects) return break_off(stream, Code::ProtocolError, "HEADERS are no part of a tunnel.");
  if (head.malformed() != nullptr) return break_off(stream, Code::ProtocolError, head.malformed());
  if (head.refusal()) return refuse(stream, head.refusal());
  if (stream.exchange != nullptr && !stream.exchange->finished()) {
    Arena& arena = stream.exchange->arena();
    const std::string_view text = arena.copy(head.text());
    auto* const slots = arena.allocate_array<http::HeaderSlot>(std::max<size_t>(head.slots().size(), 1));
    if (text.data() == nullptr || slots == nullptr) return refuse(stream, http::kOutOfMemory);
    std::ranges::copy(head.slots(), slots);
    stream.trailer_text = text;
    stream.trailer_slots = {slots, head.slots().size()};
  }
  end_request(stream);
}

// Gives on what waits, for as long as it may be given.
void Session::go_on(Stream& stream) {
  const auto serves = [&] {
    return !stream.reset && stream.exchange != nullptr && !stream.exchange->finished();
  };
  if (stream.step == Stream::Step::Held && serves()) {
    if (stream.exchange->held()) return;
    return ask_service(stream);
  }
  while (serves() && stream.step == Stream::Step::Body && !stream.body.waits(*stream.exchange)) {
    if (stream.exchange->body_kept()) {
      env_.service.on_body(*stream.exchange, {});
    } else if (!stream.held.empty()) {
      const std::string_view piece = stream.held.view().substr(0, kMostPayload);
      give_body(stream, piece);
      held_bytes_ -= piece.size();
      stream.held.consume(piece.size());
    } else if (stream.body_ended) {
      await_answer(stream);
      side(stream).show_body(stream.trailer_slots, stream.trailer_text);
      env_.service.on_body_end(*stream.exchange);
    } else {
      break;
    }
  }
  grant(stream);
  grant_connection();
}

// Answers in the handler's place, if it has not begun to.
void Session::refuse(Stream& stream, const http::Refusal& refusal) {
  touch(stream);
  if (stream.reset || stream.exchange == nullptr || stream.exchange->finished()) return;  // the answer stands
  http::Exchange& exchange = *stream.exchange;
  if (side(stream).requested()) {
    // A handler may be waiting for more of a body that will not come. It has no say in the answer any more.
    side(stream).set_cancelled(true);
    env_.service.on_cancel(exchange);
    side(stream).set_cancelled(false);
  }
  if (exchange.started()) return cut_answer(stream, refusal);
  if (refusal.status == 503) http::add_retry_after(exchange);
  exchange.send_problem(refusal.status, refusal.detail);
}

// --- Windows (section 6.9) ---------------------------------------------------------------------------

// More of a body, once its handler has read what came. One that reads on gets it in larger parts, so that a long way costs no time.
void Session::grant(Stream& stream) {
  if (!stream.receives || stream.reset || !stream.held.empty()) return;
  if (stream.switched != nullptr) {
    if (!stream.switched->entered() || !stream.switched->reads()) return;
  } else if (stream.exchange == nullptr || stream.exchange->finished() || stream.step != Stream::Step::Body ||
             stream.body.waits(*stream.exchange)) {
    return;
  }
  if (stream.receive_window > stream.most_window / 2) return;
  if (stream.expected != UINT64_MAX &&
      stream.expected - stream.received <= static_cast<uint64_t>(std::max<int64_t>(stream.receive_window, 0)))
    return;  // the rest has room
  const int64_t most = std::max<int64_t>(env_.options.most_window_bytes, stream.most_window);
  stream.most_window = std::min(stream.most_window * 2, most);
  const int64_t more = stream.most_window - stream.receive_window;
  stream.receive_window += more;
  send_code(FrameType::WindowUpdate, stream.id, static_cast<uint32_t>(more));
}

// What comes is taken from the connection's window at once, so that no stream waits for another; but what waits and what may still
// come are bounded together.
void Session::grant_connection() {
  const auto most = static_cast<int64_t>(env_.options.waiting_bytes);
  const int64_t more = most - static_cast<int64_t>(held_bytes_) - receive_window_;
  if (more < most / 4 || closing_) return;
  receive_window_ += more;
  send_code(FrameType::WindowUpdate, 0, static_cast<uint32_t>(more));
}

}  // namespace leat::http2

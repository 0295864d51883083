#include "http2/session.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/problem.h"

namespace leat::http2 {

std::unique_ptr<http::Protocol> Sessions::make(const http::ProtocolPeer& peer) {
  return std::make_unique<Session>(environment_, peer);
}

Session::Session(Environment& environment, const http::ProtocolPeer& peer)
    : Protocol(peer, environment.memory),
      env_(environment),
      input_(environment.memory.blocks),
      decoder_(environment.memory.blocks, environment.scratch),
      most_streams_(environment.options.streams),
      header_table_(environment.options.header_table_bytes),
      stream_window_(environment.options.window_bytes),
      tunnels_(environment.options.tunnels),
      block_(environment.memory.blocks),
      resets_(environment.options.resets),
      control_(environment.options.control_frames),
      idle_since_ms_(now_ms()) {
  takes_input_ = true;
  deadline_ms_ = idle_since_ms_ + env_.limits.idle_timeout_ms;
}

Session::~Session() { ENSURE(streams_.count() == 0); }

// --- Events -----------------------------------------------------------------------------------------

void Session::feed(std::string_view bytes) {
  if (closing_) return;
  if (input_.empty() && !wants_turn_ && !held_by_output_) {
    bytes.remove_prefix(run(bytes));
    if (!closing_ && !input_.append(bytes)) fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
  } else if (!input_.append(bytes)) {
    fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
  } else if (!wants_turn_) {
    run_input();
  }
  settle();
}

void Session::run_input() {
  const size_t used = run(input_.view());
  if (closing_) {
    input_.clear();
  } else {
    input_.consume(used);
  }
}

void Session::feed_end() {
  if (ended_ || closing_) return;
  ended_ = true;
  if (!half_closed()) ended_since_ms_ = now_ms();
  run_input();
  for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
    if (!stream->receives) continue;
    if (stream->connects) {
      stream->receives = false;
      stream->body_ended = true;
      touch(*stream);
    } else {
      refuse(*stream, {400, "The connection ended within the request's body."});
    }
  }
  settle();
}

void Session::peer_ended() {
  if (half_closed() || closing_) return;
  ended_since_ms_ = now_ms();
  settle();
}

void Session::disconnect() {
  closing_ = cut_ = true;
  input_.clear();
  settle();
}

void Session::sent(size_t size) {
  output_.consume(size);
  if (half_closed()) ended_since_ms_ = now_ms();
  if (streams_.count() == 0) idle_since_ms_ = now_ms();
  if (closing_) return settle();
  pump();
  wake_writers();
  if (held_by_output_ && output_.size() <= env_.limits.output_low_bytes && !wants_turn_) run_input();
  settle();
}

void Session::resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) {
  auto& stream = static_cast<Stream&>(exchange.stream());
  ENSURE(stream.exchange == &exchange && stream.session == this && !running_);
  side(stream).end_suspension();
  call(exchange, argument);
  touch(stream);
  go_on(stream);
  settle();
}

void Session::take_turn() {
  if (!wants_turn_) return;
  wants_turn_ = false;
  run_input();
  settle();
}

// The peer hears that it is to go before anything is refused: what it has sent until then is answered (section 6.8).
void Session::drain(uint64_t idle_until_ms) {
  if (closing_) return;
  begin_leaving();
  leave_at_ms_ = idle_until_ms;
  if (!std::exchange(draining_, true)) {
    for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
      touch(*stream);
      if (stream->switched != nullptr)
        stream->switched->tell([&](http::TunnelUser& user) { user.on_drain(idle_until_ms); });
    }
  }
  if (now_ms() >= leave_at_ms_) leave();
  settle();
}

void Session::begin_leaving() {
  if (leaving_) return;
  leaving_ = true;
  send_goaway(kLargestStream, Code::NoError, {});
  send_frame(FrameType::Ping, 0, 0, kFarewell);
  if (leave_at_ms_ == 0) leave_at_ms_ = now_ms() + env_.limits.head_timeout_ms;
}

// Whatever comes from here on is not looked at.
void Session::leave() {
  if (last_served_ != kLargestStream) return;
  leaving_ = true;
  last_served_ = streams_.last_id();
  send_goaway(last_served_, Code::NoError, {});
}

void Session::give_up_input() {
  for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer)
    if (stream->switched != nullptr)
      starve_tunnel(*stream);
    else if (stream->receives || !stream->held.empty())
      refuse(*stream, http::kOutOfMemory);
  // A head, or a frame, of which the rest does not come.
  if (partial_since_ms_ != 0 && !in_data_) fail(Code::EnhanceYourCalm, http::kOutOfMemory.detail);
  settle();
}

// Which requests there will be is not known yet; that none was looked at is what its client needs to know.
void Session::turn_away() {
  if (!closing_) {
    last_served_ = 0;
    send_settings();
    fail(Code::EnhanceYourCalm, "The server has no room for this connection.");
  }
  settle();
}

// --- Endings ----------------------------------------------------------------------------------------

// Something has happened to it that may be its end, or move its deadline.
void Session::touch(Stream& stream) {
  if (stream.touched) return;
  stream.touched = true;
  stream.next_touched = std::exchange(touched_, &stream);
}

void Session::tidy() {
  while (Stream* const stream = touched_) {
    touched_ = stream->next_touched;
    stream->next_touched = nullptr;
    stream->touched = false;
    tidy(*stream);
  }
}

void Session::tidy(Stream& stream) {
  if (stream.switched != nullptr) [[unlikely]] {
    run_tunnel(stream);
    if (stream.touched) return;  // there is more of it
  }
  if (stream.exchange != nullptr && stream.exchange->finished() &&
      (!stream.trailers || stream.reset || stream.end_sent))
    end_exchange(stream);
  const bool lingers = stream.linger_until_ms != 0 && stream.receives && !leaving_;
  if (stream.exchange == nullptr && stream.end_sent && stream.receives && !stream.reset && !lingers) {
    // The answer is whole, and nobody reads the rest of the request (section 8.1).
    reset(stream, Code::NoError);
  }
  if (stream.exchange == nullptr && (stream.reset || (stream.end_sent && !lingers))) {
    ENSURE(stream.queue.empty());
    if (!stream.held.empty()) {
      held_bytes_ -= stream.held.view().size();
      stream.held.clear();
      grant_connection();
    }
    if (data_stream_ == &stream) data_stream_ = nullptr;
    streams_.remove(stream);
    env_.streams.give(stream);
    if (streams_.count() == 0) idle_since_ms_ = now_ms();
    return;
  }
  streams_deadline_ms_ = std::min(streams_deadline_ms_, deadline_of(stream, now_ms()));
}

// It was answered, or never will be.
void Session::end_exchange(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  if (!exchange.cut() && !exchange.left_for_tunnel()) resets_.give(1);
  if (stream.switched == nullptr && std::exchange(stream.blocked, false)) --blocked_;
  const bool last = exchange.close_after;
  stream.exchange = nullptr;
  env_.service.on_done(exchange);
  env_.exchanges.give(exchange);
  if (last && !closing_) begin_leaving();
}

// Nobody will see its answer.
void Session::abandon(Stream& stream, const http::Refusal& why) {
  stream.reset = true;
  drop_queue(stream);
  touch(stream);
  if (stream.exchange == nullptr || stream.switched != nullptr) return;  // whose user hears of it
  http::Exchange& exchange = *stream.exchange;
  http::StreamSide its = side(stream);
  its.set_cancelled(true);
  if (exchange.finished()) return;
  its.set_cut(why);
  if (its.requested()) env_.service.on_cancel(exchange);
  its.finish();
}

void Session::end_all() {
  for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
    was_started_ = was_started_ || (stream->exchange != nullptr && stream->exchange->started()) ||
                   !stream->queue.empty() || stream->switched != nullptr;
    abandon(*stream, {499, "The client left before the answer was complete."});
  }
  block_.clear();
  tidy();
}

// What output() holds is the last of it.
void Session::close() {
  closing_ = true;
  linger_ = !ended_;
}

// The connection is of no use any more (section 5.4.1).
void Session::fail(Code code, std::string_view why) {
  if (closing_) return;
  close();
  send_goaway(std::min(streams_.last_id(), last_served_), code, why);
}

// --- Time ------------------------------------------------------------------------------------------

// When something must happen to it that may not happen.
uint64_t Session::deadline_of(Stream& stream, uint64_t now_ms) {
  uint64_t deadline_ms = stream.linger_until_ms != 0 ? stream.linger_until_ms : UINT64_MAX;
  if (stream.switched != nullptr) {
    deadline_ms = stream.switched->deadline_ms();
  } else if (stream.exchange != nullptr && !stream.exchange->finished()) {
    if (stream.step == Stream::Step::Answer) {
      deadline_ms = stream.exchange->answer_deadline_ms();
    } else if (stream.step == Stream::Step::Body &&
               (stream.body.waits(*stream.exchange) || !stream.receives)) {
      stream.body.stop_clock(now_ms);
      if (!stream.exchange->started())
        deadline_ms = stream.body.held_until_ms(side(stream).answer_timeout_ms());
    } else if (stream.step == Stream::Step::Body) {
      deadline_ms = stream.body.due_ms(now_ms, env_.limits);
    }
  }
  if (!stream.queue.empty() && !stream.scheduled)
    deadline_ms = std::min(deadline_ms, stream.stalled_since_ms + env_.options.window_timeout_ms);
  return deadline_ms;
}

void Session::expire(Stream& stream, uint64_t now_ms) {
  touch(stream);
  if (!stream.queue.empty() && !stream.scheduled &&
      now_ms >= stream.stalled_since_ms + env_.options.window_timeout_ms) {
    break_off(stream, Code::Cancel, "The client did not take the answer in time.");
  } else if (stream.switched != nullptr) {
    stream.switched->tell_of_deadline();
  } else if (stream.linger_until_ms != 0) {
    stream.linger_until_ms = 0;  // tidied, it is reset
  } else if (stream.exchange == nullptr || stream.exchange->finished()) {
    return;
  } else if (stream.step == Stream::Step::Body && stream.receives && !stream.body.waits(*stream.exchange)) {
    refuse(stream, {408, "The request's body did not arrive in time."});
  } else {
    // As a resumed handler would: nothing of the plugin is on the stack.
    side(stream).end_suspension();
    env_.service.on_late(*stream.exchange);
    stream.exchange->send_problem(504, "The server did not answer in time.");
  }
}

void Session::deadline_passed() {
  const uint64_t now = now_ms();
  if (now < deadline_ms_ || closing_) return;
  if (now >= streams_deadline_ms_) {
    streams_deadline_ms_ = UINT64_MAX;
    for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
      const uint64_t deadline_ms = deadline_of(*stream, now);
      if (now >= deadline_ms)
        expire(*stream, now);
      else
        streams_deadline_ms_ = std::min(streams_deadline_ms_, deadline_ms);
    }
  }
  if (partial_since_ms_ != 0 && now >= partial_since_ms_ + env_.limits.head_timeout_ms) {
    fail(Code::EnhanceYourCalm, "A frame or a head did not arrive in time.");
  } else if (no_window_since_ms_ != 0 && now >= no_window_since_ms_ + env_.options.window_timeout_ms) {
    fail(Code::EnhanceYourCalm, "The connection's window was not opened in time.");
  } else if (now >= give_up_ms()) {
    close();
    end_all();
    cut_ = was_started_;
  } else if (leaving_ && now >= leave_at_ms_) {
    leave();
  } else if (streams_.count() == 0 && now >= session_deadline_ms()) {
    leave();
  }
  settle();
}

// When a peer that has ended its side is not waited for any more. Not while something is on its way to it, for then sending
// tells whether it is there.
uint64_t Session::give_up_ms() const {
  if (!half_closed() || !output_.empty() || streams_.count() == 0) return UINT64_MAX;
  return ended_since_ms_ + env_.limits.half_closed_timeout_ms;
}

uint64_t Session::session_deadline_ms() const {
  uint64_t deadline_ms = give_up_ms();
  const http::Limits& limits = env_.limits;
  if (streams_.count() == 0) {
    // While the peer takes an answer it is not idle; how long that may take is for its connection to say. What it says meanwhile
    // that is no request does not count.
    if (output_.empty()) deadline_ms = idle_since_ms_ + limits.idle_timeout_ms;
  } else {
    deadline_ms = std::min(deadline_ms, streams_deadline_ms_);
  }
  if (partial_since_ms_ != 0) deadline_ms = std::min(deadline_ms, partial_since_ms_ + limits.head_timeout_ms);
  if (no_window_since_ms_ != 0)
    deadline_ms = std::min(deadline_ms, no_window_since_ms_ + env_.options.window_timeout_ms);
  if (leaving_ && last_served_ == kLargestStream) deadline_ms = std::min(deadline_ms, leave_at_ms_);
  return deadline_ms;
}

// Ends what has come to its end and says when to look again. The last act of every event.
void Session::settle() {
  tidy();
  if (!closing_ && streams_.count() == 0 && (last_served_ != kLargestStream || ended_)) close();
  if (closing_) end_all();
  finished_ = closing_;
  const bool waits = !input_.empty() || !is_between_frames();
  if (!waits)
    partial_since_ms_ = 0;
  else if (partial_since_ms_ == 0)
    partial_since_ms_ = now_ms();
  if (in_data_ || wants_turn_ || held_by_output_) partial_since_ms_ = 0;  // a stream's time, or ours
  const bool no_window = !schedule_.empty() && send_window_ <= 0;
  if (!no_window)
    no_window_since_ms_ = 0;
  else if (no_window_since_ms_ == 0)
    no_window_since_ms_ = now_ms();
  at_rest_ = !closing_ && streams_.count() == 0 && !waits;
  takes_input_ = !(closing_ | ended_ | wants_turn_ | held_by_output_);
  deadline_ms_ = closing_ ? UINT64_MAX : session_deadline_ms();
}

// --- Questions --------------------------------------------------------------------------------------

bool Session::keeps_input() const {
  if (closing_ || ended_) return false;
  return input_.empty() && !env_.memory.blocks.is_filling();
}

size_t Session::footprint() const {
  size_t bytes = output_.footprint() + input_.footprint() + block_.footprint() + decoder_.table().footprint();
  for (const Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
    bytes += sizeof(Stream) + stream->queue.footprint() + stream->held.footprint();
    if (stream->exchange != nullptr) bytes += http::StreamSide(*stream->exchange).footprint();
    if (stream->switched != nullptr) bytes += stream->switched->footprint();
  }
  return bytes;
}

size_t Session::waiting_input() const {
  size_t bytes = takes_input_ ? 0 : input_.footprint();
  for (const Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer)
    bytes += stream->held.footprint();
  return bytes;
}

uint64_t Session::owed_since_ms() const {
  uint64_t since_ms = partial_since_ms_ != 0 ? partial_since_ms_ : UINT64_MAX;
  for (const Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer)
    if (stream->exchange != nullptr && stream->step == Stream::Step::Body && stream->receives &&
        !stream->body.waits(*stream->exchange))
      since_ms = std::min(since_ms, stream->body.read_ms());
  return since_ms;
}

}  // namespace leat::http2

// The session's answers: what exchanges give, as frames, in an order that priorities make and windows allow (RFC 9113, section 6.9;
// RFC 9218).
#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "http/problem.h"
#include "http2/session.h"

namespace leat::http2 {

namespace {

// What is put into the output ahead of what the connection has sent. More of it is ahead of whoever is more urgent and comes later;
// half of it would leave a fast line waiting.
constexpr size_t kMostAhead = size_t{128} * 1024;

// Frames smaller than this that are not a body's last are of use to nobody.
constexpr size_t kLeastUseful = 1024;

// What a peer may send for each frame that it gets: it opens two windows again.
constexpr uint64_t kFramesForData = 2;

}  // namespace

// --- http::Stream -----------------------------------------------------------------------------------

bool Stream::fits(const http::Response& response) const { return session->fits(response); }
void Stream::answer(http::Exchange&, http::AnswerFraming framing, std::string_view whole,
                    const http::Release* pinned) {
  session->answer(*this, framing, whole, pinned);
}
void Stream::head(http::Exchange&, http::AnswerFraming framing) { session->begin_answer(*this, framing); }
bool Stream::data(http::Exchange&, std::string_view bytes) { return session->send_piece(*this, bytes); }
void Stream::end(http::Exchange&) { session->end_answer(*this); }
void Stream::cut(http::Exchange&, const http::Refusal& why) { session->cut_answer(*this, why); }
void Stream::continue_body(http::Exchange&) { session->continue_body(*this); }
void Stream::hints(http::Exchange&, std::span<const std::string_view> links) {
  session->send_hints(*this, links);
}
// One that has ended is not asked any more.
void Stream::body_flow(http::Exchange& asks, http::BodyFlow flow) {
  if (&asks == exchange) body.set_flow(flow);
}
http::Protocol* Stream::protocol() { return session; }

void Session::answer(Stream& stream, http::AnswerFraming framing, std::string_view body,
                     const http::Release* pinned) {
  ENSURE(stream.exchange != nullptr && stream.exchange->finished());
  touch(stream);
  if (stream.exchange->head_only()) body = {};
  const auto let_go = [&] {
    if (pinned != nullptr && pinned->run != nullptr) pinned->run(pinned->context);
  };
  if (is_false_success(stream)) [[unlikely]] {
    let_go();
    return deny_tunnel(stream);
  }
  // All of it has room, or nothing is begun.
  if (pinned == nullptr && body.size() >= http::Exchange::kLeastPinned &&
      !stream.queue.has_room(body.size())) {
    env_.memory.blocks.count_refusal();
    return answer_without_memory(stream);
  }
  const bool at_once = pinned == nullptr && may_write(stream, body.size());
  const Writer::Written done = write_head(stream, framing, body.empty(), at_once ? body : std::string_view());
  if (done == Writer::Written::Nothing || body.empty()) return let_go();
  if (done == Writer::Written::HeadAndBody) return side(stream).count_sent(body.size());
  stream.ends = true;
  if (pinned != nullptr ? stream.queue.append_pinned(body, *pinned) : stream.queue.append(body)) {
    side(stream).count_sent(body.size());
    return enqueue(stream);
  }
  let_go();
  cut_answer(stream, http::kOutOfMemory);
}

// Ahead of what is queued: it is for the time until the answer is there. Where the peer is slow to read it would come too late.
void Session::send_hints(Stream& stream, std::span<const std::string_view> links) {
  if (stream.reset || over_high_water()) return;
  if (Writer::write_hints(output_, links, stream.id, first_block_)) first_block_ = false;
}

void Session::begin_answer(Stream& stream, http::AnswerFraming framing) {
  ENSURE(stream.exchange != nullptr && stream.exchange->started());
  touch(stream);
  if (is_false_success(stream)) [[unlikely]]
    return deny_tunnel(stream);
  (void)write_head(stream, framing, stream.exchange->head_only(), {});
}

bool Session::send_piece(Stream& stream, std::string_view bytes) {
  ENSURE(stream.exchange != nullptr && stream.exchange->started());
  if (stream.reset) return false;
  touch(stream);
  if (!stream.exchange->head_only() && !bytes.empty()) {
    const size_t size = kFrameHeader + bytes.size();
    const bool at_once = may_write(stream, bytes.size()) && size <= Block::capacity();
    char* const at = at_once ? output_.reserve(size) : nullptr;
    if (at != nullptr) {
      std::memcpy(put_frame_header(at, bytes.size(), FrameType::Data, 0, stream.id), bytes.data(),
                  bytes.size());
      output_.commit(size);
      count_payload(stream, bytes.size());
      control_.give(kFramesForData);
    } else if (stream.queue.append(bytes)) {
      enqueue(stream);
    } else {
      cut_answer(stream, http::kOutOfMemory);
      return false;
    }
    side(stream).count_sent(bytes.size());
  }
  if (!wants_no_more(stream)) return true;
  if (!std::exchange(stream.blocked, true)) ++blocked_;
  return false;
}

void Session::end_answer(Stream& stream) {
  ENSURE(stream.exchange != nullptr && stream.exchange->finished());
  touch(stream);
  if (stream.reset || stream.end_sent) return;
  stream.ends = true;
  stream.trailers = !stream.exchange->trailers().fields().empty();
  if (stream.queue.empty()) write_end(stream);
}

void Session::cut_answer(Stream& stream, const http::Refusal& why) {
  ENSURE(stream.exchange != nullptr);
  touch(stream);
  side(stream).cut(why);
  drop_queue(stream);
  if (stream.end_sent && !stream.receives) return;  // to its client it has ended
  reset(stream, Code::InternalError);
}

// --- Heads ------------------------------------------------------------------------------------------

// Nothing: another answer took its place.
Writer::Written Session::write_head(Stream& stream, const http::AnswerFraming& framing, bool ends,
                                    std::string_view body) {
  Writer::Framing told{.stream = stream.id, .ends = ends, .first = first_block_};
  if (framing.kind == http::AnswerFraming::Kind::Length) told.length = framing.length;
  const Writer::Written done = env_.writer.write_head(output_, stream.exchange->response, told, body);
  if (done == Writer::Written::Nothing) [[unlikely]] {
    answer_in_its_place(stream);
    return done;
  }
  first_block_ = false;
  stream.head_sent = true;
  stream.end_sent = ends || done == Writer::Written::HeadAndBody;
  if (done == Writer::Written::HeadAndBody) count_payload(stream, body.size());
  control_.give(kFramesForData);
  return done;
}

// The head cannot be written: it is too large, or memory is out.
void Session::answer_in_its_place(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  if (fits(exchange.response)) return answer_without_memory(stream);
  side(stream).finish();
  put_problem(stream, side(stream).replace_head());
}

// A whole answer, of which this is the body and the exchange has the head.
void Session::put_problem(Stream& stream, std::string_view body) {
  http::Exchange& exchange = *stream.exchange;
  const Writer::Framing told{.stream = stream.id,
                             .length = body.size(),
                             .ends = exchange.request.method() == http::Method::Head,
                             .first = first_block_};
  if (told.ends) body = {};
  if (env_.writer.write_head(output_, exchange.response, told, {}) == Writer::Written::Nothing)
    return answer_without_memory(stream);
  first_block_ = false;
  stream.head_sent = true;
  stream.end_sent = told.ends;
  if (told.ends) return;
  stream.ends = true;
  if (!stream.queue.append(body)) return cut_answer(stream, http::kOutOfMemory);
  side(stream).count_sent(body.size());
  enqueue(stream);
}

// In place of an answer of which nothing was queued: the shortest that there is.
void Session::answer_without_memory(Stream& stream) {
  http::Exchange& exchange = *stream.exchange;
  if (!Writer::write_ready(output_, Writer::Ready::Unavailable, stream.id, take_first()))
    closing_ = cut_ = true;
  stream.head_sent = stream.end_sent = true;
  exchange.response.reset();
  exchange.response.status = 503;
  side(stream).finish();
  side(stream).set_cancelled(true);  // whatever the handler still says, nobody hears it
}

// --- Bodies -----------------------------------------------------------------------------------------

// Nobody else waits, and all windows have room.
bool Session::may_write(const Stream& stream, size_t size) const {
  const auto payload = static_cast<int64_t>(size);
  return schedule_.empty() && stream.queue.empty() && size <= kMostPayload && payload <= send_window_ &&
         payload <= stream.send_window && output_.size() < kMostAhead;
}

// Where memory is filling each has a smaller share of it.
bool Session::over_high_water() const {
  const size_t size = output_.size();
  if (size < env_.limits.output_low_bytes || size == 0) return false;
  return size >= std::max<size_t>(env_.limits.output_high_bytes, 2 * kMostAhead) ||
         env_.memory.blocks.is_filling();
}

bool Session::wants_no_more(const Stream& stream) const {
  const size_t size = stream.queue.size();
  if (size >= env_.limits.output_high_bytes) return true;
  return over_high_water() ||
         (size >= env_.limits.output_low_bytes && size != 0 && env_.memory.blocks.is_filling());
}

// Something was queued behind what may be there.
void Session::enqueue(Stream& stream) {
  if (stream.send_window > 0)
    schedule_.add(stream);
  else if (stream.stalled_since_ms == 0)
    stream.stalled_since_ms = now_ms();
  pump();
}

void Session::count_payload(Stream& stream, size_t size) {
  stream.send_window -= static_cast<int64_t>(size);
  send_window_ -= static_cast<int64_t>(size);
}

// Moves what is queued to the output, as far as windows and order let it.
void Session::pump() {
  while (!closing_ && send_window_ > 0 && output_.size() < kMostAhead) {
    Stream* const next = schedule_.front();
    if (next == nullptr) break;
    send_queued(*next);
  }
}

// One frame of it.
void Session::send_queued(Stream& stream) {
  const size_t queued = stream.queue.size();
  const size_t size = std::min({queued, size_t{kMostPayload}, static_cast<size_t>(stream.send_window),
                                static_cast<size_t>(send_window_)});
  const bool ends = size == queued && stream.ends && !stream.trailers;
  char* const at = output_.reserve(kFrameHeader);
  if (at != nullptr) {
    put_frame_header(at, size, FrameType::Data, ends ? flag::kEndStream : 0, stream.id);
    output_.commit(kFrameHeader);
  }
  if (at == nullptr || output_.take_front(stream.queue, size) != size) {
    closing_ = cut_ = true;  // a frame has begun that cannot be completed
    return;
  }
  touch(stream);
  count_payload(stream, size);
  stream.progress += size;
  if (stream.progress >= kLeastUseful || size == queued) {
    stream.progress = 0;
    stream.stalled_since_ms = now_ms();
    no_window_since_ms_ = 0;
    control_.give(kFramesForData);
  } else {
    (void)spend_control();  // its windows are opened by a few bytes at a time
  }
  if (size == queued) {
    schedule_.remove(stream);
    stream.stalled_since_ms = 0;
    if (ends)
      stream.end_sent = true;
    else if (stream.ends)
      write_end(stream);
  } else if (stream.send_window <= 0) {
    schedule_.remove(stream);
  } else {
    schedule_.rotate(stream);
  }
}

// All of the body was sent.
void Session::write_end(Stream& stream) {
  stream.end_sent = true;
  if (!stream.trailers) return send_frame(FrameType::Data, flag::kEndStream, stream.id, {});
  if (!Writer::write_trailers(output_, stream.exchange->trailers(), stream.id, take_first()))
    send_frame(FrameType::Data, flag::kEndStream, stream.id,
               {});  // the body is whole, which is what they are about
}

// Whoever was told to wait, and need not any more.
void Session::wake_writers() {
  if (blocked_ == 0 || output_.size() > kMostAhead) return;
  for (Stream* stream = streams_.oldest(); stream != nullptr; stream = stream->newer) {
    if (!stream->blocked || stream->queue.size() > env_.limits.output_low_bytes) continue;
    stream->blocked = false;
    --blocked_;
    if (stream->switched != nullptr) {
      stream->switched->tell_of_room();
      touch(*stream);
      continue;
    }
    if (stream->exchange == nullptr || !side(*stream).take_blocked() || stream->exchange->finished())
      continue;
    env_.service.on_writable(*stream->exchange);
    touch(*stream);
    go_on(*stream);
  }
}

// What was moved of it already may refer to what is left.
void Session::drop_queue(Stream& stream) {
  schedule_.remove(stream);
  stream.queue.drop_behind(output_);
}

}  // namespace leat::http2

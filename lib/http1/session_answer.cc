// The session's output: answers as bytes, and how a request comes to its end, answered or not.
#include <charconv>
#include <utility>

#include "base/check.h"
#include "http/problem.h"
#include "http/refused_head.h"
#include "http/status.h"
#include "http1/session.h"

namespace leat::http1 {

namespace {

// A request body that was not wanted is read over up to here, so that the connection can go on; past it, it
// is closed.
constexpr uint64_t kMostDiscarded = 64 * 1024;

// What is said where there is no memory to say it with: nothing is copied. To HEAD without the content.
constexpr std::string_view kAnswerWithoutMemory =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/problem+json\r\nContent-Length: 116\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\n"
    R"({"type":"about:blank","title":"Service Unavailable","status":503,)"
    R"("detail":"The server has no memory left for this."})";
constexpr size_t kHeadWithoutMemory = kAnswerWithoutMemory.find("\r\n\r\n") + 4;
static_assert(kAnswerWithoutMemory.size() - kHeadWithoutMemory == 116);
// The same before it is known what was asked for: HEAD has no body.
constexpr std::string_view kTurnedAway =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";

static_assert(http::kRetryAfterS == "1", "both say so");

// In HTTP/1.0 only the connection's end tells where a body of unknown length ends.
ResponseFraming in_http1(const http::AnswerFraming& framing, unsigned minor_version) {
  using Kind = ResponseFraming::Kind;
  switch (framing.kind) {
    case http::AnswerFraming::Kind::None:
      return {};
    case http::AnswerFraming::Kind::Length:
      return {.kind = Kind::Length, .length = framing.length};
    case http::AnswerFraming::Kind::Unknown:
      break;
  }
  if (minor_version > 0) return {.kind = Kind::Chunked};
  return {.kind = Kind::UntilClose, .close = true};
}

}  // namespace

void Session::answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
                     const http::Release* pinned) {
  ENSURE(&exchange == exchange_ && exchange.finished());
  ENSURE(framing.kind != http::AnswerFraming::Kind::Unknown);
  const bool tells = framing.kind == http::AnswerFraming::Kind::Length;
  const ResponseFraming told{.kind = tells ? ResponseFraming::Kind::Length : ResponseFraming::Kind::None,
                             .length = framing.length};
  if (exchange.head_only()) body = {};
  if (pinned != nullptr) return answer_pinned(told, body, *pinned);
  // All of it has room, or nothing is begun.
  if (body.size() >= http::Exchange::kLeastPinned && !output_.has_room(body.size())) {
    env_.memory.blocks.count_refusal();
    return answer_without_memory();
  }
  const Writer::Written done = write_head(told, Extent::Whole, body);
  if (done == Writer::Written::Nothing) return;
  if (done == Writer::Written::Head && !output_.append(body)) return cut_answer(http::kOutOfMemory);
  side().count_sent(body.size());
}

void Session::answer_pinned(const ResponseFraming& framing, std::string_view body,
                            const http::Release& pinned) {
  const bool sends = write_head(framing, Extent::Whole, {}) != Writer::Written::Nothing && !body.empty();
  const bool queued = sends && output_.append_pinned(body, pinned);
  if (queued) return side().count_sent(body.size());
  if (pinned.run != nullptr) pinned.run(pinned.context);
  if (sends) cut_answer(http::kOutOfMemory);
}

void Session::head(http::Exchange& exchange, http::AnswerFraming framing) {
  ENSURE(&exchange == exchange_ && exchange.started());
  const ResponseFraming told = in_http1(framing, exchange.request.minor_version());
  chunked_ = told.kind == ResponseFraming::Kind::Chunked;
  write_head(told, Extent::Pieces, {});
}

bool Session::data(http::Exchange& exchange, std::string_view bytes) {
  ENSURE(&exchange == exchange_ && exchange.started());
  if (!exchange.head_only() && !bytes.empty()) {
    if (!append_piece(bytes)) {
      cut_answer(http::kOutOfMemory);
      return false;
    }
    side().count_sent(bytes.size());
  }
  return !over_high_water();
}

void Session::end(http::Exchange& exchange) {
  ENSURE(&exchange == exchange_ && exchange.finished());
  if (!chunked_ || exchange.head_only()) return;
  bool queued = output_.append("0\r\n");
  for (const http::Response::Field& field : exchange.trailers().fields())
    queued = queued && output_.append(field.name) && output_.append(": ") && output_.append(field.value) &&
             output_.append("\r\n");
  if (!queued || !output_.append("\r\n")) cut_answer(http::kOutOfMemory);
}

void Session::cut(http::Exchange& exchange, const http::Refusal& why) {
  ENSURE(&exchange == exchange_);
  cut_answer(why);
}

void Session::body_flow(http::Exchange& exchange, http::BodyFlow flow) {
  if (&exchange == exchange_) body_.set_flow(flow);  // else it has ended
}

bool Session::append_piece(std::string_view bytes) {
  if (!chunked_) return output_.append(bytes);
  char size[20];
  char* end = std::to_chars(size, size + 16, bytes.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  return output_.append({size, static_cast<size_t>(end - size)}) && output_.append(bytes) &&
         output_.append("\r\n");
}

// Nothing: another answer took its place.
Writer::Written Session::write_head(ResponseFraming framing, Extent extent, std::string_view body) {
  http::Exchange& exchange = *exchange_;
  exchange.close_after = framing.close = framing.close || must_close(extent);
  framing.say_keep_alive = !framing.close && exchange.request.minor_version() == 0;
  const Writer::Written done = env_.writer.write_head(output_, exchange.response, framing, body);
  if (done == Writer::Written::Nothing) [[unlikely]]
    answer_in_its_place(framing);
  return done;
}

// The head cannot be written: it is too large, or memory is out.
void Session::answer_in_its_place(ResponseFraming framing) {
  const http::Exchange& exchange = *exchange_;
  if (env_.writer.fits(exchange.response)) return answer_without_memory();
  side().finish();
  std::string_view body = side().replace_head();
  framing.kind = ResponseFraming::Kind::Length;
  framing.length = body.size();
  if (exchange.request.method() == http::Method::Head) body = {};
  if (env_.writer.write_head(output_, exchange.response, framing, body) == Writer::Written::HeadAndBody)
    side().count_sent(body.size());
  else
    answer_without_memory();
}

// How much of the request's body is still to be read. One in chunks does not say, so it may be endless.
uint64_t Session::body_left() const {
  const http::Head& head = exchange_->request.head();
  const bool being_read = step_ == Step::Head || step_ == Step::Held || step_ == Step::Body;
  if (!being_read || head.framing == http::Framing::None) return 0;
  return head.framing == http::Framing::Length ? head.content_length - body_.bytes() : UINT64_MAX;
}

// It is more than is read over for an answer's sake.
bool Session::much_body_left() const {
  return exchange_->request.head().framing == http::Framing::Length && body_left() > kMostDiscarded;
}

// Whether the answer under way has to be the connection's last.
bool Session::must_close(Extent extent) const {
  if (exchange_->close_after || last_request()) return true;
  const http::Head& head = exchange_->request.head();
  if (head.framing == http::Framing::None || (step_ != Step::Head && step_ != Step::Body)) return false;
  // The client may be waiting for a 100 that will not come: nobody knows whether the body follows.
  if (head.expect_continue && !body_.begun()) return true;
  // One in pieces may well be as long as the body; how much of that is left is asked at its end.
  return extent == Extent::Whole && much_body_left();
}

// --- Endings ----------------------------------------------------------------------------------------

// Answers in the handler's place, if it has not begun to, and closes.
void Session::refuse(const http::Refusal& refusal) {
  if (exchange_ == nullptr) exchange_ = take_exchange();
  if (exchange_ == nullptr) {
    turn_away();
    return;
  }
  http::Exchange& exchange = *exchange_;
  if (!side().requested()) exchange.request.set_identity(peer_.identity);  // it may not have begun
  if (exchange.finished()) {
    // The answer stands; only the rest of the request's body was bad.
    close(true);
    return;
  }
  if (side().requested()) {
    // A handler may be waiting for more of a body that will not come. It has no say in the answer any more.
    side().set_cancelled(true);
    env_.service.on_cancel(exchange);
    side().set_cancelled(false);
  }
  if (exchange.started()) {
    cut_answer(refusal);
    return;
  }
  if (!side().requested() && asks_head_) side().show_head_request();
  exchange.close_after = true;
  if (refusal.status == 503) add_retry_after(exchange);
  exchange.send_problem(refusal.status, refusal.detail);
  close(true);
}

// The same of a head that was not understood, with what has come of it, for the log.
void Session::refuse_head(const http::Refusal& refusal, std::string_view bytes) {
  http::keep_refused_head(*exchange_, bytes, refusal);
  refuse(refusal);
}

// The shortest honest answer.
void Session::turn_away() {
  if (!output_.append_pinned(kTurnedAway, {})) cut_ = true;
  close(true);
  settle();
}

void Session::close(bool linger) {
  step_ = Step::Closing;
  linger_ = linger;
  end_exchange();
}

// An answer that cannot be completed: what is queued is sent, then the connection is reset.
void Session::cut_answer(const http::Refusal& why) {
  cut_ = true;
  step_ = Step::Closing;
  if (exchange_ != nullptr) side().cut(why);
}

// In place of an answer of which nothing was queued: one that lies ready. It is the connection's last.
void Session::answer_without_memory() {
  http::Exchange& exchange = *exchange_;
  // The answer that failed may have had no body of its own; only to HEAD this one has none.
  const bool asked_head = exchange.request.method() == http::Method::Head;
  const size_t size = asked_head ? kHeadWithoutMemory : kAnswerWithoutMemory.size();
  if (!output_.append_pinned(kAnswerWithoutMemory.substr(0, size), {})) cut_ = true;
  exchange.response.reset();
  exchange.response.status = 503;
  side().finish();
  side().set_cancelled(true);  // whatever the handler still says, nobody hears it
  exchange.close_after = true;
}

void Session::end_exchange() {
  if (tunnel_ != nullptr) [[unlikely]]
    end_tunnel();
  if (exchange_ == nullptr) return;
  http::Exchange& exchange = *exchange_;
  http::StreamSide its = side();
  exchange_ = nullptr;
  its.set_cancelled(true);
  if (!exchange.finished()) {
    its.set_cut({499, "The client left before the answer was complete."});
    if (its.requested()) env_.service.on_cancel(exchange);
  }
  env_.service.on_done(exchange);
  parser_ = nullptr;
  env_.exchanges.give(exchange);
}

bool Session::last_request() const {
  return internal() || requests_ >= env_.limits.requests_per_connection ||
         (draining_ && (deaf_ || !more_is_there()));
}

// Input behind the request that is answered, its body included. A client that pipelines is told of the end with the
// last answer to what has come.
bool Session::more_is_there() const {
  const uint64_t come = running_ ? given_ - *used_ : input_.view().size();
  return come > body_left();
}

}  // namespace leat::http1

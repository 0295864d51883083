#include "http1/session.h"

#include <algorithm>
#include <charconv>
#include <new>
#include <utility>

#include "base/check.h"
#include "http/forwarding.h"
#include "http/problem.h"
#include "http/refused_head.h"
#include "http/status.h"

namespace leat::http1 {

namespace {

// Chunk sizes, extensions and trailers are bytes that no body limit counts. A peer may spend this much on
// them, and eight for each byte of payload: a chunk of one byte takes six.
constexpr uint64_t kMostOverhead = 16 * 1024;

// A request body that was not wanted is read over up to here, so that the connection can go on; past it, it
// is closed.
constexpr uint64_t kMostDiscarded = 64 * 1024;

// A client may send an empty line too many behind a request, and some did (RFC 9112, section 2.2).
constexpr uint8_t kMostBlankLines = 3;
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

// How the head of a HEAD request begins.
constexpr std::string_view kHead = "HEAD ";

constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }

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

std::unique_ptr<http::Protocol> Sessions::make(const http::ProtocolPeer& peer) {
  return std::make_unique<Session>(environment_, peer);
}

Session::Session(Environment& environment, const http::ProtocolPeer& peer)
    : Protocol(peer, environment.memory), env_(environment), input_(environment.memory.blocks) {
  takes_input_ = true;
  deadline_ms_ = now_ms() + env_.limits.idle_timeout_ms;
}

Session::~Session() { ENSURE(exchange_ == nullptr); }

// --- Events -----------------------------------------------------------------------------------------

void Session::feed(std::string_view bytes) {
  if (step_ == Step::Closing || deaf_) return;
  if (step_ == Step::Body) body_read_ms_ = now_ms();
  if (input_.empty() && !wants_turn_ && !held_by_output_) {
    bytes.remove_prefix(run(bytes));
    if (step_ != Step::Closing && !input_.append(bytes)) give_up_input();
  } else if (!input_.append(bytes)) {
    give_up_input();
  } else if (!wants_turn_) {
    run_input();
  }
  settle();
}

void Session::feed_end() {
  if (ended_ || step_ == Step::Closing) return;
  ended_ = true;
  if (!half_closed()) ended_since_ms_ = now_ms();
  run_input();
  settle();
}

void Session::peer_ended() {
  if (half_closed() || step_ == Step::Closing) return;
  ended_since_ms_ = now_ms();
  settle();
}

void Session::disconnect() {
  step_ = Step::Closing;
  cut_ = true;
  input_.clear();
  settle();
}

void Session::sent(size_t size) {
  output_.consume(size);
  if (half_closed()) ended_since_ms_ = now_ms();
  if (output_.size() > env_.limits.output_low_bytes) return;
  if (exchange_ != nullptr && side().take_blocked()) {
    if (!exchange_->finished()) env_.service.on_writable(*exchange_);
    run_input();
  } else if (held_by_output_) {
    run_input();
  }
  settle();
}

void Session::resume(http::Exchange& exchange, http::WorkerContext::Resume call, void* argument) {
  ENSURE(&exchange == exchange_ && !running_);
  side().end_suspension();
  call(exchange, argument);
  run_input();
  settle();
}

void Session::take_turn() {
  if (!wants_turn_) return;
  wants_turn_ = false;
  run_input();
  settle();
}

void Session::drain(uint64_t idle_until_ms) {
  draining_ = true;
  idle_until_ms_ = idle_until_ms;
  // A head that has begun to arrive gets its answer in any case.
  if (step_ == Step::Idle && input_.empty() && now_ms() >= idle_until_ms_) close(true);
  settle();
}

void Session::deadline_passed() {
  if (now_ms() < deadline_ms_) return;
  if (now_ms() >= give_up_ms()) {
    give_up();
    settle();
    return;
  }
  switch (step_) {
    case Step::Idle:
      close(draining_);  // a peer that was not told of it may be about to send
      break;
    case Step::Head:
      refuse_head({408, "The request's head did not arrive in time."}, input_.view());
      break;
    case Step::Body:
      if (!body_held()) {
        refuse({408, "The request's body did not arrive in time."});
        break;
      }
      [[fallthrough]];  // it is not the peer who is late
    case Step::Answer:
      // As a resumed handler would: nothing of the plugin is on the stack.
      side().end_suspension();
      env_.service.on_late(*exchange_);
      exchange_->send_problem(504, "The server did not answer in time.");
      run_input();
      break;
    case Step::Held:
    case Step::Closing:
      break;
  }
  settle();
}

void Session::give_up_input() {
  const bool owes_body = step_ == Step::Held && exchange_->request.head().framing != http::Framing::None;
  if (step_ == Step::Head || step_ == Step::Body || owes_body) {
    refuse(http::kOutOfMemory);
  } else {
    deaf_ = draining_ = true;
    input_.clear();
    if (step_ == Step::Idle) close(true);  // the last answers are on their way
  }
  settle();
}

size_t Session::footprint() const {
  size_t bytes = output_.footprint() + input_.footprint();
  if (exchange_ != nullptr) bytes += side().footprint();
  return bytes;
}

uint64_t Session::owed_since_ms() const {
  if (step_ == Step::Head) return head_since_ms_;
  return step_ == Step::Body && !body_held() ? body_read_ms_ : UINT64_MAX;
}

bool Session::keeps_input() const {
  if (step_ == Step::Closing || ended_ || deaf_) return false;
  // A receive that is armed for nothing but to notice that the peer leaves may bring much before it can be
  // stopped: only while there is plenty of room.
  return input_.empty() && !env_.memory.blocks.is_filling();
}

// --- The steps --------------------------------------------------------------------------------------

void Session::run_input() {
  const size_t used = run(input_.view());
  if (step_ == Step::Closing) {
    input_.clear();
  } else {
    input_.consume(used);
  }
}

// Takes steps until one needs more than there is. Returns how many bytes of `in` are done with; the rest must
// come again, from the same byte on, with the next call.
size_t Session::run(std::string_view in) {
  ENSURE(!running_);
  running_ = true;
  held_by_output_ = false;
  size_t at = 0;
  used_ = &at;
  given_ = in.size();
  uint32_t begun = 0;
  bool go_on = true;
  while (go_on) {
    switch (step_) {
      case Step::Idle:
        if (at < in.size() && (is_line_end(in[at]) || blank_bytes_ != 0)) [[unlikely]] {
          read_blank_lines(in, at);
          if (step_ != Step::Idle) break;
        }
        if (at == in.size()) {
          give_exchange();
          if (ended_ || deaf_) close(!ended_);
          go_on = false;
        } else if (over_high_water()) {
          held_by_output_ = true;
          go_on = false;
        } else if (begun++ == env_.limits.pipeline_turn) {
          wants_turn_ = true;
          go_on = false;
        } else {
          go_on = start_request(in, at);
        }
        break;
      case Step::Head:
        go_on = parse_head(in, at);
        break;
      case Step::Body:
        go_on = parse_body(in, at);
        break;
      case Step::Held:
        go_on = !exchange_->held();
        if (go_on) ask_service();
        break;
      case Step::Answer:
        go_on = end_answer(at < in.size());
        break;
      case Step::Closing:
        at = in.size();
        go_on = false;
        break;
    }
  }
  if (step_ == Step::Idle) give_exchange();
  running_ = false;
  used_ = nullptr;
  return at;
}

// Blank lines before a request are to be ignored, but not without end: the head's time begins with them.
void Session::read_blank_lines(std::string_view in, size_t& used) {
  asks_head_ = false;
  for (; used < in.size() && is_line_end(in[used]); ++used) {
    if (blank_bytes_ == 2 * kMostBlankLines)
      return refuse({400, "There are too many blank lines before the request."});
    if (blank_bytes_ == 0) head_since_ms_ = now_ms();
    if (in[used] != (blank_bytes_++ % 2 == 0 ? '\r' : '\n')) break;
  }
  const bool between = used < in.size() && !is_line_end(in[used]) && blank_bytes_ % 2 == 0;
  if (used < in.size() && !between) refuse({400, "A line does not end with CR LF."});
}

bool Session::start_request(std::string_view in, size_t& used) {
  in.remove_prefix(used);
  if (exchange_ == nullptr) {
    exchange_ = take_exchange();
    if (exchange_ == nullptr) {
      turn_away();
      return true;
    }
  }
  ENSURE(!exchange_->started() && parser_ == nullptr);
  exchange_->set_body_limit(env_.limits.body_bytes);
  exchange_->set_answer_timeout(env_.limits.answer_timeout_ms);
  exchange_->request.set_identity(peer_.identity);
  body_begun_ = false;
  body_flow_ = http::BodyFlow::Flowing;
  body_bytes_ = body_overhead_ = 0;
  step_ = Step::Head;
  asks_head_ = false;
  const bool has_begun = std::exchange(blank_bytes_, 0) != 0;
  if (env_.heads != nullptr) {
    if (http::KnownHead* known = env_.heads->match_and_pin(in, hint_)) {
      hint_ = known;
      side().set_known_head(*known);
      used += known->head.size;
      begin_request();
      return true;
    }
  }
  if (!has_begun) head_since_ms_ = now_ms();
  void* const place = exchange_->arena().allocate(sizeof(Parser), alignof(Parser));
  if (place == nullptr) {
    asks_head_ = in.starts_with(kHead);
    refuse(http::kOutOfMemory);
    return true;
  }
  parser_ = new (place) Parser;
  parser_->reset(exchange_->arena(), env_.limits, env_.lines);
  return true;
}

http::Exchange* Session::take_exchange() {
  http::Exchange* const taken = env_.exchanges.take(*this, env_.service, env_.limits.request_memory_bytes);
  if (taken != nullptr && internal()) http::StreamSide(*taken).set_internal();
  return taken;
}

bool Session::parse_head(std::string_view in, size_t& used) {
  ENSURE(parser_ != nullptr);
  Parser& parser = *parser_;
  in.remove_prefix(used);
  const Parser::Step step = parser.parse_head(in);
  if (step != Parser::Step::Head) asks_head_ = in.starts_with(kHead);
  switch (step) {
    case Parser::Step::More:
      if (!ended_) return false;
      refuse_head({400, "The connection ended within the request's head."}, in);
      return true;
    case Parser::Step::Refused:
      refuse_head(parser.refusal(), in);
      return true;
    default:
      break;
  }
  const http::Head& head = parser.head();
  exchange_->request.show_head(head);
  used += head.size;
  if (env_.heads != nullptr && head.framing == http::Framing::None && !head.expect_continue &&
      parser_->judged_by(env_.limits))
    env_.heads->offer(head);
  begin_request();
  return true;
}

// The head is complete: the service has the word.
void Session::begin_request() {
  const http::Head& head = exchange_->request.head();
  ++requests_;
  exchange_->started_ns = env_.worker.now_ns();
  exchange_->close_after = !head.keep_alive;
  if (head.forwarded && !internal()) [[unlikely]] {
    if (!http::identify(exchange_->request, exchange_->arena(), peer_.identity, peer_.trust))
      return refuse(http::kOutOfMemory);
  }
  ask_service();
}

void Session::ask_service() {
  const http::Head& head = exchange_->request.head();
  step_ = Step::Head;
  side().set_requested();
  body_mode_ = env_.service.on_request(*exchange_);
  if (step_ != Step::Head) return;  // the service gave up, or memory did
  if (exchange_->held()) {
    step_ = Step::Held;
    return;
  }
  if (head.framing == http::Framing::None) {
    await_answer();
    if (!exchange_->finished()) env_.service.on_body_end(*exchange_);
    return;
  }
  if (!exchange_->started() && exchange_->body_over_limit()) {
    refuse({413, "The request's body is larger than this resource takes."});
    return;
  }
  if (exchange_->finished() && exchange_->close_after) {
    close(true);
    return;
  }
  step_ = Step::Body;
  body_since_ms_ = body_read_ms_ = now_ms();
  body_held_since_ms_ = 0;
  if (!exchange_->started()) continue_body(*exchange_);
}

// Tells a client that waits for it to go on with the body (RFC 9110, section 10.1.1). Nothing where that was
// done, or the body has begun without.
void Session::continue_body(http::Exchange& exchange) {
  ENSURE(&exchange == exchange_);
  const http::Head& head = exchange_->request.head();
  if (!head.expect_continue || head.framing == http::Framing::None || body_begun_) return;
  body_begun_ = true;
  // Pinned, so that it is queued whole or not at all.
  if (!output_.append_pinned("HTTP/1.1 100 Continue\r\n\r\n", {})) cut_answer(http::kOutOfMemory);
}

bool Session::parse_body(std::string_view in, size_t& used) {
  if (exchange_->finished() && (exchange_->close_after || much_body_left())) {
    close(true);
    return true;
  }
  if (body_held()) return false;
  if (exchange_->body_kept() && !exchange_->finished()) [[unlikely]] {
    env_.service.on_body(*exchange_, {});
    return true;
  }
  ENSURE(parser_ != nullptr);
  Parser& parser = *parser_;
  size_t taken = 0;
  const Parser::Step step = parser.parse_body(in.substr(used), taken);
  used += taken;
  const std::string_view piece = parser.piece();
  body_overhead_ += taken - piece.size();
  body_bytes_ += piece.size();
  side().count_received(piece.size());
  if (taken != 0) body_begun_ = true;
  if (step == Parser::Step::Refused) {
    refuse(parser.refusal());
  } else if (body_bytes_ > side().body_limit()) {
    refuse({413, "The request's body is larger than this resource takes."});
  } else if (body_overhead_ > kMostOverhead + env_.limits.header_bytes + 8 * body_bytes_) {
    refuse({400, "The body's chunk framing is larger than what it frames."});
  } else if (step == Parser::Step::Body) {
    take_piece(piece);
  } else if (step == Parser::Step::End) {
    end_body();
  } else if (ended_) {
    refuse({400, "The connection ended within the request's body."});
  } else {
    return false;
  }
  return true;
}

void Session::take_piece(std::string_view piece) {
  if (exchange_->finished()) return;
  if (body_mode_ == http::Service::BodyMode::Stream) {
    env_.service.on_body(*exchange_, piece);
  } else if (body_mode_ == http::Service::BodyMode::Buffer && !exchange_->started() &&
             !side().keep_body(piece)) {
    refuse(http::kOutOfMemory);
  }
}

void Session::end_body() {
  await_answer();
  if (exchange_->finished()) return;
  side().show_body(parser_->trailers(), parser_->trailer_bytes());
  env_.service.on_body_end(*exchange_);
}

// The request has come whole.
void Session::await_answer() {
  step_ = Step::Answer;
  answer_since_ms_ = now_ms();
  side().set_complete(answer_since_ms_ + side().answer_timeout_ms());
}

// False while the answer is still to come. `more`: the next request follows at once.
bool Session::end_answer(bool more) {
  if (!exchange_->finished()) return false;
  if (exchange_->close_after) {
    // A client that asked for the close sends nothing more; one that did not may be in the midst of it.
    close(exchange_->request.head().keep_alive);
    return true;
  }
  env_.service.on_done(*exchange_);
  parser_ = nullptr;
  step_ = Step::Idle;
  if (more) {
    env_.exchanges.renew(*exchange_);
  } else {
    give_exchange();
  }
  return true;
}

// Between two requests, of which the next has not come.
void Session::give_exchange() {
  if (exchange_ != nullptr) env_.exchanges.give(*std::exchange(exchange_, nullptr));
}

// --- The answer -------------------------------------------------------------------------------------

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
  if (&exchange == exchange_) body_flow_ = flow;  // else it has ended
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
  return head.framing == http::Framing::Length ? head.content_length - body_bytes_ : UINT64_MAX;
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
  if (head.expect_continue && !body_begun_) return true;
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

// When a request whose peer has ended its side has waited for long enough. Not while something is on its way
// to the peer, for then sending tells whether it is there.
uint64_t Session::give_up_ms() const {
  const bool waits = step_ == Step::Answer || (step_ == Step::Body && body_held());
  if (!half_closed() || !waits || !output_.empty()) return UINT64_MAX;
  const uint64_t waits_since_ms = step_ == Step::Answer ? answer_since_ms_ : body_held_since_ms_;
  return std::max(ended_since_ms_, waits_since_ms) + env_.limits.half_closed_timeout_ms;
}

void Session::give_up() {
  cut_ = exchange_->started();
  close(!ended_);
  input_.clear();
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

// Ends what has come to its end and says when to look again. The last act of every event.
void Session::settle() {
  if (step_ == Step::Closing) end_exchange();
  finished_ = step_ == Step::Closing;
  at_rest_ = step_ == Step::Idle && input_.empty();
  takes_input_ = !(ended_ | deaf_ | wants_turn_ | held_by_output_);
  const http::Limits& limits = env_.limits;
  switch (step_) {
    case Step::Idle:
      if (blank_bytes_ != 0) {
        deadline_ms_ = head_since_ms_ + limits.head_timeout_ms;
        break;
      }
      // While the peer takes an answer it is not idle; how long that may take is for its connection to say.
      deadline_ms_ = output_.empty() ? now_ms() + limits.idle_timeout_ms : UINT64_MAX;
      if (draining_) deadline_ms_ = std::min(deadline_ms_, idle_until_ms_);
      break;
    case Step::Head:
      deadline_ms_ = head_since_ms_ + limits.head_timeout_ms;
      break;
    case Step::Body: {
      if (body_held()) {
        takes_input_ = false;
        if (body_held_since_ms_ == 0) body_held_since_ms_ = now_ms();
        deadline_ms_ = give_up_ms();
        if (body_flow_ == http::BodyFlow::Held && !exchange_->started())
          deadline_ms_ = std::min(deadline_ms_, body_held_since_ms_ + side().answer_timeout_ms());
        break;
      }
      if (body_held_since_ms_ != 0) {
        // The time of a pause is the handler's, not the peer's.
        body_since_ms_ += now_ms() - body_held_since_ms_;
        body_read_ms_ = now_ms();
        body_held_since_ms_ = 0;
      }
      // The least rate counts once the first interval is over.
      const uint64_t elapsed_ms = now_ms() - body_since_ms_;
      const bool slow = elapsed_ms > limits.body_timeout_ms &&
                        body_bytes_ * 1000 < uint64_t{limits.body_rate_bytes} * elapsed_ms;
      deadline_ms_ = slow ? now_ms() : body_read_ms_ + limits.body_timeout_ms;
      break;
    }
    case Step::Answer:
      takes_input_ = false;
      deadline_ms_ = exchange_->answer_deadline_ms();
      if (half_closed()) [[unlikely]]
        deadline_ms_ = std::min(deadline_ms_, give_up_ms());
      break;
    case Step::Held:  // the service's time, who bounds it
    case Step::Closing:
      takes_input_ = false;
      deadline_ms_ = UINT64_MAX;
      break;
  }
}

}  // namespace leat::http1

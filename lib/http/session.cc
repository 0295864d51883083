#include "http/session.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "http/problem.h"
#include "http/status.h"

namespace leat::http {

namespace {

// Chunk sizes, extensions and trailers are bytes that no body limit counts. A peer may spend this much on
// them, and eight for each byte of payload: a chunk of one byte takes six.
constexpr uint64_t kMostOverhead = 16 * 1024;

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
static_assert(kRetryAfterS == "1", "both say so");

constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }

}  // namespace

Session::Session(SessionEnvironment& environment, std::string_view peer, uint32_t owner)
    : env_(environment),
      peer_(peer),
      owner_(owner),
      output_(environment.memory),
      input_(environment.memory.blocks) {
  deadline_ms_ = now_ms() + env_.limits.idle_timeout_ms;
}

Session::~Session() { ENSURE(exchange_ == nullptr); }

// --- Events -----------------------------------------------------------------------------------------

void Session::feed(std::string_view bytes) {
  if (step_ == Step::Closing || deaf_) return;
  if (step_ == Step::Body) body_read_ms_ = now_ms();
  if (input_.empty() && !wants_turn_ && !held_by_output_) {
    const size_t used = run(bytes);
    if (step_ != Step::Closing && !input_.append(bytes.substr(used))) give_up_input();
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
  if (exchange_ != nullptr && exchange_->blocked_) {
    exchange_->blocked_ = false;
    if (exchange_->state_ == Exchange::State::Streaming) env_.service.on_writable(*exchange_);
    run_input();
  } else if (held_by_output_) {
    run_input();
  }
  settle();
}

void Session::resume(Exchange& exchange, WorkerContext::Resume call, void* argument) {
  ENSURE(&exchange == exchange_ && !running_);
  exchange.suspended_ = false;
  call(exchange, argument);
  run_input();
  settle();
}

void Session::hold() {
  exchange_->requested_ = false;
  step_ = Step::Held;
}

void Session::release() {
  if (step_ == Step::Held) ask_service();
}

uint64_t Session::answer_deadline_ms() const {
  const bool owed = step_ == Step::Answer && exchange_ != nullptr && !exchange_->started();
  return owed ? answer_since_ms_ + env_.limits.answer_timeout_ms : UINT64_MAX;
}

void Session::take_turn() {
  if (!wants_turn_) return;
  wants_turn_ = false;
  run_input();
  settle();
}

void Session::drain() {
  draining_ = true;
  // Between two requests there is nothing to answer; a head that has begun to arrive gets its answer.
  if (step_ == Step::Idle && input_.empty()) close(false);
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
      close(false);
      break;
    case Step::Head:
      refuse({408, "The request's head did not arrive in time."});
      break;
    case Step::Body:
      refuse({408, "The request's body did not arrive in time."});
      break;
    case Step::Answer:
      // As a resumed handler would: nothing of the plugin is on the stack.
      exchange_->suspended_ = false;
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
  const bool owes_body = step_ == Step::Held && exchange_->request.head().framing != Framing::None;
  if (step_ == Step::Head || step_ == Step::Body || owes_body) {
    refuse(kOutOfMemory);
  } else {
    deaf_ = draining_ = true;
    input_.clear();
    if (step_ == Step::Idle) close(true);  // the last answers are on their way
  }
  settle();
}

size_t Session::footprint() const {
  size_t bytes = output_.footprint() + input_.footprint();
  if (exchange_ != nullptr) bytes += sizeof(Exchange) + exchange_->arena_.footprint() + exchange_->body_room_;
  return bytes;
}

uint64_t Session::owed_since_ms() const {
  if (step_ == Step::Head) return head_since_ms_;
  return step_ == Step::Body && !body_held() ? body_read_ms_ : UINT64_MAX;
}

bool Session::takes_input() const {
  return !wants_turn_ && !held_by_output_ && step_ != Step::Answer && step_ != Step::Held &&
         !(step_ == Step::Body && body_held());
}

bool Session::wants_input() const {
  if (step_ == Step::Closing || ended_ || deaf_) return false;
  // A receive that is armed for nothing but to notice that the peer leaves may bring much before it can be
  // stopped: only while there is plenty of room.
  return takes_input() || (input_.empty() && !env_.memory.blocks.is_filling());
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
          if (ended_ || draining_) close(!ended_);
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
        go_on = false;
        break;
      case Step::Answer:
        go_on = end_answer();
        break;
      case Step::Closing:
        at = in.size();
        go_on = false;
        break;
    }
  }
  if (exchange_ != nullptr && step_ == Step::Idle) {
    env_.exchanges.give(*exchange_);
    exchange_ = nullptr;
  }
  running_ = false;
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
  if (exchange_ == nullptr) {
    exchange_ = env_.exchanges.take(*this, env_.limits.request_memory_bytes);
    if (exchange_ == nullptr) {
      turn_away();
      return true;
    }
  }
  exchange_->body_limit_ = env_.limits.body_bytes;
  exchange_->request.set_peer(peer_);
  body_begun_ = false;
  body_bytes_ = body_overhead_ = 0;
  step_ = Step::Head;
  asks_head_ = false;
  if (blank_bytes_ == 0) head_since_ms_ = now_ms();
  blank_bytes_ = 0;
  if (env_.heads != nullptr) {
    if (KnownHead* known = env_.heads->match_and_pin(in.substr(used), hint_)) {
      hint_ = exchange_->known_ = known;
      exchange_->request.head_ = &known->head;
      used += known->head.size;
      begin_request();
      return true;
    }
  }
  exchange_->parser_.reset(exchange_->arena_, env_.limits, env_.lines);
  return true;
}

bool Session::parse_head(std::string_view in, size_t& used) {
  Parser& parser = exchange_->parser_;
  asks_head_ = in.substr(used).starts_with("HEAD ");
  switch (parser.parse_head(in.substr(used))) {
    case Parser::Step::More:
      if (!ended_) return false;
      refuse({400, "The connection ended within the request's head."});
      return true;
    case Parser::Step::Refused:
      refuse(parser.refusal());
      return true;
    default:
      break;
  }
  const Head& head = parser.head();
  exchange_->request.head_ = &head;
  used += head.size;
  if (env_.heads != nullptr && head.framing == Framing::None && !head.expect_continue)
    env_.heads->offer(head);
  begin_request();
  return true;
}

// The head is complete: the service has the word.
void Session::begin_request() {
  const Head& head = exchange_->request.head();
  ++requests_;
  exchange_->started_ns = env_.worker.now_ns();
  exchange_->close_after = !head.keep_alive;
  ask_service();
}

void Session::ask_service() {
  const Head& head = exchange_->request.head();
  step_ = Step::Head;
  exchange_->requested_ = true;
  body_mode_ = env_.service.on_request(*exchange_);
  if (step_ != Step::Head) return;  // it is held; or the service gave up, or memory did
  if (head.framing == Framing::None) {
    step_ = Step::Answer;
    answer_since_ms_ = now_ms();
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
  if (!exchange_->started()) continue_body();
}

// Tells a client that waits for it to go on with the body (RFC 9110, section 10.1.1). Nothing where that was
// done, or the body has begun without.
void Session::continue_body() {
  const Head& head = exchange_->request.head();
  if (!head.expect_continue || head.framing == Framing::None || body_begun_) return;
  body_begun_ = true;
  // Pinned, so that it is queued whole or not at all.
  if (!output_.append_pinned("HTTP/1.1 100 Continue\r\n\r\n", {})) cut_answer(kOutOfMemory);
}

bool Session::parse_body(std::string_view in, size_t& used) {
  if (exchange_->finished() && (exchange_->close_after || exchange_->much_body_left())) {
    close(true);
    return true;
  }
  if (body_held()) return false;
  Parser& parser = exchange_->parser_;
  size_t taken = 0;
  const Parser::Step step = parser.parse_body(in.substr(used), taken);
  used += taken;
  const std::string_view piece = parser.piece();
  body_overhead_ += taken - piece.size();
  body_bytes_ += piece.size();
  if (taken != 0) body_begun_ = true;
  if (step == Parser::Step::Refused) {
    refuse(parser.refusal());
  } else if (body_bytes_ > exchange_->body_limit_) {
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
  if (body_mode_ == Service::BodyMode::Stream) {
    env_.service.on_body(*exchange_, piece);
  } else if (body_mode_ == Service::BodyMode::Buffer && !buffer_piece(piece)) {
    refuse(kOutOfMemory);
  }
}

bool Session::buffer_piece(std::string_view piece) {
  Exchange& exchange = *exchange_;
  const size_t needed = exchange.body_size_ + piece.size();
  if (needed > exchange.body_room_) {
    // What was announced is believed up to a block at a time: memory follows the bytes, not the promise.
    size_t room = std::max(needed, exchange.body_room_ * 2);
    const Head& head = exchange.request.head();
    if (head.framing == Framing::Length) room = std::min<size_t>(room, head.content_length);
    if (!exchange.grow_body(room)) return false;
  }
  std::memcpy(exchange.body_ + exchange.body_size_, piece.data(), piece.size());
  exchange.body_size_ = needed;
  return true;
}

void Session::end_body() {
  step_ = Step::Answer;
  answer_since_ms_ = now_ms();
  if (exchange_->finished()) return;
  Request& request = exchange_->request;
  request.body_ = {exchange_->body_, exchange_->body_size_};
  request.trailers_ = exchange_->parser_.trailers();
  request.trailer_bytes_ = exchange_->parser_.trailer_bytes();
  env_.service.on_body_end(*exchange_);
}

// False while the answer is still to come.
bool Session::end_answer() {
  if (!exchange_->finished()) return false;
  if (exchange_->close_after) {
    // A client that asked for the close sends nothing more; one that did not may be in the midst of it.
    close(exchange_->request.head().keep_alive);
    return true;
  }
  env_.service.on_done(*exchange_);
  env_.exchanges.renew(*exchange_);
  step_ = Step::Idle;
  return true;
}

// --- Endings ----------------------------------------------------------------------------------------

// Answers in the handler's place, if it has not begun to, and closes.
void Session::refuse(const Refusal& refusal) {
  if (exchange_ == nullptr) exchange_ = env_.exchanges.take(*this, env_.limits.request_memory_bytes);
  if (exchange_ == nullptr) {
    turn_away();
    return;
  }
  Exchange& exchange = *exchange_;
  exchange.request.set_peer(peer_);  // what is refused may not have begun
  if (exchange.finished()) {
    // The answer stands; only the rest of the request's body was bad.
    close(true);
    return;
  }
  if (exchange.requested_) {
    // A handler may be waiting for more of a body that will not come. It has no say in the answer any more.
    exchange.cancelled_ = true;
    env_.service.on_cancel(exchange);
    exchange.cancelled_ = false;
  }
  if (exchange.started()) {
    cut_answer(refusal);
    return;
  }
  if (!exchange.requested_ && asks_head_) exchange.show_head_request();
  exchange.close_after = true;
  if (refusal.status == 503) add_retry_after(exchange);
  exchange.send_problem(refusal.status, refusal.detail);
  close(true);
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
void Session::cut_answer(const Refusal& why) {
  cut_ = true;
  step_ = Step::Closing;
  if (exchange_ == nullptr) return;
  exchange_->state_ = Exchange::State::Finished;
  exchange_->cut_ = why;
}

// In place of an answer of which nothing was queued: one that lies ready. It is the connection's last.
void Session::answer_without_memory() {
  Exchange& exchange = *exchange_;
  // The answer that failed may have had no body of its own; only to HEAD this one has none.
  const bool asked_head = exchange.request.method() == Method::Head;
  const size_t size = asked_head ? kHeadWithoutMemory : kAnswerWithoutMemory.size();
  if (!output_.append_pinned(kAnswerWithoutMemory.substr(0, size), {})) cut_ = true;
  exchange.response.reset();
  exchange.response.status = 503;
  exchange.state_ = Exchange::State::Finished;
  exchange.close_after = true;
  exchange.cancelled_ = true;  // whatever the handler still says, nobody hears it
}

void Session::end_exchange() {
  if (exchange_ == nullptr) return;
  Exchange& exchange = *exchange_;
  exchange_ = nullptr;
  exchange.cancelled_ = true;
  if (!exchange.finished()) {
    exchange.cut_ = {499, "The client left before the answer was complete."};
    if (exchange.requested_) env_.service.on_cancel(exchange);
  }
  env_.service.on_done(exchange);
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
  return draining_ || internal_ || requests_ >= env_.limits.requests_per_connection;
}

// Ends what has come to its end and says when to look again. The last act of every event.
void Session::settle() {
  if (step_ == Step::Closing) end_exchange();
  const Limits& limits = env_.limits;
  switch (step_) {
    case Step::Idle:
      if (blank_bytes_ != 0) {
        deadline_ms_ = head_since_ms_ + limits.head_timeout_ms;
        break;
      }
      // While the peer takes an answer it is not idle; how long that may take is for its connection to say.
      deadline_ms_ = output_.empty() ? now_ms() + limits.idle_timeout_ms : UINT64_MAX;
      break;
    case Step::Head:
      deadline_ms_ = head_since_ms_ + limits.head_timeout_ms;
      break;
    case Step::Body: {
      if (body_held()) {
        if (body_held_since_ms_ == 0) body_held_since_ms_ = now_ms();
        deadline_ms_ = give_up_ms();
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
      deadline_ms_ = answer_deadline_ms();
      if (half_closed()) [[unlikely]]
        deadline_ms_ = std::min(deadline_ms_, give_up_ms());
      break;
    case Step::Held:  // the service's time, who bounds it
    case Step::Closing:
      deadline_ms_ = UINT64_MAX;
      break;
  }
}

}  // namespace leat::http

// The session's input: from the bytes that come to the request that the service is given.
#include <algorithm>
#include <new>
#include <utility>

#include "base/check.h"
#include "http/forwarding.h"
#include "http/problem.h"
#include "http1/session.h"

namespace leat::http1 {

namespace {

// Chunk sizes, extensions and trailers are bytes that no body limit counts. A peer may spend this much on
// them, and eight for each byte of payload: a chunk of one byte takes six.
constexpr uint64_t kMostOverhead = 16 * 1024;

// A client may send an empty line too many behind a request, and some did (RFC 9112, section 2.2).
constexpr uint8_t kMostBlankLines = 3;

// How the head of a HEAD request begins.
constexpr std::string_view kHead = "HEAD ";

constexpr bool is_line_end(char c) { return c == '\r' || c == '\n'; }

}  // namespace

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
      case Step::Tunnel:
        go_on = run_tunnel(in, at);
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
  body_.reset();
  body_overhead_ = 0;
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
  if (!may_be_asked_for(head.view(head.host))) [[unlikely]]
    return refuse(http::kMisdirected);
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
  const http::Service::BodyMode mode = env_.service.on_request(*exchange_);
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
    refuse(http::kBodyTooLarge);
    return;
  }
  if (exchange_->finished() && exchange_->close_after) {
    close(true);
    return;
  }
  step_ = Step::Body;
  body_.begin(mode, now_ms());
  if (!exchange_->started()) continue_body(*exchange_);
}

// Tells a client that waits for it to go on with the body (RFC 9110, section 10.1.1). Nothing where that was
// done, or the body has begun without.
void Session::continue_body(http::Exchange& exchange) {
  ENSURE(&exchange == exchange_);
  const http::Head& head = exchange_->request.head();
  if (!head.expect_continue || head.framing == http::Framing::None || body_.begun()) return;
  body_.set_begun();
  // Pinned, so that it is queued whole or not at all.
  if (!output_.append_pinned("HTTP/1.1 100 Continue\r\n\r\n", {})) cut_answer(http::kOutOfMemory);
}

// Not to HTTP/1.0, which knows no interim answers (RFC 9110, section 15.2).
void Session::hints(http::Exchange& exchange, std::span<const std::string_view> links) {
  ENSURE(&exchange == exchange_);
  if (!env_.limits.http1_early_hints || internal() || exchange.request.minor_version() == 0 ||
      over_high_water())
    return;
  Writer::write_hints(output_, links);
}

bool Session::parse_body(std::string_view in, size_t& used) {
  if (exchange_->finished() && (exchange_->close_after || much_body_left())) {
    close(true);
    return true;
  }
  if (body_.waits(*exchange_)) return false;
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
  body_.count(*exchange_, piece.size());
  if (taken != 0) body_.set_begun();
  if (step == Parser::Step::Refused) {
    refuse(parser.refusal());
  } else if (body_.bytes() > side().body_limit()) {
    refuse(http::kBodyTooLarge);
  } else if (body_overhead_ > kMostOverhead + env_.limits.header_bytes + 8 * body_.bytes()) {
    refuse({400, "The body's chunk framing is larger than what it frames."});
  } else if (step == Parser::Step::Body) {
    if (!body_.give(env_.service, *exchange_, piece)) refuse(http::kOutOfMemory);
  } else if (step == Parser::Step::End) {
    end_body();
  } else if (ended_) {
    refuse({400, "The connection ended within the request's body."});
  } else {
    return false;
  }
  return true;
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
  if (!exchange_->finished()) {
    if (tunnel_ == nullptr) return false;
    enter_tunnel();
    return true;
  }
  if (exchange_->close_after) {
    if (tunnel_ != nullptr) {
      enter_tunnel();
      return true;
    }
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

}  // namespace leat::http1

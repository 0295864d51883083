#include "http1/session.h"

#include <algorithm>

#include "base/check.h"
#include "http/problem.h"

namespace leat::http1 {

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
  if (step_ == Step::Body) body_.note_arrival(now_ms());
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
  const bool was_draining = std::exchange(draining_, true);
  idle_until_ms_ = idle_until_ms;
  // A head that has begun to arrive gets its answer in any case.
  if (step_ == Step::Idle && input_.empty() && now_ms() >= idle_until_ms_) close(true);
  if (step_ == Step::Tunnel && !was_draining) {
    tunnel_->tell([&](http::TunnelUser& user) { user.on_drain(idle_until_ms); });
    run_input();
  }
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
      if (!body_.waits(*exchange_)) {
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
    case Step::Tunnel:
      tunnel_->tell_of_deadline();
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
    if (step_ == Step::Tunnel) {
      tunnel_->tell([](http::TunnelUser& user) { user.on_starved(); });
      run_input();
    }
  }
  settle();
}

size_t Session::footprint() const {
  size_t bytes = output_.footprint() + input_.footprint();
  if (exchange_ != nullptr) bytes += side().footprint();
  if (tunnel_ != nullptr) bytes += tunnel_->footprint();
  return bytes;
}

uint64_t Session::owed_since_ms() const {
  if (step_ == Step::Head) return head_since_ms_;
  return step_ == Step::Body && !body_.waits(*exchange_) ? body_.read_ms() : UINT64_MAX;
}

bool Session::keeps_input() const {
  if (step_ == Step::Closing || ended_ || deaf_) return false;
  // A receive that is armed for nothing but to notice that the peer leaves may bring much before it can be
  // stopped: only while there is plenty of room.
  return input_.empty() && !env_.memory.blocks.is_filling();
}

// --- Time ------------------------------------------------------------------------------------------

// When a request whose peer has ended its side has waited for long enough. Not while something is on its way
// to the peer, for then sending tells whether it is there.
uint64_t Session::give_up_ms() const {
  const bool waits =
      step_ == Step::Answer || step_ == Step::Tunnel || (step_ == Step::Body && body_.waits(*exchange_));
  if (!half_closed() || !waits || !output_.empty()) return UINT64_MAX;
  const uint64_t waits_since_ms = step_ == Step::Body ? body_.held_since_ms() : answer_since_ms_;
  return std::max(ended_since_ms_, waits_since_ms) + env_.limits.half_closed_timeout_ms;
}

void Session::give_up() {
  cut_ = exchange_ == nullptr || exchange_->started();
  close(!ended_);
  input_.clear();
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
    case Step::Body:
      if (body_.waits(*exchange_)) {
        takes_input_ = false;
        body_.stop_clock(now_ms());
        deadline_ms_ = give_up_ms();
        if (!exchange_->started())
          deadline_ms_ = std::min(deadline_ms_, body_.held_until_ms(side().answer_timeout_ms()));
      } else {
        deadline_ms_ = body_.due_ms(now_ms(), limits);
      }
      break;
    case Step::Answer:
      takes_input_ = false;
      deadline_ms_ = exchange_->answer_deadline_ms();
      if (half_closed()) [[unlikely]]
        deadline_ms_ = std::min(deadline_ms_, give_up_ms());
      break;
    case Step::Tunnel:
      takes_input_ = takes_input_ && tunnel_->reads();
      deadline_ms_ = std::min(tunnel_->deadline_ms(), give_up_ms());
      break;
    case Step::Held:  // the service's time, who bounds it
    case Step::Closing:
      takes_input_ = false;
      deadline_ms_ = UINT64_MAX;
      break;
  }
}

}  // namespace leat::http1

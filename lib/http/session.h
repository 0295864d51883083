// Session: HTTP/1.1 on one connection, without the connection.
//
// Bytes in, bytes out: its owner feeds what was received and sends what output() holds. Inside, one request
// at a time goes through a table of steps (RFC 9112):
//
//   Idle -> Head -> Body -> Answer -> Idle ...      (each step may be left for Closing)
//             \-> Held -/                            (the service wants the request later)
//
// Answers are in order because the next head is not looked at before the last answer is complete; what
// arrives meanwhile waits in the input, and wants_input() asks the owner to stop receiving. A handler that
// answers at once costs nothing of all that: a pipelined batch is one loop over one buffer.
//
// Everything is bounded: heads and bodies by limits, output by its high-water mark (above it neither the
// next request is begun nor a handler's write accepted without saying "wait"), time by deadline_ms().
//
// No call re-enters: handlers run from feed(), resume(), sent() and the like, and what they ask of the
// exchange takes effect when they return.
//
// Thread: its worker's. Owned by a connection, which outlives no exchange of it: disconnect() ends them.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/exchange.h"
#include "http/input.h"
#include "http/known_heads.h"
#include "http/limits.h"
#include "http/service.h"
#include "http/writer.h"
#include "transport/output.h"

namespace leat::http {

// What the sessions of one worker share.
struct SessionEnvironment {
  WorkerContext& worker;
  Service& service;
  const Limits& limits;
  transport::OutputMemory memory;
  ExchangePool& exchanges;
  Writer& writer;
  KnownHeads* heads = nullptr;  // nullptr: parse every head
  KnownLines* lines = nullptr;  // nullptr: show every line to the parser
};

class Session {
 public:
  // `peer` is the client's address as text; it must outlive the session. `owner` is the number its owner
  // finds itself by.
  Session(SessionEnvironment& environment, std::string_view peer, uint32_t owner);
  ~Session();  // after disconnect()
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Bytes from the peer; all are taken.
  void feed(std::string_view bytes);
  // The peer will send no more, and all that it has sent was fed. What it asked for is answered if that comes
  // soon: see peer_ended().
  void feed_end();
  // The same where bytes may still be on their way to feed(). A peer that has ended its side may read on, or
  // may have left altogether, and only sending to it tells which. So a request that waits, and has nothing on
  // its way to the peer for Limits::half_closed_timeout_ms, ends as if the peer had gone.
  void peer_ended();
  // The transport has gone: ends the exchange. Output stays as it is, since a send may be under way that
  // reads from it; it is dropped with the session.
  void disconnect();
  // The first `size` bytes of output() have left.
  void sent(size_t size);
  // Goes on with a suspended exchange of this session.
  void resume(Exchange& exchange, WorkerContext::Resume call, void* argument);
  // The service, asked by on_request, wants the request later: nothing of it is looked at until release().
  void hold();
  [[nodiscard]] bool held() const { return step_ == Step::Held; }
  // Asks the service again. For resume() to call.
  void release();
  // Its request has been given to the service and is not answered, or not complete.
  [[nodiscard]] bool serving() const {
    return step_ == Step::Body || (step_ == Step::Answer && exchange_ != nullptr && !exchange_->started());
  }
  // Goes on after wants_turn().
  void take_turn();
  // deadline_ms() has passed.
  void deadline_passed();
  // Answers what was begun, with Connection: close, and takes nothing new.
  void drain();
  // Memory is out: a request that has not come whole is answered with a 503. Of one that came whole nothing
  // is lost, but what the peer has sent behind it, and what it sends from now on, is dropped: its answer is
  // the last one.
  void give_up_input();
  // Whatever the peer asks for is answered with a 503 that needs nothing but room for its
  // bytes, and the session ends.
  void turn_away();

  [[nodiscard]] transport::Output& output() { return output_; }
  // False: receive no more until it is true again; bytes that still come are kept.
  [[nodiscard]] bool wants_input() const;
  // More input is there, but this turn was long enough: call take_turn() in the next.
  [[nodiscard]] bool wants_turn() const { return wants_turn_; }
  // Send what output() holds, then close.
  [[nodiscard]] bool finished() const { return step_ == Step::Closing; }
  // The last answer is incomplete: close so that the peer notices (a reset), once output() has left.
  [[nodiscard]] bool cut() const { return cut_; }
  // The peer may still be sending: read and drop for a moment before closing, or a reset could destroy the
  // answer on its way (RFC 9112, section 9.6).
  [[nodiscard]] bool linger() const { return linger_; }
  // When deadline_passed() wants to be called (WorkerContext::now_ns() / 10^6), UINT64_MAX for never. It
  // moves without notice: look at it when an earlier one has passed.
  [[nodiscard]] uint64_t deadline_ms() const { return deadline_ms_; }
  // When the request under way is answered with a 504; UINT64_MAX while it is not complete, and once its
  // answer has begun, which is bounded by what the peer takes.
  [[nodiscard]] uint64_t answer_deadline_ms() const;
  // Between two requests, nothing held.
  [[nodiscard]] bool idle() const { return step_ == Step::Idle && input_.empty() && output_.empty(); }
  [[nodiscard]] bool half_closed() const { return ended_since_ms_ != 0; }
  // Memory that the session holds, in bytes: answers on their way, input that waits, and what the request
  // under way has. Looks at everything.
  [[nodiscard]] size_t footprint() const;
  // Of that, input that came before it was its turn.
  [[nodiscard]] size_t waiting_input() const { return takes_input() ? 0 : input_.footprint(); }
  // Since when the peer has been owing the rest of a request, in the clock of deadline_ms(); UINT64_MAX: it
  // owes nothing.
  [[nodiscard]] uint64_t owed_since_ms() const;
  [[nodiscard]] uint64_t requests() const { return requests_; }
  [[nodiscard]] uint32_t owner() const { return owner_; }
  // There is no client: what it is fed comes from WorkerContext::ask_self(), and is one request.
  [[nodiscard]] bool internal() const { return internal_; }
  void set_internal() { internal_ = true; }

 private:
  friend class Exchange;
  enum class Step : uint8_t { Idle, Head, Held, Body, Answer, Closing };

  void run_input();
  size_t run(std::string_view in);
  void read_blank_lines(std::string_view in, size_t& used);
  bool start_request(std::string_view in, size_t& used);
  bool parse_head(std::string_view in, size_t& used);
  void begin_request();
  void ask_service();
  void continue_body();
  bool parse_body(std::string_view in, size_t& used);
  void take_piece(std::string_view piece);
  bool buffer_piece(std::string_view piece);
  void end_body();
  bool end_answer();
  void refuse(const Refusal& refusal);
  void close(bool linger);
  void cut_answer(const Refusal& why);
  void answer_without_memory();
  // Bytes that come now are used now.
  [[nodiscard]] bool takes_input() const;
  void end_exchange();
  void give_up();
  void settle();
  // Where memory is filling each has a smaller share of it.
  [[nodiscard]] bool over_high_water() const {
    const size_t size = output_.size();
    if (size < env_.limits.output_low_bytes || size == 0) return false;
    return size >= env_.limits.output_high_bytes || env_.memory.blocks.is_filling();
  }
  [[nodiscard]] uint64_t now_ms() const { return env_.worker.now_ns() / 1'000'000; }
  [[nodiscard]] bool last_request() const;
  [[nodiscard]] uint64_t give_up_ms() const;
  // A handler has paused the request's body, and still has use for it.
  [[nodiscard]] bool body_held() const { return exchange_->body_paused_ && !exchange_->finished(); }

  SessionEnvironment& env_;
  std::string_view peer_;
  uint32_t owner_;
  transport::Output output_;
  Input input_;
  Exchange* exchange_ = nullptr;  // from the first byte of a head to the end of its answer
  KnownHead* hint_ = nullptr;     // the head that came last
  uint64_t requests_ = 0;
  uint64_t answer_since_ms_ = 0;  // when the request was complete
  uint64_t deadline_ms_ = UINT64_MAX;
  uint64_t head_since_ms_ = 0;
  uint64_t body_since_ms_ = 0;
  uint64_t body_read_ms_ = 0;
  uint64_t body_held_since_ms_ = 0;  // 0: it flows
  uint64_t ended_since_ms_ = 0;      // the peer's end, or the last that has left since; 0: it has not ended
  uint64_t body_bytes_ = 0;          // of payload
  uint64_t body_overhead_ = 0;       // of chunk framing
  Step step_ = Step::Idle;
  Service::BodyMode body_mode_ = Service::BodyMode::Discard;
  bool running_ = false;
  bool ended_ = false;  // feed_end() was called
  bool draining_ = false;
  bool deaf_ = false;  // give_up_input() was called
  bool wants_turn_ = false;
  bool held_by_output_ = false;
  bool cut_ = false;
  bool linger_ = false;
  bool internal_ = false;
  bool asks_head_ = false;   // the head that is read begins like a HEAD request
  uint8_t blank_bytes_ = 0;  // of blank lines before the next request
  bool body_begun_ = false;  // a byte of it, or 100 Continue, has been seen or sent
};

}  // namespace leat::http

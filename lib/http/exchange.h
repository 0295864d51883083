// Exchange: one request and its response, from the first byte of the head to the last byte of the answer.
//
// The object that middleware and handlers hold. Exchanges are recycled per worker; nothing outside keeps a
// pointer to one across turns, only a Ticket, which is checked. An exchange is given back by its protocol
// alone, never while a handler is on the stack.
//
// What is answered goes to its Stream (http/stream.h), which is all that an exchange knows of a protocol.
//
// One can also stand alone, in no pool: it holds a copy of another one's request, and its stream is whoever
// made it. So a handler can run on another thread, with an exchange that is its own alone.
//
// Thread: its worker's. Only Ticket values travel. One that stands alone is on whichever thread its owner is.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/block_pool.h"
#include "base/counted_text.h"
#include "http/answer_filter.h"
#include "http/answer_form.h"
#include "http/known_heads.h"
#include "http/message.h"
#include "http/refusal.h"
#include "http/request_states.h"
#include "http/stream.h"
#include "http/worker_context.h"

namespace leat::handlers {
class LimitedHandler;
}  // namespace leat::handlers
namespace leat::pipeline {
struct Route;
}  // namespace leat::pipeline

namespace leat::http {

class ExchangePool;
class Service;

class Exchange {
 public:
  // One that stands alone. It cannot be suspended, and no service sees its answer.
  Exchange(WorkerContext& worker, Stream& stream);
  ~Exchange();
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request request;
  Response response;
  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] WorkerContext& worker() { return worker_; }

  // --- Answering whole. Call once, with response.status and fields set. Runs the service's on_response,
  // then queues head and body; framing is the protocol's. The exchange stays valid until the handler returns.

  // Below this a pinned body is copied behind its head: one contiguous send is cheaper than a gathered one.
  static constexpr size_t kLeastPinned = 4096;

  // All answering functions return false, and do nothing, when the exchange was answered or cancelled before.

  // Copies `body`.
  bool send(std::string_view body);
  // Sends `body` in place: it must stay unchanged until `release` runs, which happens in any case. Short ones
  // are copied all the same.
  bool send_pinned(std::string_view body, Release release);
  // An RFC 9457 answer. `detail` (may be empty) tells the client what to mend; `extra` is appended to the
  // object as it stands, for example `"parameter":"limit"`. Response fields set before are kept. `by`: whose answer it is, which
  // is the server's own but for those that handlers of plugins give.
  bool send_problem(uint16_t status, std::string_view detail, std::string_view extra = {},
                    Origin by = Origin::Host);
  // The problem that is answered, for filters; null for any other answer.
  struct Problem {
    std::string_view detail;
    Origin by = Origin::Host;
  };
  [[nodiscard]] const Problem* problem() const { return problem_; }

  // --- Before the answer.

  // What its client may fetch meanwhile, the values of Link fields (103 Early Hints), where that is for it. They are not part of
  // the answer: no filter sees them, and no cache. False: it was answered, or that was said often enough.
  static constexpr unsigned kMostHints = 8;
  bool send_hints(std::span<const std::string_view> links);

  // --- Answering in pieces: begin, write any number of times, end.

  // A client that waits for 100 Continue is sent it first: who answers in pieces before the request's body
  // has come reads that body. With a length the body is framed by it (write() past it is refused); without,
  // chunked, or by closing for HTTP/1.0.
  bool begin(std::optional<uint64_t> length);
  // Copies `bytes`. True: go on. False: the queue is at its high-water mark (the bytes were taken): wait for
  // on_writable.
  bool write(std::string_view bytes);
  // Trailer fields, sent with end() if the body is chunked; see Response::add for what is refused.
  [[nodiscard]] bool add_trailer(std::string_view name, std::string_view value);
  bool end();
  // Gives up half-way: the connection is closed so that the client sees a cut answer, not a complete one.
  void abort();

  // --- Going on in another protocol (http/tunnel.h).

  // Whether its client asks for that, and its stream can.
  [[nodiscard]] bool may_switch_to(std::string_view protocol) const;
  // Agrees to it, with response's fields; what is left is `user`'s. The exchange ends when the handler returns, and with `stays`
  // when the tunnel does: until then its answer is one that was begun. Null: something else was answered, by a filter
  // or for want of memory, or it may not.
  Tunnel* switch_to(std::string_view protocol, std::unique_ptr<TunnelUser> user, bool stays);
  // It has ended with the switch, and its tunnel goes on.
  [[nodiscard]] bool left_for_tunnel() const { return left_for_tunnel_; }

  [[nodiscard]] bool started() const { return state_ != State::Open; }  // something was answered
  [[nodiscard]] bool finished() const { return state_ == State::Finished; }
  // In Service::on_response: the answer is one in one piece.
  [[nodiscard]] bool answers_whole() const { return answering_ == nullptr || answering_->whole.has_value(); }
  // Why its answer was cut, or will never be: what its client would be told if it still could be, and 499 for
  // a client that left. No status for one that is whole or under way.
  [[nodiscard]] const Refusal& cut() const { return cut_; }
  [[nodiscard]] bool cancelled() const { return cancelled_; }            // nobody will see what is answered
  [[nodiscard]] uint64_t bytes_sent() const { return body_bytes_out_; }  // body bytes queued

  // --- The request's body.

  // A streaming handler stops and starts the flow of on_body.
  void pause_body();
  void resume_body();
  // The same for who decides whether the handler sees the request at all: for as long as an answer may take,
  // and then it is a 504. Ends with resume_body().
  void hold_body();
  // Whether it is stopped.
  [[nodiscard]] bool body_stopped() const { return body_stopped_; }
  // Of what has come of it something is not given to the handler yet: the service is asked on, with an empty piece, before
  // more of it is read. For the service.
  void set_body_kept(bool kept) { body_kept_ = kept; }
  [[nodiscard]] bool body_kept() const { return body_kept_; }
  // Raises or lowers the limit for this request's body; call before the body is read.
  void set_body_limit(uint64_t bytes) { body_limit_ = bytes; }
  [[nodiscard]] uint64_t body_limit() const { return body_limit_; }
  // How long its answer's beginning may take once the request is complete; call before that, from on_request.
  void set_answer_timeout(uint32_t ms) { answer_timeout_ms_ = ms; }
  // Shows `body` in the place of the one that was collected, which goes. Its memory is the exchange's from here on.
  void replace_body(CountedText& body);
  // The head announces a body that is over the limit: the answer is 413, and a close.
  [[nodiscard]] bool body_over_limit() const;

  // --- Suspension.

  // Keeps the exchange open after the handler returns; it ends when it is answered or the client leaves.
  Ticket suspend();
  [[nodiscard]] bool suspended() const { return suspended_; }
  [[nodiscard]] Ticket ticket() const;
  // The name of the listening socket by which it came; empty where its stream has no protocol.
  [[nodiscard]] std::string_view listener() const;
  // When it is answered with a 504, on the clock of WorkerContext::now_ns() in milliseconds; UINT64_MAX while
  // the request is not complete, and once its answer has begun.
  [[nodiscard]] uint64_t answer_deadline_ms() const;

  // The service, asked by on_request, wants the request later: nothing of it is looked at until release(),
  // for whoever resumes it to call; then the service is asked again.
  void hold();
  void release() { held_ = false; }
  [[nodiscard]] bool held() const { return held_; }
  // It has been given to the service and is not answered, or not complete.
  [[nodiscard]] bool serving() const { return requested_ && (!complete() || !started()); }
  // There is no client: the server itself asks (WorkerContext::ask_self).
  [[nodiscard]] bool internal() const { return internal_; }

  // Where its answer goes.
  [[nodiscard]] Stream& stream() { return *stream_; }
  // What is not sent whatever the handler gives: the body of an answer to HEAD, or with a status without one.
  [[nodiscard]] bool head_only() const { return head_only_; }

  // --- For those that stand alone.

  // Takes over the request of `original`, with its route and its collected body: all of it a copy but the
  // body, which `original` is without from then on. False: memory is out.
  [[nodiscard]] bool take_request(Exchange& original);
  // How its answer in pieces was begun.
  [[nodiscard]] std::optional<uint64_t> announced_length() const;
  [[nodiscard]] const Response& trailers() const { return trailers_; }

  // Where the request's head has been recognised, its entry, which many requests share; else nullptr.
  [[nodiscard]] KnownHead* known_head() const { return known_; }

  // --- Filters, which an answer passes before it is sent (http/answer_filter.h).

  // More than a route has by far; each is a bit of a word.
  static constexpr size_t kMostFilters = 64;
  // Those of its route. They outlive the exchange.
  void set_filters(std::span<const FilterStep> filters) { filters_ = filters; }
  // What is answered from now on is `filter`'s own, and passes only those behind it.
  void answer_behind(const AnswerFilter& filter);
  // Shows the head of the answer that begins to the filters whose place the request has reached. For
  // Service::on_response.
  void filter_answer(uint32_t reached) {
    if (!filters_.empty()) [[unlikely]]
      show_to_filters(reached);
  }
  // Puts a problem in the place of an answer whose head is larger than can be sent. For filters that keep
  // answers.
  void mend_head(AnswerBody& body);
  // Puts a problem in the place of an answer that must not leave as it is; what middleware said of any answer stays.
  // For filters.
  void fail_answer(AnswerBody& body) { body.whole = put_failure(); }
  // What those on the request's way keep for it.
  RequestStates states{arena_};

  // What its answer is encoded in by who writes it by events; null where its client was not asked, which is JSON.
  const AnswerForm* answer_form = nullptr;

  // --- For the pipeline and the plugin host; cleared when the exchange is recycled.
  const pipeline::Route* route = nullptr;
  void* handler_state = nullptr;  // whatever the handler keeps for this request
  // Who is told at its end that it was admitted; none where the handler does that.
  handlers::LimitedHandler* limiter = nullptr;
  uint64_t started_ns = 0;  // CLOCK_MONOTONIC of the turn in which the head was complete
  // The same of the moments in which its handler was called and its answer began; 0 where that did not happen, or
  // no middleware of its route asks for it.
  uint64_t handler_ns = 0;
  uint64_t answer_ns = 0;
  uint64_t body_received = 0;     // payload of the request's body that has come
  std::string_view upstream;      // the URL of the one that was asked last, in the arena
  std::string_view cache_result;  // a literal: what the response cache did; empty where there is none
  uint32_t chain_position = 0;    // middleware steps already run forward
  bool close_after = false;       // answer, then close
  bool admitted = false;          // among those that its handler may have at the same time
  void* timers = nullptr;         // the worker's: running timers of this exchange

 private:
  friend class StreamSide;
  friend class ExchangePool;
  friend class Onward;
  // Ending: the handler has given all of it, and filters may still give more. Tunnel: it stays with one.
  enum class State : uint8_t { Open, Streaming, Ending, Tunnel, Finished };

  Exchange(WorkerContext& worker, ExchangePool& pool, uint32_t slot);
  bool start_answer(AnswerBody& body);
  void show_to_filters(uint32_t reached);
  void send_whole(std::string_view body, const Release* pinned);
  void send_changed();
  void begin_pieces(std::optional<uint64_t> length);
  bool pass_on(uint32_t from, std::string_view bytes);
  void end_pieces();
  void stop_filter(uint32_t at);
  std::string_view replace_head();
  std::string_view put_failure();
  [[nodiscard]] bool complete() const { return deadline_ms_ != UINT64_MAX; }
  // Back to the state of a new one, but for what is in the arena.
  void recycle();
  // Room for so many bytes of the request's body. False: memory is out.
  [[nodiscard]] bool grow_body(size_t room);
  void free_body() {
    if (body_ != nullptr) [[unlikely]]
      drop_body();
  }
  void drop_body();

  WorkerContext& worker_;
  Arena arena_;
  ExchangePool* const pool_ = nullptr;  // null for one that stands alone
  const uint32_t slot_ = 0;
  Stream* stream_ = nullptr;    // whose request this is; null for one that is idle
  Service* service_ = nullptr;  // that sees its answer
  bool internal_ = false;
  uint64_t deadline_ms_ = UINT64_MAX;  // of the answer, from the request's end on
  uint64_t body_limit_ = 0;
  uint32_t answer_timeout_ms_ = 0;  // as its protocol has it, or the service in its place

  // What each request sets back stands together, so that few stores do.
  KnownHead* known_ = nullptr;  // where the head lives, if not in the arena
  State state_ = State::Open;
  bool requested_ = false;  // the service knows of it
  bool cancelled_ = false;
  bool suspended_ = false;
  bool blocked_ = false;  // write() said no: on_writable is owed
  bool held_ = false;
  bool head_only_ = false;
  bool has_length_ = false;
  bool body_stopped_ = false;
  bool body_kept_ = false;
  bool left_for_tunnel_ = false;
  uint8_t hints_ = 0;  // how often its client was given some
  uint64_t length_ = 0;
  uint64_t length_left_ = 0;  // of an answer begun with a length
  uint64_t body_bytes_out_ = 0;
  std::span<const FilterStep> filters_;
  uint64_t first_filter_ = 0;  // that answers pass
  Refusal cut_;

  uint64_t working_ = 0;                        // a bit for each filter that is given pieces
  std::optional<std::string_view> unfiltered_;  // a whole body, for the first of those
  AnswerBody* answering_ = nullptr;             // while filters are shown its head
  const Problem* problem_ = nullptr;            // likewise, where it is one
  Response trailers_;                           // fields only

  // A buffered request body; grows by doubling as bytes arrive, whatever was announced. The worker's pool
  // counts it.
  char* body_ = nullptr;
  size_t body_size_ = 0;
  size_t body_room_ = 0;
};

// Puts kRetryAfterS into the answer to come, unless it has a Retry-After.
void add_retry_after(Exchange& exchange);

// Answers with a 503 for want of memory, which says that trying again may help. False: it was answered
// before.
bool send_out_of_memory(Exchange& exchange);

// What a stream does to its exchange: how the request arrives and the answer gets on. For streams and the
// protocols that own them, and for nobody else.
class StreamSide {
 public:
  explicit StreamSide(Exchange& exchange) : exchange_(exchange) {}

  // --- The request.

  // Its head is one that is known, and pinned.
  void set_known_head(KnownHead& known) {
    exchange_.known_ = &known;
    exchange_.request.show_head(known.head);
    exchange_.request.known_ = true;
  }
  // Its head was refused, but asks for no more than the head of an answer.
  void show_head_request();
  void set_internal() { exchange_.internal_ = true; }
  // The service is asked about it.
  void set_requested() { exchange_.requested_ = true; }
  [[nodiscard]] bool requested() const { return exchange_.requested_; }
  [[nodiscard]] uint64_t body_limit() const { return exchange_.body_limit_; }
  [[nodiscard]] uint32_t answer_timeout_ms() const { return exchange_.answer_timeout_ms_; }
  // Keeps a piece of its body, for the handler to get in one. False: memory is out.
  [[nodiscard]] bool keep_body(std::string_view piece);
  // Shows what was kept, and the trailers.
  void show_body(std::span<const HeaderSlot> trailers, std::string_view trailer_bytes);
  void count_received(uint64_t body_bytes) { exchange_.body_received += body_bytes; }
  // It has come whole, and is answered with a 504 at that time.
  void set_complete(uint64_t deadline_ms) { exchange_.deadline_ms_ = deadline_ms; }

  // --- The answer.

  // Its head is larger than can be sent, by the mistake of who gave it: a problem takes the answer's place,
  // whose body this is.
  [[nodiscard]] std::string_view replace_head() { return exchange_.replace_head(); }
  void count_sent(uint64_t body_bytes) { exchange_.body_bytes_out_ += body_bytes; }
  // It is over, whatever was said of it.
  void finish() { exchange_.state_ = Exchange::State::Finished; }
  void cut(const Refusal& why) {
    finish();
    exchange_.cut_ = why;
  }
  // What the log is told where the service still has the word.
  void set_cut(const Refusal& why) { exchange_.cut_ = why; }
  // Whether anybody will see what is answered from here on.
  void set_cancelled(bool cancelled) { exchange_.cancelled_ = cancelled; }
  // Whether on_writable is owed, which it no longer is.
  [[nodiscard]] bool take_blocked() { return std::exchange(exchange_.blocked_, false); }
  void end_suspension() { exchange_.suspended_ = false; }
  // Memory that it has, in bytes.
  [[nodiscard]] size_t footprint() const;

 private:
  Exchange& exchange_;
};

// The exchanges of one worker, by slot. Grows to `most`, or as far as there is memory; take() then answers
// nullptr and the request a 503. Those given back are kept for the next requests, in a small part of the
// worker's memory, until that is short or they are trimmed.
class ExchangePool final : private BlockPool::Keeper {
 public:
  ExchangePool(WorkerContext& worker, size_t most);
  ~ExchangePool();  // every exchange must be back
  ExchangePool(const ExchangePool&) = delete;
  ExchangePool& operator=(const ExchangePool&) = delete;

  [[nodiscard]] Exchange* take(Stream& stream, Service& service, size_t arena_limit);
  void give(Exchange& exchange);
  // Makes an exchange in use as good as new for its stream's next request; its tickets become stale.
  void renew(Exchange& exchange);

  // The exchange that `ticket` names, or nullptr when it has ended. Worker's thread.
  [[nodiscard]] Exchange* find(const Ticket& ticket);
  // The same question from any thread; the answer may be out of date when it arrives.
  [[nodiscard]] bool is_live(const Ticket& ticket) const;
  [[nodiscard]] size_t out() const { return out_; }
  [[nodiscard]] size_t idle() const { return idle_; }
  // Memory of those that are kept for the next requests, in bytes. Any thread, like the two above.
  [[nodiscard]] size_t idle_bytes() const { return idle_ * sizeof(Exchange); }
  // Frees three quarters of those, or all but `floor`. The bytes that went.
  size_t trim(size_t floor) noexcept;
  // Calls `visit(exchange)` for each that is in use. Worker's thread; `visit` must not end any.
  template <class Visit>
  void for_each(Visit visit) {
    for (size_t slot = 0; slot < exchanges_.size(); ++slot)
      if (generations_[slot].load(std::memory_order_relaxed) % 2 == 1) visit(*exchanges_[slot]);
  }

 private:
  friend class Exchange;
  bool make();
  void let_go() noexcept override { trim_to(0); }
  size_t trim_to(size_t kept) noexcept;
  void advance(uint32_t slot, uint64_t by);

  WorkerContext& worker_;
  std::vector<std::unique_ptr<Exchange>> exchanges_;      // null where a slot has none
  std::vector<uint32_t> free_;                            // slots of those that are idle
  std::vector<uint32_t> bare_;                            // slots without one
  std::unique_ptr<std::atomic<uint64_t>[]> generations_;  // odd while in use
  size_t most_;
  size_t keep_;
  SingleWriterCount out_, idle_;
};

}  // namespace leat::http

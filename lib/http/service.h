// Service and WorkerContext: what the HTTP layer needs from those above and below it, as interfaces, so
// that a session can be tested and fuzzed with neither a socket nor a pipeline.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "http/exchange.h"

namespace leat::client {
class Fetcher;
}

namespace leat::http {

// Answers requests: the pipeline in the daemon, a script in tests. One is shared by all workers; every call
// comes on the worker's thread. No call may throw.
class Service {
 public:
  enum class BodyMode : uint8_t {
    Buffer,  // collect the body (up to the limit), then on_body_end with request.body() set
    Stream,  // on_body for each piece as it arrives
    Discard  // read over it
  };
  virtual ~Service() = default;

  // The head is complete. The service may answer here. Its result says what to do with the body, if there is
  // one and no answer was finished yet. Or it may say Session::hold(), and is asked again later.
  virtual BodyMode on_request(Exchange& exchange) = 0;
  // A piece of a streamed body; the view ends with the call.
  virtual void on_body(Exchange& exchange, std::string_view piece) = 0;
  // The body is complete (also for requests without one). For Buffer and Stream.
  virtual void on_body_end(Exchange& exchange) = 0;
  // The output queue fell below its low-water mark after write() returned false.
  virtual void on_writable(Exchange& exchange) = 0;
  // An answer is about to be written: the last chance to change its head, which Exchange::filter_answer() is
  // for. Once an exchange.
  virtual void on_response(Exchange& exchange) = 0;
  // The head of the answer, with all that middleware added to it, is larger than one can be (16 KiB): a 500
  // takes its place. For whoever tells of it; nothing may be answered here.
  virtual void on_large_head(Exchange&) {}
  // The filter at that place in the exchange's list gives more than it was told to, and the answer is cut. For
  // whoever tells of it; nothing may be answered here.
  virtual void on_endless(Exchange&, uint32_t) {}
  // The answer did not begin in time: a 504 follows. For whoever tells of it; nothing may be answered here.
  virtual void on_late(Exchange&) {}
  // The client has gone, or sent nonsense half-way, before the answer was finished. At most once; nothing
  // that is answered from here on is sent.
  virtual void on_cancel(Exchange& exchange) = 0;
  // The exchange has ended and will be recycled: for observers such as the access log. Exactly once for each
  // exchange, also for one that was refused before on_request; such a one has no route and an empty head.
  virtual void on_done(Exchange& exchange) = 0;
};

// The part of a worker that exchanges and handlers may use.
class WorkerContext {
 public:
  // Goes on with a suspended exchange; `argument` is whatever was given with the timer or completion.
  using Resume = void (*)(Exchange& exchange, void* argument);

  virtual ~WorkerContext() = default;
  [[nodiscard]] virtual uint32_t index() const = 0;         // 0-based
  [[nodiscard]] virtual uint64_t now_ns() const = 0;        // CLOCK_MONOTONIC, as of this turn
  [[nodiscard]] virtual std::string_view date() const = 0;  // IMF-fixdate of this second, 29 bytes
  [[nodiscard]] virtual BlockPool& blocks() = 0;

  // Calls `resume(exchange, argument)` on this worker after `delay_ms`, unless the exchange has ended by
  // then, in which case nothing is called. False when no timer could be had (memory).
  [[nodiscard]] virtual bool resume_after(Ticket ticket, uint64_t delay_ms, Resume resume,
                                          void* argument) = 0;

  // Asks other servers on behalf of this worker's requests (client/fetch.h). Null where nobody can.
  [[nodiscard]] virtual client::Fetcher* fetcher() { return nullptr; }

  // Answers a request that no client sent, in a later turn: `head` is a request's head with Connection: close
  // and without a body. Its exchange is one like any other; nobody reads the answer. False: not now, too many
  // are under way, or nobody can here.
  [[nodiscard]] virtual bool ask_self(std::string_view head) {
    (void)head;
    return false;
  }

  // Drops the timers of an exchange that ends; called for those that had any.
  virtual void forget_timers(Exchange& exchange) = 0;

  // The same as resume_after(), at once and from any thread: `resume` runs on the worker that the ticket
  // names, in a later turn. False, and nothing will be called, when the ticket is stale or memory is out.
  // True does not promise a call: the exchange may end before the worker gets to it. Any thread.
  [[nodiscard]] virtual bool resume_from_any_thread(Ticket ticket, Resume resume, void* argument) = 0;

  // Runs `work` on this worker in a later turn, or never if it stops before. Any thread, for as long as the
  // worker's requests have not all come to their end.
  virtual void run_soon(std::function<void()> work) = 0;
};

}  // namespace leat::http

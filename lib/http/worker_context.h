// WorkerContext: the part of a worker that exchanges and handlers may use, as an interface, so that they can
// be tested with neither a socket nor a thread.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "base/block_pool.h"
#include "http/client_identity.h"

namespace leat::client {
class Fetcher;
}

namespace leat::http {

class Exchange;
class Protocol;

// Names a suspended exchange from any thread. A ticket whose exchange has ended is stale and resumes nothing.
struct Ticket {
  uint32_t worker = 0;
  uint32_t slot = 0;
  uint64_t generation = 0;
};

class WorkerContext {
 public:
  // Goes on with a suspended exchange; `argument` is whatever was given with the timer or completion.
  using Resume = void (*)(Exchange& exchange, void* argument);

  virtual ~WorkerContext() = default;
  [[nodiscard]] virtual uint32_t index() const = 0;   // 0-based
  [[nodiscard]] virtual uint64_t now_ns() const = 0;  // CLOCK_MONOTONIC, as of this turn
  // The same clock as of this moment: later than that by what the turn has done so far.
  [[nodiscard]] virtual uint64_t fresh_ns() const { return now_ns(); }
  [[nodiscard]] virtual std::string_view date() const = 0;  // IMF-fixdate of this second, 29 bytes
  [[nodiscard]] virtual BlockPool& blocks() = 0;
  // Which part of the last moments it has had work to do, in percent: for who could do with less.
  [[nodiscard]] virtual unsigned busy_percent() const { return 0; }

  // Calls `resume(exchange, argument)` on this worker after `delay_ms`, unless the exchange has ended by
  // then, in which case nothing is called. False when no timer could be had (memory).
  [[nodiscard]] virtual bool resume_after(Ticket ticket, uint64_t delay_ms, Resume resume,
                                          void* argument) = 0;

  // Asks other servers on behalf of this worker's requests (client/fetch.h). Null where nobody can.
  [[nodiscard]] virtual client::Fetcher* fetcher() { return nullptr; }

  // Answers a request that no client sent, in a later turn: `head` is a request's head with Connection: close
  // and without a body. Its exchange is one like any other; nobody reads the answer. False: not now, too many
  // are under way, or nobody can here. `identity` is for whom it asks, and `listener` by which it comes
  // (Exchange::listener()); all texts are copied.
  [[nodiscard]] virtual bool ask_self(std::string_view head, const ClientIdentity& identity,
                                      std::string_view listener) {
    (void)head, (void)identity, (void)listener;
    return false;
  }

  // Drops the timers of an exchange that ends; called for those that had any.
  virtual void forget_timers(Exchange& exchange) = 0;

  // The same as resume_after(), at once and from any thread: `resume` runs on the worker that the ticket
  // names, in a later turn. False, and nothing will be called, when the ticket is stale or memory is out.
  // True does not promise a call: the exchange may end before the worker gets to it. Any thread.
  [[nodiscard]] virtual bool resume_from_any_thread(Ticket ticket, Resume resume, void* argument) = 0;

  // Something has changed with that protocol of this worker's, out of one of its events: what it has to send is sent in this
  // turn, and it gets the turn that it wants.
  virtual void touch(Protocol& protocol) { (void)protocol; }

  // Runs `work` on this worker in a later turn, or never if it stops before. Any thread, for as long as the
  // worker's requests have not all come to their end.
  virtual void run_soon(std::function<void()> work) = 0;
};

}  // namespace leat::http

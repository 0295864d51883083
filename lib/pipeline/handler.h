// Handler and Middleware: the two kinds of step an exchange passes through.
//
// Both are immutable after load and shared by all workers: what they keep for one request lives in the
// exchange (handler_state, arena), what they keep for one worker is indexed by exchange.worker().index().
// No call may throw; the plugin host turns plugin failures into verdicts.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"

namespace leat::pipeline {

enum class Verdict : uint8_t {
  Next,     // nothing to say: on to the next step; a handler's Next is "not found here", a 404
  Done,     // answered, or the answer was begun and goes on through on_writable/on_resume
  Pending,  // suspended: exchange.suspend() was called, the answer comes later
  Error     // failed: a 500 that names `blame()`, unless an answer was begun, which is then cut
};

class Handler {
 public:
  virtual ~Handler() = default;

  // True: handle() is called as soon as the head is complete, then on_body for each piece and on_body_end.
  // False: handle() is called once the body is complete, as request.body().
  [[nodiscard]] virtual bool streams_body() const { return false; }
  [[nodiscard]] virtual Verdict handle(http::Exchange& exchange) = 0;
  // Streamed bodies only, and only after handle() returned Done or Pending without a finished answer.
  virtual Verdict on_body(http::Exchange&, std::string_view) { return Verdict::Done; }
  virtual Verdict on_body_end(http::Exchange&) { return Verdict::Done; }
  // write() returned false and there is room again.
  virtual Verdict on_writable(http::Exchange&) { return Verdict::Done; }
  // The client has gone: let go of what the exchange holds outside its arena. At most once, and never after
  // the answer was finished.
  virtual void on_cancel(http::Exchange&) {}
  // The exchange ends, answered or not; after on_cancel if there was one. Exactly once for each handle().
  virtual void on_done(http::Exchange&) {}
  // Who is to blame in logs and 500s: "plugin demo".
  [[nodiscard]] virtual std::string_view blame() const = 0;
  // Adds what stands before it on its route, in order, for people: "cache", "concurrency", "pool".
  virtual void list_steps(std::vector<std::string_view>&) const {}
};

// One configured instance of a middleware kind. What it does not override is left out of the compiled chain.
class Middleware {
 public:
  // Which of the three hooks the instance has.
  enum Hooks : uint8_t { kRequest = 1, kResponse = 2, kDone = 4 };

  virtual ~Middleware() = default;
  [[nodiscard]] virtual uint8_t hooks() const = 0;

  // Forward, before the handler, in chain order. Next goes on; Done means that it answered.
  [[nodiscard]] virtual Verdict on_request(http::Exchange&) { return Verdict::Next; }
  // In reverse order, before the response head is written. For those whose on_request was reached, or which
  // have none.
  virtual void on_response(http::Exchange&) {}
  // In reverse order, when the exchange has ended.
  virtual void on_done(http::Exchange&) {}
};

}  // namespace leat::pipeline

// Handler: what answers the requests of a route.
//
// Handlers are immutable after load and shared by all workers: what they keep for one request lives in the
// exchange (handler_state, arena), what they keep for one worker is indexed by exchange.worker().index().
// No call may throw; the plugin host turns plugin failures into verdicts.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "pipeline/verdict.h"

namespace leat::pipeline {

// For people who ask what would become of a request (explain.h): "cache", "GET /users, for 60s".
struct ExplainedFact {
  std::string label, text;
};

class Site;
struct BodySchemas;
struct ParameterSpec;

// What a handler says of itself, for the description of what runs. As long as the handler.
struct HandlerDescription {
  std::span<const ParameterSpec> parameters;
  const BodySchemas* schemas = nullptr;  // null: it says nothing of its bodies
  bool streams = false;
  bool needs_session = false;  // it cannot do without one in front (http/user_session.h)
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
  // Adds what holds for a request that came to it, beside that. Nothing is done. Any thread.
  virtual void explain(http::Exchange&, std::vector<ExplainedFact>&) const {}
  // It waits for a thread of the pool first.
  [[nodiscard]] virtual bool waits_for_thread() const { return false; }
  // Once, when all routes are there and before any request is: for what is made of them.
  virtual void on_built(const Site&) {}
  // Adds what is known of its parameters and bodies.
  virtual void describe(HandlerDescription&) const {}
  // What its answers pass before all middleware but that of Phase::Content, and where it is itself: for the
  // response cache. Null where there is none.
  [[nodiscard]] virtual http::AnswerFilter* answer_filter() { return nullptr; }
};

}  // namespace leat::pipeline

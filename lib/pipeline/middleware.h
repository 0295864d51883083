// Middleware: a step on a route's way to its handler and back.
//
// An instance is made from its options when the site is built, and then shared by all workers; it may run for
// several requests at the same time. What it keeps for one of them lies in exchange.states, by its own
// type; what it keeps for one worker is indexed by exchange.worker().index(). No call may throw.
//
//   on_request   -> on_body ->   handler
//   on_done  <-  on_answer, on_piece, on_end (http::AnswerFilter)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "pipeline/finding.h"
#include "pipeline/verdict.h"

namespace leat::pipeline {

class Middleware : public http::AnswerFilter {
 public:
  // The hooks that an instance has. Of one that it has not, no call is made.
  // Three are none: kMoments asks for Exchange::handler_ns and answer_ns. kPreflight, beside kRequest, promises to answer
  // each preflight request (pipeline/preflight.h), so that those for the routes that have it come to it. kVaries, beside
  // kRequest, promises that on_request() does no more than put a field of the request into the form by which the answers
  // differ, and on_body() no more than show the same content in another form: so it may stand behind the cache, which tells
  // requests apart by what it has left.
  enum Hooks : uint8_t {
    kRequest = 1,
    kAnswer = 2,
    kDone = 4,
    kBody = 8,
    kMoments = 16,
    kPreflight = 32,
    kVaries = 64,
    kWorker = 128
  };

  [[nodiscard]] virtual uint8_t hooks() const = 0;

  // Whether it is about who asks, and how often, so that its on_request() is called for requests of clients alone. Those that the
  // daemon makes itself (Exchange::internal()) renew what was answered to one that it has let in. Asked when the site is built.
  [[nodiscard]] virtual bool for_clients() const { return false; }

  // Whether its on_answer() is shown all answers, also of those that the request has not come past, and before anybody else's is.
  [[nodiscard]] virtual bool sees_all_answers() const { return false; }

  // Types that handlers' JSON may also come and go in because of it, in order; for the description of the site (openapi.h).
  struct FurtherTypes {
    std::vector<std::string_view> answers, bodies;
  };
  virtual void add_types(FurtherTypes&) const {}

  // On each worker's thread, when it begins to serve by the site that the instance is of, at its start or after a reload,
  // and before any request: for who has something to do that no request asks for (client::Errand).
  virtual void on_worker(http::WorkerContext&) {}

  // Forward, before the handler, in the order of the chain. Next goes on; Done means that it answered, or
  // began to. Pending: exchange.suspend() was called; whoever resumes the request (WorkerContext) calls
  // resume_chain() (pipeline.h) with the verdict. Meanwhile the request's body is collected, or, where its handler
  // streams it, not read; for as long as an answer may take.
  [[nodiscard]] virtual Verdict on_request(http::Exchange&) { return Verdict::Next; }
  // The request's body, of requests that have one and came to the handler: all of it before the handler is
  // called, or, where that streams it, a piece before the handler sees it. The one behind `last` may be
  // empty. Another may be put in its place, which stays until the exchange ends, or until the next call where the
  // handler streams. Next goes on; Done means that it answered, where the handler has not.
  [[nodiscard]] virtual Verdict on_body(http::Exchange&, std::string_view& piece, bool last) {
    (void)piece, (void)last;
    return Verdict::Next;
  }
  // After on_body() has said Next, of a body that is streamed: whether it makes more pieces of what it was shown. Then it
  // is called again, with an empty piece; at once, or once a handler that pauses the body goes on.
  [[nodiscard]] virtual bool has_more(const http::Exchange&) const { return false; }
  // An answer that it began may go on.
  virtual void on_writable(http::Exchange&) {}
  // The client has gone while this one had the request: it is suspended, or answers.
  virtual void on_cancel(http::Exchange&) {}

  // kAnswer: on_answer() and what that asks for (http/answer_filter.h), in reverse order, for those whose
  // on_request was reached, or which have none.

  // In reverse order, when the exchange has ended; for the same ones.
  virtual void on_done(http::Exchange&) {}
  // For those that have on_done, and watch_tunnels(): the tunnel of a request whose exchange had ended by then
  // (Exchange::left_for_tunnel) has come to its end. The exchange is another one, that shows that request, without states.
  virtual void on_tunnel_end(http::Exchange&) {}
  [[nodiscard]] virtual bool watches_tunnels() const { return false; }
  // What it would do with this request, for people (explain.h): "lets 192.0.2.1 in, by rule 2". Nothing is done, and nothing
  // counted. Empty where that is said by the sentence of its kind. Any thread.
  [[nodiscard]] virtual std::string explain(http::Exchange&) const { return {}; }
  // What it finds out of each request that it lets pass, for those behind it, as a set of Finding; and what it needs of those in
  // front of it. Asked when the site is built.
  [[nodiscard]] virtual uint8_t finds() const { return kNoFinding; }
  [[nodiscard]] virtual std::vector<Need> needs() const { return {}; }
  // Who is to blame in logs and 500s, "plugin demo"; its kind where it does not say.
  [[nodiscard]] virtual std::string_view blame() const { return {}; }
};

}  // namespace leat::pipeline

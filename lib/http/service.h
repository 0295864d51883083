// Service: what answers requests, as an interface, so that a protocol can be tested and fuzzed without a
// pipeline.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::pipeline {
struct Route;
}

namespace leat::http {

class Exchange;
class TunnelUser;
class WorkerContext;

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

  // The worker that it is for serves from now on: once, before its first request. `worker` outlives its requests.
  virtual void on_start(WorkerContext& worker) { (void)worker; }
  // The head is complete. The service may answer here. Its result says what to do with the body, if there is
  // one and no answer was finished yet. Or it may say Exchange::hold(), and is asked again later.
  virtual BodyMode on_request(Exchange& exchange) = 0;
  // A piece of a streamed body; the view ends with the call. Where something of those before was kept back
  // (Exchange::body_kept), it is asked on with an empty one.
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
  // Before on_done: the request has switched protocols (http/tunnel.h). Whoever wants to tell `user` that the server, or the
  // exchange's route, goes enlists it. Unless the exchange stays with the tunnel, on_tunnel_end() follows when
  // that ends; true: it wants to see the request then.
  virtual bool on_tunnel(Exchange& exchange, TunnelUser& user) {
    (void)exchange, (void)user;
    return false;
  }
  // The tunnel has ended of a request that ended before it. `exchange` is another one, that shows the same request, with the
  // tunnel's bytes; null where nobody wanted that, or memory is out.
  virtual void on_tunnel_end(const pipeline::Route* route, Exchange* exchange) {
    (void)route, (void)exchange;
  }
  // What was answered in this turn of the worker's loop has been given to the kernel.
  virtual void on_turn_end() {}
};

}  // namespace leat::http

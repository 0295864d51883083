// Exchange: one request and its response, from the first byte of the head to the last byte of the answer.
//
// The object that middleware and handlers hold. Exchanges are recycled per worker; nothing outside keeps a
// pointer to one across turns, only a Ticket, which is checked. An exchange is given back by its session
// alone, never while a handler is on the stack.
//
// Thread: its worker's. Only Ticket values travel.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace leat::pipeline {
struct Route;
}

namespace leat::http {

class Session;
class WorkerContext;

// Names a suspended exchange from any thread. A ticket whose exchange has ended is stale and resumes nothing.
struct Ticket {
  uint32_t worker = 0;
  uint32_t slot = 0;
  uint64_t generation = 0;
};

// Called with `context` once pinned bytes have left or the connection has gone. Worker's thread.
struct Release {
  void (*run)(void* context) = nullptr;
  void* context = nullptr;
};

class Exchange {
 public:
  Exchange(WorkerContext& worker, uint32_t slot);
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  Request request;
  Response response;
  [[nodiscard]] Arena& arena() { return arena_; }
  [[nodiscard]] WorkerContext& worker() { return worker_; }

  // --- Answering whole. Call once, with response.status and fields set. Runs the service's on_response,
  // then queues head and body; framing is the writer's. The exchange stays valid until the handler returns.

  // Copies `body`.
  void send(std::string_view body);
  // Sends `body` in place: it must stay unchanged until `release` runs. Short ones are copied all the same.
  void send_pinned(std::string_view body, Release release);
  // An RFC 9457 answer. `detail` (may be empty) tells the client what to mend; `extra` is appended to the
  // object as it stands, for example `"parameter":"limit"`. Response fields set before are kept.
  void send_problem(uint16_t status, std::string_view detail, std::string_view extra = {});

  // --- Answering in pieces: begin, write any number of times, end.

  // With a length the body is framed by it (write() past it is refused); without, chunked, or by closing
  // for HTTP/1.0.
  void begin(std::optional<uint64_t> length);
  // Copies `bytes`. True: go on. False: the queue is at its high-water mark (the bytes were taken): wait for
  // on_writable.
  bool write(std::string_view bytes);
  // Trailer fields, sent with end() if the body is chunked; see Response::add for what is refused.
  [[nodiscard]] bool add_trailer(std::string_view name, std::string_view value);
  void end();
  // Gives up half-way: the connection is closed so that the client sees a cut answer, not a complete one.
  void abort();

  [[nodiscard]] bool started() const { return state_ != State::Open; }  // something was answered
  [[nodiscard]] bool finished() const { return state_ == State::Finished; }
  [[nodiscard]] uint64_t bytes_sent() const { return body_bytes_out_; }  // body bytes queued

  // --- The request's body.

  // A streaming handler stops and starts the flow of on_body.
  void pause_body();
  void resume_body();
  // Raises or lowers the limit for this request's body; call before the body is read.
  void set_body_limit(uint64_t bytes) { body_limit_ = bytes; }

  // --- Suspension.

  // Keeps the exchange open after the handler returns; it ends when it is answered or the client leaves.
  Ticket suspend();
  [[nodiscard]] bool suspended() const { return suspended_; }
  [[nodiscard]] Ticket ticket() const;

  // --- For the pipeline and the plugin host; cleared when the exchange is recycled.
  const pipeline::Route* route = nullptr;
  void* handler_state = nullptr;      // whatever the handler keeps for this request
  uint32_t chain_position = 0;        // middleware steps already run forward
  uint64_t started_ns = 0;            // CLOCK_MONOTONIC of the turn in which the head was complete
  bool close_after = false;           // answer, then close
};

}  // namespace leat::http

// Fetch: one request to another server on behalf of a request, as those see it who ask for it.
//
// A handler's request is the exchange; what it asks an upstream for is a fetch. Fetches belong to their
// exchange: what comes back lies in its arena, and whoever ends the exchange cancels them. Those that a worker
// makes of its own accord belong to an errand (client/errand.h). The interface
// stands apart from the client that does the work, so that a test can answer fetches without a socket.
//
// Thread: the exchange's worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "http/worker_context.h"

namespace leat::client {

class Errand;
class FetchWatch;
class Upstream;

struct Field {
  std::string_view name;
  std::string_view value;
};

// What is asked for. All views are copied by start().
struct FetchRequest {
  std::string_view method = "GET";
  std::string_view target = "/";  // path and query, percent-encoded
  std::span<const Field> fields;  // but for those that are the client's own, see refuse_request()
  std::string_view body;
  uint64_t timeout_ms = 0;  // from now until the answer is complete; 0: the upstream's
};

enum class FetchStatus : uint8_t {
  Pending,   // not yet
  Answered,  // there is a complete answer, whatever its status code
  Timeout,   // none within the time
  Failed,    // no connection, or one that broke, or an answer that is no HTTP
  TooLarge,  // the answer is beyond the upstream's limits
  Memory,    // the exchange's memory is out
};

// From start() until it has been resumed or cancelled it is the client's; it may lie in the exchange's arena.
struct Fetch {
  // For whose sake.
  http::Exchange* exchange = nullptr;
  http::WorkerContext::Resume resume = nullptr;  // called with this as its argument, once, with `status` set
  // Of one that is for no request's sake, in place of these: where the answer lies, and who is told, once.
  Arena* arena = nullptr;
  void (*over)(Fetch& fetch) = nullptr;
  void* owner = nullptr;  // for who is told

  FetchStatus status = FetchStatus::Pending;
  bool by_http2 = false;          // it was answered so
  uint16_t code = 0;              // of the answer, 200 to 599
  std::span<const Field> fields;  // in the order received, names as received; framing fields included
  std::string_view body;          // decoded from its framing
  std::string_view message;       // why there is no answer: "cannot connect: Connection refused"

  void* job = nullptr;          // the client's
  FetchWatch* watch = nullptr;  // who records it, and what that one keeps for it; likewise
  void* record = nullptr;
};

class Fetcher {
 public:
  virtual ~Fetcher() = default;

  // Begins. False: the upstream's connections are all in use, and as many as may wait do. `fetch.resume` is
  // never called from within.
  [[nodiscard]] virtual bool start(Fetch& fetch, const std::shared_ptr<const Upstream>& upstream,
                                   const FetchRequest& request) = 0;
  // Gives up: `fetch` will not be resumed. Does nothing for one that was.
  virtual void cancel(Fetch& fetch) = 0;

  // Has the worker do an errand, from a later step on. False: nobody can here, too many are under way, or the worker
  // has ended.
  [[nodiscard]] virtual bool begin(std::shared_ptr<Errand> errand) {
    (void)errand;
    return false;
  }
  // It has something to do before the time for which it waits.
  virtual void wake(const Errand& errand) { (void)errand; }
};

// Why the request cannot be sent; empty for one that can. What would let one request become two on the wire,
// or change its framing, is refused.
std::string_view refuse_request(const FetchRequest& request);

}  // namespace leat::client

// FetchWatch: who records what is asked of upstreams for a request's sake, as the spans of a trace are.
//
// A request names its watch with its place in its trace (http::TraceParent), and the client tells it of each fetch.
//
// Thread: the exchange's worker.
#pragma once

#include <string_view>

#include "client/fetch.h"

namespace leat::client {

class FetchWatch {
 public:
  virtual ~FetchWatch() = default;
  // A fetch begins. The traceparent that the upstream is told, in place of the request's own; it stays until the fetch is over.
  // Empty: nothing is recorded of it.
  virtual std::string_view on_fetch(Fetch& fetch, const Upstream& upstream, const FetchRequest& request) = 0;
  // It is over, as its status says: Pending where it was given up, or could not begin. For those of which something is recorded.
  virtual void on_fetch_end(Fetch& fetch) = 0;
};

}  // namespace leat::client

// RequestFetch: one question to another server for the sake of a request, which waits for the answer at its middleware's step
// (pipeline::Middleware::on_request).
//
//   auto* fetch = exchange.states.make<MyFetch>(this, ...);         // a RequestFetch
//   if (fetch->start(exchange, upstream, order, pool)) { exchange.suspend(); return Verdict::Pending; }
//   ... in `answered`:                                              resume_chain(exchange, verdict)
//
// It lies among the request's states and ends with it: whoever leaves takes the question along. It never takes longer than the
// request itself may.
//
// Thread: the exchange's worker.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>

#include "client/asking.h"
#include "client/fetch.h"
#include "client/upstream.h"
#include "http/exchange.h"

namespace leat::middleware {

class RequestFetch {
 public:
  // Called once, on the worker, when the fetch is over; the request may have been answered meanwhile, because its time was up.
  using Answered = void (*)(http::Exchange& exchange, RequestFetch& fetch);

  explicit RequestFetch(Answered answered) : answered_(answered) {}
  ~RequestFetch() {
    if (under_way_) fetch_.exchange->worker().fetcher()->cancel(fetch_);
  }
  RequestFetch(const RequestFetch&) = delete;
  RequestFetch& operator=(const RequestFetch&) = delete;

  // Begins; once. False: nobody asks here, or all connections are in use and as many requests wait as may. `pool`, on which
  // names are resolved again, may be null.
  [[nodiscard]] bool start(http::Exchange& exchange, const std::shared_ptr<client::Upstream>& upstream,
                           client::FetchRequest order, ThreadPool* pool) {
    client::Fetcher* const fetcher = exchange.worker().fetcher();
    if (fetcher == nullptr) return false;
    fetch_.exchange = &exchange;
    fetch_.resume = [](http::Exchange& resumed, void* argument) {
      auto* const over = static_cast<client::Fetch*>(argument);
      auto& self = *static_cast<RequestFetch*>(over->owner);
      self.under_way_ = false;
      self.answered_(resumed, self);
    };
    fetch_.owner = this;
    if (order.timeout_ms == 0) order.timeout_ms = upstream->options().timeout_ms;
    order.timeout_ms = std::min(order.timeout_ms, client::time_left_ms(exchange));
    client::refresh_if_due(upstream, exchange.worker().now_ns() / 1'000'000, pool);
    under_way_ = fetcher->start(fetch_, upstream, order);
    return under_way_;
  }
  [[nodiscard]] const client::Fetch& answer() const { return fetch_; }

 private:
  const Answered answered_;
  client::Fetch fetch_;
  bool under_way_ = false;
};

}  // namespace leat::middleware

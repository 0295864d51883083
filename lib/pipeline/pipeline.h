// Pipeline: the service behind every connection. Finds the route, runs its chain and its handler, and makes sure
// that each request is answered exactly once, whatever a handler does.
//
//   on_request   route -> middleware forward -> a streaming handler's handle(). A middleware may suspend the
//                request; resume_chain() goes on where it did
//   on_body_end  the handle() of handlers that want the whole body
//   on_response  the answer's filters: cache and middleware in reverse, for those whose step was reached
//   on_done      handler, then middleware in reverse
//
// One for each worker: it counts the requests that are under way, so that its site can be replaced while they
// end with the one they began with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/service.h"
#include "http/tunnel.h"
#include "pipeline/find_route.h"
#include "pipeline/request_counts.h"
#include "pipeline/site.h"

namespace leat::pipeline {

class Pipeline final : public http::Service {
 public:
  // Told, on the worker's thread, that no request of a replaced site is left.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_site_unused(const Site& site) = 0;
  };

  // `site` must outlive the pipeline, or its replacement's on_site_unused(); `owner` and `counts` the
  // pipeline. Without `counts`, its worker's, nothing is counted.
  explicit Pipeline(const Site& site, Owner* owner = nullptr, RequestCounts::Lane* counts = nullptr);

  void on_start(http::WorkerContext& worker) override;
  BodyMode on_request(http::Exchange& exchange) override;
  void on_body(http::Exchange& exchange, std::string_view piece) override;
  void on_body_end(http::Exchange& exchange) override;
  void on_writable(http::Exchange& exchange) override;
  void on_response(http::Exchange& exchange) override;
  void on_large_head(http::Exchange& exchange) override;
  void on_endless(http::Exchange& exchange, uint32_t filter) override;
  void on_late(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;
  bool on_tunnel(http::Exchange& exchange, http::TunnelUser& user) override;
  void on_tunnel_end(const Route* route, http::Exchange* exchange) override;
  void on_turn_end() override {
    if (counts_ != nullptr) counts_->on_turn_end();
  }

  // Answers requests by `site` from now on; those under way stay with theirs. The owner is told when the last
  // of them has ended, before this returns if there are none. Worker's thread.
  // Tunnels of the former one are told to come to their end.
  void replace_site(const Site& site);
  // Holds new requests whose handlers or middleware are `owners`', until release() or replace_site(); whoever calls those
  // then has it asked again (Exchange::release). Nothing is asked for it while nothing is held: what
  // known heads remember is forgotten, and the look-up that follows finds out. Worker's thread.
  void hold(std::vector<std::string> owners);
  void release() { held_.clear(); }
  // Whether its handler has been called.
  [[nodiscard]] static bool handled(const http::Exchange& exchange);
  // Those under way that `site` answers; 0 for one that was left. Worker's thread.
  [[nodiscard]] uint64_t requests(const Site& site) const;
  // Tells the tunnels of that site to end, not later than at `until_ms` (Protocol::deadline_ms). Worker's thread.
  void drain_tunnels(const Site& site, uint64_t until_ms);

 private:
  struct Use {
    const Site* site;
    uint64_t requests = 0;  // under way
  };

  // A number that no site of any pipeline has had before.
  static uint64_t next_epoch();
  void remember_route(http::KnownHead& known, const Router::Match& match) const;
  void start(http::Exchange& exchange, const Route& route);
  BodyMode begin(http::Exchange& exchange, const Route& route, std::span<const std::string_view> params);
  [[nodiscard]] const Site& site() const { return *uses_.front().site; }
  void leave(const Site& site);
  void leave_former(const Site& site);

  [[nodiscard]] Use* use_of(const Site& site);

  http::TunnelUser* tunnels_ = nullptr;  // those that are open
  std::vector<Use> uses_;                // the site of new requests, then those that are being left
  std::vector<std::string> held_;
  Owner* owner_;
  http::WorkerContext* worker_ = nullptr;  // null: before on_start()
  RequestCounts::Lane* counts_;
  uint64_t epoch_ = next_epoch();  // of the site of new requests, for what is remembered with known heads
};

// Acts on what a step of `handler` answered: nothing for one that has answered or will, a 404 for Next, a 500
// and a line in the log for those that failed or forgot to answer. Whoever calls a handler outside the
// pipeline (a resumed request) passes its verdict through here too.
void apply_verdict(http::Exchange& exchange, const Handler& handler, Verdict verdict);

// Goes on with a chain at the step that has suspended its request, on the worker's thread, with what that
// says now; Pending, after exchange.suspend(), for later. False, and nothing is done: the request does not wait
// for a middleware, or was answered meanwhile.
bool resume_chain(http::Exchange& exchange, Verdict verdict);

}  // namespace leat::pipeline

// Pipeline: the service behind every session. Finds the route, runs its chain and its handler, and makes sure
// that each request is answered exactly once, whatever a handler does.
//
//   on_request   route -> middleware forward -> a streaming handler's handle()
//   on_body_end  the handle() of handlers that want the whole body
//   on_response  middleware in reverse, for those whose forward step was reached
//   on_done      handler, then middleware in reverse
//
// It holds nothing but the site: one serves all workers.
#pragma once

#include "http/service.h"
#include "pipeline/site.h"

namespace leat::pipeline {

class Pipeline final : public http::Service {
 public:
  // `site` must outlive the pipeline.
  explicit Pipeline(const Site& site) : site_(site) {}

  BodyMode on_request(http::Exchange& exchange) override;
  void on_body(http::Exchange& exchange, std::string_view piece) override;
  void on_body_end(http::Exchange& exchange) override;
  void on_writable(http::Exchange& exchange) override;
  void on_response(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;

 private:
  const Site& site_;
};

// Acts on what a step of `handler` answered: nothing for one that has answered or will, a 404 for Next, a 500
// and a line in the log for those that failed or forgot to answer. Whoever calls a handler outside the
// pipeline (a resumed request) passes its verdict through here too.
void apply_verdict(http::Exchange& exchange, const Handler& handler, Verdict verdict);

}  // namespace leat::pipeline

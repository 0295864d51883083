#include "handlers/limited.h"

#include <fmt/core.h>

#include <utility>

#include "http/problem.h"

namespace leat::handlers {

LimitedHandler::LimitedHandler(std::unique_ptr<pipeline::Handler> handler,
                               std::vector<std::shared_ptr<ConcurrencyLimit>> limits,
                               std::shared_ptr<metrics::Metric> refused)
    : WrappingHandler(std::move(handler), "concurrency"),
      limits_(std::move(limits)),
      refused_(std::move(refused)) {}

pipeline::Verdict LimitedHandler::handle(http::Exchange& exchange) {
  for (size_t i = 0; i < limits_.size(); ++i) {
    if (limits_[i]->take()) continue;
    while (i > 0) limits_[--i]->give();
    if (refused_ != nullptr) refused_->add(1);
    http::add_retry_after(exchange);
    exchange.send_problem(503, "Too many requests for this resource are being answered.");
    return pipeline::Verdict::Done;
  }
  exchange.admitted = true;
  exchange.limiter = this;
  return handler().handle(exchange);
}

// The rest is for requests that were let in; the others have been answered.

pipeline::Verdict LimitedHandler::on_body(http::Exchange& exchange, std::string_view piece) {
  return exchange.admitted ? handler().on_body(exchange, piece) : pipeline::Verdict::Done;
}
pipeline::Verdict LimitedHandler::on_body_end(http::Exchange& exchange) {
  return exchange.admitted ? handler().on_body_end(exchange) : pipeline::Verdict::Done;
}
pipeline::Verdict LimitedHandler::on_writable(http::Exchange& exchange) {
  return exchange.admitted ? handler().on_writable(exchange) : pipeline::Verdict::Done;
}
void LimitedHandler::on_cancel(http::Exchange& exchange) {
  if (exchange.admitted) handler().on_cancel(exchange);
}
void LimitedHandler::on_done(http::Exchange& exchange) {
  if (!exchange.admitted) return;
  handler().on_done(exchange);
  exchange.admitted = false;
  if (std::exchange(exchange.limiter, nullptr) != nullptr) let_go();
}
void LimitedHandler::explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const {
  for (const auto& each : limits_)
    facts.push_back(
        {"concurrency", fmt::format("{} at a time, of which {} are taken", each->count(), each->taken())});
  handler().explain(exchange, facts);
}
void LimitedHandler::let_go() {
  for (const auto& each : limits_) each->give();
}

}  // namespace leat::handlers

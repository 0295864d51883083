#include "plugin/pooled_handler.h"

#include <utility>

#include "http/problem.h"
#include "plugin/call.h"
#include "plugin/errand.h"
#include "plugin/resumption.h"
#include "plugin/work.h"

namespace leat::plugin {

namespace {

void run(void* errand) { static_cast<Errand*>(errand)->run(); }

// The work is delivered, without a request where that has ended.
int32_t came_back(const leat_scope*, leat_request* request, void* argument) {
  std::unique_ptr<Errand> errand(static_cast<Errand*>(argument));
  errand->let_go();
  errand->count_memory();
  if (request == nullptr) return LEAT_DONE;
  http::Exchange& exchange = *current_call.exchange;  // whose callback this is
  state_of(exchange)->errand = nullptr;
  Errand::finish(std::move(errand), exchange);
  return LEAT_DONE;
}

}  // namespace

PooledHandler::PooledHandler(std::unique_ptr<PluginHandler> handler, Commons& commons,
                             std::shared_ptr<metrics::Metric> refused)
    : handler_(std::move(handler)), commons_(commons), refused_(std::move(refused)) {}

pipeline::Verdict PooledHandler::handle(http::Exchange& exchange) {
  const CallScope call_scope(exchange, *handler_, false);
  std::unique_ptr<Errand> errand = Errand::make(exchange, *handler_, commons_);
  int32_t started = LEAT_E_MEMORY;
  if (errand != nullptr) {
    if (const auto slot = begin_suspension(exchange)) {
      started = Work::start(commons_.pool, exchange, *handler_, **slot,
                            {.one = run, .resume = came_back, .argument = errand.get()});
      if (started != LEAT_OK) drop_suspension(exchange, **slot);
    }
  }
  if (started == LEAT_OK) {
    errand->keep_limiter(std::exchange(exchange.limiter, nullptr));
    state_of(exchange)->errand = errand.release();
    return pipeline::Verdict::Pending;
  }
  if (started == LEAT_E_BUSY) {
    if (refused_ != nullptr) refused_->add(1);
    http::add_retry_after(exchange);
    exchange.send_problem(503, "Too many requests wait for their turn.");
  } else {
    http::send_out_of_memory(exchange);
  }
  return pipeline::Verdict::Done;
}

pipeline::Verdict PooledHandler::on_writable(http::Exchange& exchange) {
  if (const RequestState* state = state_of(exchange); state != nullptr && state->errand != nullptr)
    state->errand->writable(exchange);
  return pipeline::Verdict::Done;
}

void PooledHandler::on_done(http::Exchange& exchange) {
  RequestState* state = state_of(exchange);
  if (state == nullptr) return;
  if (Errand* errand = std::exchange(state->errand, nullptr)) errand->leave();
  end_suspensions(exchange, *state);
}

}  // namespace leat::plugin

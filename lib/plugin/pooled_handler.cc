#include "plugin/pooled_handler.h"

#include <utility>

#include "http/problem.h"
#include "plugin/call.h"
#include "plugin/detached_call.h"
#include "plugin/resumption.h"
#include "plugin/work.h"

namespace leat::plugin {

namespace {

void run(void* detached_call) { static_cast<DetachedCall*>(detached_call)->run(); }

// The work is delivered, without a request where that has ended.
int32_t came_back(const leat_scope*, leat_request* request, void* argument) {
  std::unique_ptr<DetachedCall> detached_call(static_cast<DetachedCall*>(argument));
  detached_call->let_go();
  detached_call->count_memory();
  if (request == nullptr) return LEAT_DONE;
  http::Exchange& exchange = *current_call.exchange;  // whose callback this is
  state_of(exchange)->detached_call = nullptr;
  DetachedCall::finish(std::move(detached_call), exchange);
  return LEAT_DONE;
}

}  // namespace

PooledHandler::PooledHandler(std::unique_ptr<PluginHandler> handler, SharedResources& shared,
                             std::shared_ptr<metrics::Metric> refused)
    : handler_(std::move(handler)), shared_(shared), refused_(std::move(refused)) {}

pipeline::Verdict PooledHandler::handle(http::Exchange& exchange) {
  const CallScope call_scope(exchange, *handler_, false);
  std::unique_ptr<DetachedCall> detached_call = DetachedCall::make(exchange, *handler_, shared_);
  int32_t started = LEAT_E_MEMORY;
  if (detached_call != nullptr) {
    if (const auto slot = begin_suspension(exchange)) {
      started = Work::start(shared_.pool, exchange, *handler_, **slot,
                            {.one = run, .resume = came_back, .argument = detached_call.get()});
      if (started != LEAT_OK) drop_suspension(exchange, **slot);
    }
  }
  if (started == LEAT_OK) {
    detached_call->keep_limiter(std::exchange(exchange.limiter, nullptr));
    state_of(exchange)->detached_call = detached_call.release();
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
  if (const RequestState* state = state_of(exchange); state != nullptr && state->detached_call != nullptr)
    state->detached_call->writable(exchange);
  return pipeline::Verdict::Done;
}

void PooledHandler::on_done(http::Exchange& exchange) {
  RequestState* state = state_of(exchange);
  if (state == nullptr) return;
  if (DetachedCall* detached_call = std::exchange(state->detached_call, nullptr)) detached_call->leave();
  end_suspensions(exchange, *state);
}

}  // namespace leat::plugin

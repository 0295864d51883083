// leat.async/1 and leat.timer/1: going on with a request later.
#include <new>

#include "http/worker_context.h"
#include "plugin/call.h"
#include "plugin/extensions/extensions.h"
#include "plugin/resumption.h"

namespace leat::plugin {

namespace {

int32_t suspend(leat_request* request, leat_ticket* ticket) {
  constexpr std::string_view kFunction = "leat.async/1 suspend";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (ticket == nullptr) return refuse(kFunction, "ticket is NULL", LEAT_E_ARGUMENT);
  if (const int32_t open = check_open(*exchange, kFunction); open != LEAT_OK) return open;
  const auto slot = begin_suspension(*exchange);
  if (!slot) return slot.error();
  *ticket = ticket_of(*exchange, **slot);
  return LEAT_OK;
}

int32_t complete(const leat_host* host, leat_ticket ticket, leat_resume resume, void* argument) {
  if (host == nullptr || resume == nullptr) return 0;
  PluginInstance* instance = static_cast<const Host*>(host)->instance;
  SuspensionTable* table = instance == nullptr ? nullptr : instance->suspensions(ticket.worker);
  if (table == nullptr) return 0;
  return table->complete(ticket.slot, ticket.generation, {resume, argument}, on_completion) ? 1 : 0;
}

void on_timer(http::Exchange& exchange, void* argument) {
  auto* timer = static_cast<Timer*>(argument);
  RequestState* state = state_of(exchange);
  // A middleware that has let the request go on waits for nothing any more.
  if (state == nullptr || state->handler != timer->handler) return;
  const leat_resume resume = timer->resume;
  void* const plugins_argument = timer->argument;
  --state->timers_running;
  timer->next_free = state->free_timers;
  state->free_timers = timer;
  state->handler->resume(exchange, resume, plugins_argument);
}

int32_t resume_after(leat_request* request, uint64_t delay_ms, leat_resume resume, void* argument) {
  constexpr std::string_view kFunction = "leat.timer/1 resume_after";
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (resume == nullptr) return refuse(kFunction, "resume is NULL", LEAT_E_ARGUMENT);
  if (const int32_t open = check_open(*exchange, kFunction); open != LEAT_OK) return open;
  RequestState* state = need_state(*exchange);
  if (state == nullptr) return LEAT_E_MEMORY;
  Timer* timer = state->free_timers;
  if (timer != nullptr) {
    state->free_timers = timer->next_free;
  } else {
    void* memory = exchange->arena().allocate(sizeof(Timer), alignof(Timer));
    if (memory == nullptr) return LEAT_E_MEMORY;
    timer = new (memory) Timer;
  }
  timer->handler = current_call.handler;
  timer->resume = resume;
  timer->argument = argument;
  if (!exchange->worker().resume_after(keep_open(*exchange), delay_ms, on_timer, timer)) {
    timer->next_free = state->free_timers;
    state->free_timers = timer;
    return LEAT_E_MEMORY;
  }
  ++state->timers_running;
  return LEAT_OK;
}

uint64_t now_ns(const leat_request* request) {
  http::Exchange* exchange = exchange_of(request, "leat.timer/1 now_ns");
  return exchange == nullptr ? 0 : exchange->worker().now_ns();
}

}  // namespace

const leat_async_v1 kAsyncExtension = {
    .struct_size = sizeof(leat_async_v1),
    .reserved = 0,
    .suspend = suspend,
    .complete = complete,
};
const leat_timer_v1 kTimerExtension = {
    .struct_size = sizeof(leat_timer_v1),
    .reserved = 0,
    .resume_after = resume_after,
    .now_ns = now_ns,
};

}  // namespace leat::plugin

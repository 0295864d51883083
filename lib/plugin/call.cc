#include "plugin/call.h"

#include <new>

#include "base/clock.h"
#include "base/log.h"

namespace leat::plugin {

RequestState* need_state(http::Exchange& exchange) {
  if (exchange.handler_state == nullptr) {
    void* memory = exchange.arena().allocate(sizeof(RequestState), alignof(RequestState));
    if (memory == nullptr) return nullptr;
    exchange.handler_state = new (memory) RequestState{.handler = current_call.handler};
  }
  return state_of(exchange);
}

uint64_t call_time_ms() {
  if (current_call.exchange == nullptr) return monotonic_ms();
  return current_call.exchange->worker().now_ns() / 1'000'000;
}

int32_t refuse(std::string_view function, std::string_view why, int32_t code) {
  const std::string_view who = current_call.handler != nullptr ? current_call.handler->blame() : "a plugin";
  log::limited(log::Level::Warn, {who, function, why}, "{}: {}: {}", who, function, why);
  return code;
}

}  // namespace leat::plugin

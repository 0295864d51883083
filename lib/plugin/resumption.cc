#include "plugin/resumption.h"

#include "http/service.h"

namespace leat::plugin {

http::Ticket keep_open(http::Exchange& exchange) {
  return exchange.suspended() ? exchange.ticket() : exchange.suspend();
}

namespace {

// Takes `slot` off the request's suspensions; false if it is none of them. They are few.
bool take(RequestState& state, SuspensionTable::Slot* slot) {
  for (SuspensionTable::Slot** link = &state.suspensions; *link != nullptr; link = &(*link)->next) {
    if (*link != slot) continue;
    *link = slot->next;
    return true;
  }
  return false;
}

}  // namespace

int32_t check_open(http::Exchange& exchange, std::string_view function) {
  if (is_over(exchange)) return LEAT_E_STATE;
  if (current_errand != nullptr)
    return refuse(function, "the handler runs on the pool: it may block, but it cannot suspend its request",
                  LEAT_E_THREAD);
  if (current_call.answering) return refuse(function, "the answer is on its way already", LEAT_E_STATE);
  if (exchange.finished()) return refuse(function, "the request was answered already", LEAT_E_STATE);
  return LEAT_OK;
}

std::expected<SuspensionTable::Slot*, int32_t> begin_suspension(http::Exchange& exchange) {
  RequestState* state = need_state(exchange);
  if (state == nullptr) return std::unexpected(LEAT_E_MEMORY);
  SuspensionTable& table = *current_call.handler->instance().suspensions(exchange.worker().index());
  SuspensionTable::Slot* slot = table.suspend(exchange.worker(), keep_open(exchange));
  if (slot == nullptr) return std::unexpected(LEAT_E_MEMORY);
  slot->next = state->suspensions;
  state->suspensions = slot;
  return slot;
}

void drop_suspension(http::Exchange& exchange, SuspensionTable::Slot& slot) {
  take(*state_of(exchange), &slot);
  Completion none;
  (void)current_call.handler->instance().suspensions(exchange.worker().index())->release(slot, &none);
}

leat_ticket ticket_of(http::Exchange& exchange, const SuspensionTable::Slot& slot) {
  return {exchange.worker().index(), slot.index, SuspensionTable::generation(slot)};
}

// On the request's worker.
void on_completion(http::Exchange& exchange, void* argument) {
  RequestState* state = state_of(exchange);
  auto* slot = static_cast<SuspensionTable::Slot*>(argument);
  if (state == nullptr || !take(*state, slot)) return;
  Completion completion;
  if (!state->handler->instance().suspensions(exchange.worker().index())->release(*slot, &completion)) return;
  state->handler->resume(exchange, completion.resume, completion.argument);
}

}  // namespace leat::plugin

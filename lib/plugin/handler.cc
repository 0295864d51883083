#include "plugin/handler.h"

#include <fmt/core.h>

#include <exception>

#include "base/log.h"
#include "http/problem.h"
#include "pipeline/pipeline.h"
#include "plugin/call.h"
#include "plugin/plugin_socket.h"
#include "plugin/resumption.h"

namespace leat::plugin {

using pipeline::Verdict;

PluginHandler::PluginHandler(PluginInstance& instance, const leat_handler& handler, const RouteInfo& route,
                             void* bound, std::unique_ptr<const pipeline::ParameterSet> parameters,
                             std::unique_ptr<const pipeline::BodySchemas> schemas, bool needs_session)
    : Callee(instance, route.id,
             instance.library().keep(
                 fmt::format("{}: handler {} on route {}", instance.blame(), view(handler.name), route.id))),
      needs_session_(needs_session),
      handler_(handler),
      bound_(bound),
      parameters_(std::move(parameters)),
      schemas_(std::move(schemas)) {}

PluginHandler::~PluginHandler() {
  if (handler_.unbind == nullptr || handler_.bind == nullptr) return;
  const CallScope call_scope(*this);
  try {
    handler_.unbind(instance().state(), bound_);
  } catch (...) {
    complain("threw an exception in unbind");
  }
}

void PluginHandler::describe(pipeline::HandlerDescription& description) const {
  if (parameters_ != nullptr) description.parameters = parameters_->specs();
  description.schemas = schemas_.get();
  description.streams = streams_body();
  description.needs_session = needs_session_;
}

void PluginHandler::explain(http::Exchange&, std::vector<pipeline::ExplainedFact>& facts) const {
  if (parameters_ == nullptr) return;
  for (const pipeline::ParameterSpec& spec : parameters_->specs())
    facts.push_back({fmt::format("{} {}", kind_text(spec.in), spec.name), rule_text(spec)});
}

leat_scope PluginHandler::scope(uint32_t worker) const {
  return {sizeof(leat_scope),
          worker,
          &instance().host(),
          instance().state(),
          instance().worker_state(worker),
          bound_};
}

// Runs plugin code for `exchange`. What it throws is an error; C callbacks can't, C++ ones that don't use the
// wrapper can.
template <class Callback>
int32_t PluginHandler::call(http::Exchange& exchange, Callback&& callback, bool ending) const {
  const CallScope call_scope(exchange, *this, ending);
  const leat_scope seen = scope(exchange.worker().index());
  try {
    return callback(&seen, to_request(exchange));
  } catch (...) {
    complain_of_exception();
  }
  return LEAT_ERROR;
}

// A streamed body has not come to its end: the answer may wait for that.
bool PluginHandler::body_open(const RequestState* state) const {
  return streams_body() && (state == nullptr || !state->body_ended);
}

bool PluginHandler::body_comes(const RequestState* state) const {
  return body_open(state) && (state == nullptr || !state->body_paused);
}

// Whether anything will ever call the handler again for a request whose answer isn't complete.
bool PluginHandler::goes_on(const RequestState* state) const {
  return body_comes(state) ||
         (state != nullptr && (state->suspensions != nullptr || state->timers_running > 0 ||
                               state->fetches != nullptr || state->blocked || state->socket != nullptr));
}

Verdict PluginHandler::judge(http::Exchange& exchange, int32_t verdict) const {
  if (verdict == LEAT_DONE && exchange.finished()) [[likely]]
    return Verdict::Done;
  if (exchange.cancelled()) return Verdict::Done;
  if (const RequestState* state = state_of(exchange); state != nullptr && state->socket != nullptr) {
    if (PluginSocket* const socket = PluginSocket::find(state->socket)) socket->judge(verdict);
    return Verdict::Done;
  }
  switch (verdict) {
    case LEAT_NEXT:
      if (!exchange.started()) return Verdict::Next;
      complain("returned NEXT although it had answered");
      return exchange.finished() ? Verdict::Done : Verdict::Error;
    case LEAT_DONE: {
      const RequestState* state = state_of(exchange);
      const bool may_wait = exchange.started() || body_open(state);
      if (may_wait && goes_on(state)) return Verdict::Done;
      complain(!may_wait ? "returned DONE without an answer"
               : exchange.started()
                   ? "returned DONE with an incomplete answer and nothing left that could complete it"
                   : "paused the body, and nothing is left that could go on with it");
      return Verdict::Error;
    }
    case LEAT_PENDING:
      if (exchange.finished()) return Verdict::Done;
      if (goes_on(state_of(exchange))) {
        if (!exchange.suspended()) exchange.suspend();
        return Verdict::Pending;
      }
      complain(
          "returned PENDING, but no suspension, timer or body is left that could go on with the request");
      return Verdict::Error;
    case LEAT_ERROR:
      if (exchange.finished()) {
        complain("failed after it had answered");
        return Verdict::Done;
      }
      if (exchange.started() || !exchange.arena().refused()) return Verdict::Error;
      // That limits.memory is used up is nothing that this handler has done; its worker tells of it.
      if (!exchange.arena().pool_was_out())
        complain("failed when memory was refused to it: limits.request_memory is used up");
      http::send_out_of_memory(exchange);
      return Verdict::Done;
    default:
      complain("returned something that is not a verdict: ", std::to_string(verdict));
      return exchange.finished() ? Verdict::Done : Verdict::Error;
  }
}

// False: it was answered, since they are not what they must be. An answer that is under way is cut off: what it
// was made of is wrong.
bool PluginHandler::passes(http::Exchange& exchange, pipeline::ParameterSet::Taken taken) const {
  using Taken = pipeline::ParameterSet::Taken;
  const bool good =
      taken == Taken::Good || (taken == Taken::Wrong && (handler_.flags & LEAT_HANDLER_REFUSES) != 0);
  if (good) return true;
  if (exchange.started())
    exchange.abort();
  else if (taken == Taken::NoMemory)
    http::send_out_of_memory(exchange);
  else
    (void)parameters_->values(exchange)->refuse(exchange);
  return false;
}

Verdict PluginHandler::handle(http::Exchange& exchange) {
  if (parameters_ != nullptr) {
    if (!passes(exchange, parameters_->take(exchange, streams_body()))) return Verdict::Done;
    parameters_->values(exchange)->admit();
  }
  return judge(exchange, call(exchange, handler_.handle));
}

// Whether the handler is to see the piece. A form that is wrong is read to its end, so that the client is told
// all of it; the handler has seen what came before.
bool PluginHandler::takes_piece(http::Exchange& exchange, std::string_view piece) const {
  if (piece.empty() || exchange.finished()) return true;
  using Taken = pipeline::ParameterSet::Taken;
  const Taken taken = parameters_->take_piece(exchange, piece);
  if (taken == Taken::Wrong && !parameters_->is_broken(exchange) && !exchange.started())
    return (handler_.flags & LEAT_HANDLER_REFUSES) != 0;
  return passes(exchange, taken);
}

Verdict PluginHandler::on_body(http::Exchange& exchange, std::string_view piece) {
  if (reads_parts() && !takes_piece(exchange, piece)) return Verdict::Done;
  if (handler_.on_body == nullptr) return Verdict::Done;
  return judge(exchange, call(exchange, [&](const leat_scope* seen, leat_request* request) {
                 return handler_.on_body(seen, request, to_str(piece));
               }));
}

Verdict PluginHandler::on_body_end(http::Exchange& exchange) {
  if (reads_parts() && !exchange.finished() && !passes(exchange, parameters_->take_end(exchange)))
    return Verdict::Done;
  const CallScope call_scope(exchange, *this, false);
  RequestState* state = need_state(exchange);
  if (state == nullptr) {
    http::send_out_of_memory(exchange);
    return Verdict::Done;
  }
  state->body_ended = true;
  if (handler_.on_body_end != nullptr) return judge(exchange, call(exchange, handler_.on_body_end));
  // Who has none answers from what on_body began, if that is still under way.
  return judge(exchange, goes_on(state) ? LEAT_PENDING : LEAT_DONE);
}

Verdict PluginHandler::on_writable(http::Exchange& exchange) {
  if (RequestState* state = state_of(exchange)) state->blocked = false;
  return judge(exchange, handler_.on_writable == nullptr ? LEAT_DONE : call(exchange, handler_.on_writable));
}

void PluginHandler::on_cancel(http::Exchange& exchange) {
  if (handler_.on_cancel == nullptr) return;
  call(
      exchange,
      [&](const leat_scope* seen, leat_request* request) {
        handler_.on_cancel(seen, request);
        return LEAT_DONE;
      },
      true);
}

void PluginHandler::on_done(http::Exchange& exchange) {
  if (RequestState* state = state_of(exchange)) {
    end_suspensions(exchange, *state);
    cancel_fetches(exchange, *state);
  }
  const pipeline::ParameterValues* values = parameters_ == nullptr ? nullptr : parameters_->values(exchange);
  const bool called = parameters_ == nullptr || (values != nullptr && values->admitted());
  if (handler_.on_done != nullptr && called)
    call(
        exchange,
        [&](const leat_scope* seen, leat_request* request) {
          handler_.on_done(seen, request);
          return LEAT_DONE;
        },
        true);
  RequestState* state = state_of(exchange);
  if (state == nullptr) return;
  if (state->contexts != nullptr) {
    const CallScope call_scope(exchange, *this, true);
    close_contexts(exchange, *state);
  }
  drop_pins(*state);
}

void PluginHandler::deliver_without_request(uint32_t worker, const Completion& completion) const {
  const CallScope call_scope(*this);
  const leat_scope seen = scope(worker);
  try {
    completion.resume(&seen, nullptr, completion.argument);
  } catch (...) {
    complain_of_exception(kAfterItsEnd);
  }
}

void PluginHandler::resume(http::Exchange& exchange, leat_resume callback, void* argument) const {
  const int32_t answer = call(exchange, [&](const leat_scope* seen, leat_request* request) {
    return callback(seen, request, argument);
  });
  const Verdict verdict = judge(exchange, answer);
  // As in on_body: with the rest of the body to come, Done is not the end.
  if (verdict == Verdict::Done && body_open(state_of(exchange))) return;
  pipeline::apply_verdict(exchange, *this, verdict);
}

}  // namespace leat::plugin

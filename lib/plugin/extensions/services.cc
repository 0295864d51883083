// leat.services/1: what plugins do for each other.
//
// Who provides what is settled before create() (server/assemble.cc), so that here a use is two pointers. A
// context of a request hangs on the state of the request, whoever of the plugins involved has asked for it,
// and is closed with it.
#include <algorithm>
#include <exception>
#include <new>

#include "base/log.h"
#include "plugin/extensions/extensions.h"
#include "plugin/load_time.h"
#include "plugin/resumption.h"

namespace leat::plugin {

// Of a request, in its arena.
struct ServiceContext {
  const leat_service_use use;
  void* context;
  ServiceContext* next;
};

namespace {

leat_scope scope_of(const PluginInstance& provider, uint32_t worker) {
  return {
      sizeof(leat_scope), worker, &provider.host(), provider.state(), provider.worker_state(worker), nullptr};
}

// Runs a function of the provider's, which may be in C++ and throw.
template <class Function>
int32_t guarded_call(const PluginInstance& provider, std::string_view name, Function&& function) {
  try {
    return function();
  } catch (const std::exception& error) {
    log::limited(log::Level::Error, {provider.blame(), name}, "{}: {} of its service threw an exception: {}",
                 provider.blame(), name, error.what());
  } catch (...) {
    log::limited(log::Level::Error, {provider.blame(), name},
                 "{}: {} of its service threw something that is not a std::exception", provider.blame(),
                 name);
  }
  return LEAT_E_STATE;
}

const leat_service_use* find(const leat_host* host, leat_str name) {
  constexpr std::string_view kFunction = "leat.services/1 find";
  const PluginInstance* instance = host == nullptr ? nullptr : static_cast<const Host*>(host)->instance;
  if (instance == nullptr || !instance->creating()) {
    refuse(kFunction, "services are found in create()", LEAT_E_STATE);
    return nullptr;
  }
  const auto needs = instance->library().needs();
  if (std::ranges::none_of(needs, [&](const leat_need& need) { return view(need.name) == view(name); })) {
    log::warn("{}: {}: `{}` is not among the needs in leat_plugin", instance->blame(), kFunction, view(name));
    return nullptr;
  }
  return instance->find_use(view(name));
}

const void* table(const leat_service_use* use) {
  if (use != nullptr) return use->service->table;
  refuse("leat.services/1 table", "the use is NULL", LEAT_E_ARGUMENT);
  return nullptr;
}

// The request's own, made at its first use.
int32_t request_context(http::Exchange& exchange, const leat_service_use& use, void** context) {
  RequestState* state = need_state(exchange);
  if (state == nullptr) return LEAT_E_MEMORY;
  for (const ServiceContext* each = state->contexts; each != nullptr; each = each->next) {
    if (each->use.service != use.service || each->use.provider != use.provider) continue;
    *context = each->context;
    return LEAT_OK;
  }
  if (current_call.ending) return LEAT_E_STATE;
  void* memory = exchange.arena().allocate(sizeof(ServiceContext), alignof(ServiceContext));
  if (memory == nullptr) return LEAT_E_MEMORY;
  const leat_scope scope = scope_of(*use.provider, exchange.worker().index());
  void* made = nullptr;
  const int32_t answer = guarded_call(*use.provider, "open()",
                                      [&] { return use.service->open(&scope, to_request(exchange), &made); });
  if (answer != LEAT_OK) return answer;
  // What open() itself has used is in the list by now, behind this one, and is closed after it.
  state->contexts = new (memory) ServiceContext{use, made, state->contexts};
  *context = made;
  return LEAT_OK;
}

int32_t context(leat_request* request, const leat_service_use* use, void** context) {
  constexpr std::string_view kFunction = "leat.services/1 context";
  if (use == nullptr || context == nullptr) return refuse(kFunction, "an argument is NULL", LEAT_E_ARGUMENT);
  *context = nullptr;
  if (use->service->kind == LEAT_SERVICE_SINGLETON) {
    *context = use->provider->state();
    return LEAT_OK;
  }
  http::Exchange* exchange = exchange_of(request, kFunction);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (current_errand != nullptr && use->service->kind != LEAT_SERVICE_REQUEST_ANY_THREAD)
    return refuse(kFunction, "the service needs a worker, and the handler runs on the pool", LEAT_E_THREAD);
  if (use->service->kind >= LEAT_SERVICE_REQUEST) return request_context(*exchange, *use, context);
  *context = use->provider->worker_state(exchange->worker().index());
  return LEAT_OK;
}

}  // namespace

void close_contexts(http::Exchange& exchange, RequestState& state) {
  while (const ServiceContext* each = state.contexts) {
    state.contexts = each->next;
    if (each->use.service->close == nullptr) continue;
    const PluginInstance& provider = *each->use.provider;
    const leat_scope scope = scope_of(provider, exchange.worker().index());
    guarded_call(provider, "close()", [&] {
      each->use.service->close(&scope, to_request(exchange), each->context);
      return LEAT_OK;
    });
  }
}

const leat_services_v1 kServicesExtension = {
    .struct_size = sizeof(leat_services_v1),
    .reserved = 0,
    .find = find,
    .table = table,
    .context = context,
};

}  // namespace leat::plugin

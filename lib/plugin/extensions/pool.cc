// leat.pool/1: work that blocks, on the pool's threads.
#include "plugin/extensions/extensions.h"
#include "plugin/resumption.h"
#include "plugin/shared_resources.h"
#include "plugin/work.h"

namespace leat::plugin {
namespace {

int32_t start(leat_request* request, const WorkOrder& order, std::string_view function) {
  http::Exchange* exchange = exchange_of(request, function);
  if (exchange == nullptr) return LEAT_E_THREAD;
  if (const int32_t open = check_open(*exchange, function); open != LEAT_OK) return open;
  const Callee& handler = *current_call.handler;
  SharedResources* shared = handler.instance().library().options().shared;
  if (shared == nullptr) return refuse(function, "this host has no pool", LEAT_E_STATE);
  const auto slot = begin_suspension(*exchange);
  if (!slot) return slot.error();
  const int32_t started = Work::start(shared->pool, *exchange, handler, **slot, order);
  if (started != LEAT_OK) drop_suspension(*exchange, **slot);
  return started;
}

int32_t submit(leat_request* request, void (*work)(void*), leat_resume resume, void* argument) {
  constexpr std::string_view kFunction = "leat.pool/1 submit";
  if (work == nullptr || resume == nullptr)
    return refuse(kFunction, "work or resume is NULL", LEAT_E_ARGUMENT);
  return start(request, {.one = work, .resume = resume, .argument = argument}, kFunction);
}

int32_t gather(leat_request* request, uint32_t count, uint32_t limit, int32_t (*work)(void*, uint32_t),
               leat_gathered resume, void* argument, uint32_t flags, uint64_t deadline_ms) {
  constexpr std::string_view kFunction = "leat.pool/1 gather";
  if (work == nullptr || resume == nullptr)
    return refuse(kFunction, "work or resume is NULL", LEAT_E_ARGUMENT);
  if ((flags & ~LEAT_GATHER_FAIL_FAST) != 0) return refuse(kFunction, "unknown flags", LEAT_E_ARGUMENT);
  return start(request,
               {.each = work,
                .gathered = resume,
                .argument = argument,
                .count = count,
                .limit = limit == 0 ? UINT32_MAX : limit,
                .fail_fast = (flags & LEAT_GATHER_FAIL_FAST) != 0,
                .deadline_ms = deadline_ms},
               kFunction);
}

int32_t cancelled() {
  const Work* work = Work::current();
  return work != nullptr && work->stopped() ? 1 : 0;
}

}  // namespace

const leat_pool_v1 kPoolExtension = {
    .struct_size = sizeof(leat_pool_v1),
    .reserved = 0,
    .submit = submit,
    .gather = gather,
    .cancelled = cancelled,
};

}  // namespace leat::plugin

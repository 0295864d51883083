#include "plugin/work.h"

#include <algorithm>
#include <ctime>
#include <exception>
#include <new>
#include <span>

#include "base/clock.h"
#include "base/log.h"
#include "plugin/call.h"
#include "plugin/resumption.h"

namespace leat::plugin {
namespace {

// Some 290 years: as good as none, and its end fits into 64 bits of nanoseconds.
constexpr uint64_t kMostDeadlineMs = UINT64_MAX / 1'000'000 / 2;

thread_local const Work* current_work = nullptr;

}  // namespace

Work::Work(ThreadPool& pool, http::Exchange& exchange, const Callee& handler,
           const SuspensionTable::Slot& slot, const WorkOrder& order)
    : pool_(pool),
      order_(order),
      handler_(handler),
      worker_(exchange.worker()),
      table_(*handler.instance().suspensions(exchange.worker().index())),
      slot_(slot.index),
      generation_(SuspensionTable::generation(slot)),
      desk_(handler.instance().desk(exchange.worker().index())),
      deadline_ns_(order.deadline_ms == 0 || order.deadline_ms > kMostDeadlineMs
                       ? UINT64_MAX
                       : monotonic_ns() + order.deadline_ms * 1'000'000) {}

const Work* Work::current() { return current_work; }

int32_t Work::start(ThreadPool& pool, http::Exchange& exchange, const Callee& handler,
                    SuspensionTable::Slot& slot, const WorkOrder& order) {
  std::unique_ptr<Work> made(new (std::nothrow) Work(pool, exchange, handler, slot, order));
  if (made == nullptr) return LEAT_E_MEMORY;
  const size_t lanes = std::min({order.count, order.limit, pool.limits().threads});
  made->lanes_.reset(new (std::nothrow) Lane[lanes]);
  if (made->lanes_ == nullptr) return LEAT_E_MEMORY;
  made->lane_count_ = lanes;
  Work* work = made.release();
  WorkDesk& desk = *work->desk_;
  desk.lend();
  // Fewer lanes than wanted take longer, and that is all.
  size_t accepted = 0;
  for (Lane& lane : std::span(work->lanes_.get(), lanes)) {
    lane.work = work;
    work->lanes_left_.fetch_add(1, std::memory_order_relaxed);
    if (pool.submit(lane)) {
      ++accepted;
      continue;
    }
    work->lanes_left_.fetch_sub(1, std::memory_order_relaxed);
    break;
  }
  if (accepted == 0 && lanes > 0) {
    desk.unlend();
    delete work;
    return LEAT_E_BUSY;
  }
  slot.work = work;
  work->leave();
  return LEAT_OK;
}

// The last lane to leave puts it on the desk, and nothing of it is touched after that. It stays until the
// worker gets there, so that all of this loop finds it.
void Work::withdraw() {
  for (Lane& lane : std::span(lanes_.get(), lane_count_))
    if (pool_.withdraw(lane)) leave();
}

bool Work::stopped() const {
  return !table_.waits(slot_, generation_) ||
         (order_.fail_fast && failed_.load(std::memory_order_relaxed) != 0) ||
         (deadline_ns_ != UINT64_MAX && monotonic_ns() >= deadline_ns_);
}

// One index, so that others have their turn between two.
bool Work::step() {
  if (!stopped()) {
    const uint64_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index < order_.count) run(static_cast<uint32_t>(index));
    if (index + 1 < order_.count) return true;
  }
  leave();
  return false;
}

void Work::run(uint32_t index) {
  begun_.fetch_add(1, std::memory_order_relaxed);
  const CallScope call_scope(handler_);
  current_work = this;
  int32_t answer = LEAT_E_STATE;
  try {
    if (order_.one != nullptr) {
      order_.one(order_.argument);
      answer = LEAT_OK;
    } else {
      answer = order_.each(order_.argument, index);
    }
  } catch (const std::exception& error) {
    log::limited(log::Level::Error, {handler_.blame()}, "{}: work on the pool threw an exception: {}",
                 handler_.blame(), error.what());
  } catch (...) {
    log::limited(log::Level::Error, {handler_.blame()},
                 "{}: work on the pool threw something that is not a std::exception", handler_.blame());
  }
  current_work = nullptr;
  if (answer != LEAT_OK) failed(index, answer);
}

void Work::failed(uint32_t index, int32_t error) {
  uint64_t none = UINT64_MAX;
  first_failure_.compare_exchange_strong(none, uint64_t{index} << 32 | static_cast<uint32_t>(error),
                                         std::memory_order_relaxed);
  failed_.fetch_add(1, std::memory_order_relaxed);
}

void Work::leave() {
  if (lanes_left_.fetch_sub(1, std::memory_order_acq_rel) == 1) finish();
}

void Work::finish() {
  desk_->put_back(*this, worker_, [this, &table = table_, slot = slot_, generation = generation_] {
    if (table.complete(slot, generation, {deliver, this}, on_completion)) return WorkDesk::Return::Told;
    return table.waits(slot, generation) ? WorkDesk::Return::NotYet : WorkDesk::Return::Orphaned;
  });
}

void Work::deliver_without_request() { handler_.deliver_without_request(worker_.index(), {deliver, this}); }

leat_gather_result Work::result() const {
  const uint64_t first = first_failure_.load(std::memory_order_relaxed);
  const uint32_t begun = begun_.load(std::memory_order_relaxed);
  return {.struct_size = sizeof(leat_gather_result),
          .count = order_.count,
          .failed = failed_.load(std::memory_order_relaxed),
          .skipped = order_.count - begun,
          .first_failed = first == UINT64_MAX ? UINT32_MAX : static_cast<uint32_t>(first >> 32),
          .first_error = first == UINT64_MAX ? LEAT_OK : static_cast<int32_t>(static_cast<uint32_t>(first))};
}

int32_t Work::deliver(const leat_scope* scope, leat_request* request, void* argument) {
  const std::unique_ptr<const Work> work(static_cast<const Work*>(argument));
  // Last of all: whoever waits for it may end the instance.
  struct Delivered {
    ~Delivered() { desk->delivered(); }
    std::shared_ptr<WorkDesk> desk;
  } const delivered{work->desk_};
  const WorkOrder& order = work->order_;
  const leat_gather_result result = work->result();
  try {
    if (order.gathered != nullptr) return order.gathered(scope, request, order.argument, &result);
    if (result.failed == 0) return order.resume(scope, request, order.argument);
    // What threw has left nothing to answer with.
    order.resume(scope, nullptr, order.argument);
  } catch (...) {
    // Here and not where it was called from: without its request, it may be the last that the instance does.
    work->handler_.complain_of_exception(request == nullptr ? Callee::kAfterItsEnd : "");
  }
  return LEAT_ERROR;
}

void end_suspensions(http::Exchange& exchange, RequestState& state) {
  const uint32_t worker = exchange.worker().index();
  while (SuspensionTable::Slot* slot = state.suspensions) {
    state.suspensions = slot->next;
    Completion completion;
    if (state.handler->instance().suspensions(worker)->release(*slot, &completion))
      state.handler->deliver_without_request(worker, completion);
    else if (slot->work != nullptr)
      slot->work->withdraw();
  }
}

}  // namespace leat::plugin

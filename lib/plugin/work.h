// Work: what a request has given to the pool, and how it comes back to the request's worker.
//
// A work is a suspension of its request plus an object on the heap, which the pool's threads run, in as many
// lanes as may run at once. The lane that ends last completes the suspension. When the request has ended by
// then, there is nothing to complete, and the work is put on the desk of its worker instead, which delivers
// it without a request: either way the plugin's resume function is called exactly once, on that worker.
//
//   lanes run (pool) -> finish() by the last -> SuspensionTable::complete   -> deliver(request)  worker
//                                            \-> desk, WorkerContext::run_soon -> deliver(NULL)   worker
//
// What still waits for a thread when its request ends is taken back, so that a full queue is one of requests
// that somebody waits for.
//
// Private to the plugin host.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/thread_pool.h"
#include "plugin/callee.h"
#include "plugin/sdk/plugin.h"
#include "plugin/suspension.h"
#include "plugin/work_desk.h"

namespace leat::plugin {

// What is to be done: `one`, or `each` for 0 .. count - 1.
struct WorkOrder {
  void (*one)(void* argument) = nullptr;
  leat_resume resume = nullptr;
  int32_t (*each)(void* argument, uint32_t index) = nullptr;
  leat_gathered gathered = nullptr;
  void* argument = nullptr;
  uint32_t count = 1;
  uint32_t limit = 1;  // at once
  bool fail_fast = false;
  uint64_t deadline_ms = 0;  // from now; 0: none
};

class Work final : private WorkDesk::Loan {
 public:
  // Gives `order` to the pool for the suspended request; LEAT_OK, LEAT_E_MEMORY, or LEAT_E_BUSY when the pool
  // takes none of it. Worker's thread.
  static int32_t start(ThreadPool& pool, http::Exchange& exchange, const Callee& handler,
                       SuspensionTable::Slot& slot, const WorkOrder& order);

  // Its request has ended: what of it waits for a thread will not run. Worker's thread, before it was
  // delivered.
  void withdraw();
  // Whether it is of no use any more: the request has ended, the deadline is past, or one of those that all
  // must succeed has failed. Any thread, while it runs.
  [[nodiscard]] bool stopped() const;
  // What this thread of the pool runs now, or nullptr.
  static const Work* current();

 private:
  struct Lane final : ThreadPool::Job {
    bool run() override { return work->step(); }
    Work* work = nullptr;
  };

  Work(ThreadPool& pool, http::Exchange& exchange, const Callee& handler, const SuspensionTable::Slot& slot,
       const WorkOrder& order);

  bool step();
  void run(uint32_t index);
  void failed(uint32_t index, int32_t error);
  void leave();
  void finish();
  void deliver_without_request() override;
  [[nodiscard]] leat_gather_result result() const;
  static int32_t deliver(const leat_scope* scope, leat_request* request, void* work);

  ThreadPool& pool_;
  const WorkOrder order_;
  const Callee& handler_;
  http::WorkerContext& worker_;
  SuspensionTable& table_;
  const uint32_t slot_;
  const uint64_t generation_;
  const std::shared_ptr<WorkDesk> desk_;
  const uint64_t deadline_ns_;  // CLOCK_MONOTONIC
  std::unique_ptr<Lane[]> lanes_;
  size_t lane_count_ = 0;
  std::atomic<uint64_t> next_ = 0;  // index to run
  std::atomic<uint32_t> begun_ = 0;
  std::atomic<uint32_t> failed_ = 0;
  std::atomic<uint64_t> first_failure_ = UINT64_MAX;  // index << 32 | error
  std::atomic<size_t> lanes_left_ = 1;                // one more than run, until all are submitted
};

}  // namespace leat::plugin

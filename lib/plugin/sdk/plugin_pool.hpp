// Part of plugin.hpp: work that blocks, off the worker's loop.
//
//   const Report report = co_await leat::blocking([query = std::move(query)] { return slow_query(query); });
//
// The work runs on a thread of the daemon's pool (settings pool.threads and pool.queue). It owns what it
// uses: it may outlive the request, and must refer to nothing of that. leat::cancelled() tells it that nobody
// waits any more.
#ifndef LEAT_PLUGIN_POOL_HPP
#define LEAT_PLUGIN_POOL_HPP

#include <coroutine>
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "plugin.h"
#include "plugin_base.hpp"
#include "plugin_task.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

// The call and what came of it. On the heap, since it may outlive the request; the pool's until it was woken.
template <class Work>
struct Job {
  using Value = std::invoke_result_t<Work&>;
  // Something to keep for a call that returns nothing.
  using Kept = std::conditional_t<std::is_void_v<Value>, bool, Value>;

  Work work;
  TaskRun* run;
  std::coroutine_handle<> waiter;  // null once nobody waits any more
  std::optional<Kept> result{};
  std::exception_ptr error{};

  static void perform(void* argument) noexcept {
    auto& job = *static_cast<Job*>(argument);
    try {
      if constexpr (std::is_void_v<Value>) {
        job.work();
        job.result.emplace(true);
      } else {
        job.result.emplace(job.work());
      }
    } catch (...) {
      job.error = std::current_exception();
    }
  }
  static int32_t wake(const leat_scope* scope, leat_request* request, void* argument) noexcept {
    auto* job = static_cast<Job*>(argument);
    if (request != nullptr && job->waiter != nullptr) return job->run->go_on(scope, job->waiter);
    delete job;
    return LEAT_PENDING;
  }
};

}  // namespace detail

// To be awaited in a task of a request: comes to what `work` returns, or throws what it throws. Too much work
// waiting is a Problem: 503.
template <class Work>
auto blocking(Work work) {
  using Job = detail::Job<Work>;
  class [[nodiscard]] Awaiter {
   public:
    explicit Awaiter(Work&& wanted) : job_(new Job{std::move(wanted), nullptr, nullptr}) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    ~Awaiter() {
      if (!started_) return;
      job_->waiter = nullptr;  // and wake() frees it
      (void)job_.release();
    }

    static bool await_ready() noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiter) {
      detail::TaskRun& run = detail::TaskRun::current();
      run.keep();
      job_->run = &run;
      job_->waiter = waiter;
      const int32_t answer = detail::api.pool->submit(run.request(), Job::perform, Job::wake, job_.get());
      if (answer == LEAT_E_BUSY) throw Problem{503, "Too much work is waiting already."};
      if (answer != LEAT_OK) detail::throw_refusal(answer);
      started_ = true;
    }
    typename Job::Value await_resume() {
      started_ = false;
      if (job_->error != nullptr) std::rethrow_exception(job_->error);
      if constexpr (!std::is_void_v<typename Job::Value>) return std::move(*job_->result);
    }

   private:
    std::unique_ptr<Job> job_;
    bool started_ = false;  // the pool has it
  };
  return Awaiter(std::move(work));
}

// In work: nobody waits for its result any more.
inline bool cancelled() { return detail::api.pool->cancelled() != 0; }

}  // namespace v1
}  // namespace leat

#endif

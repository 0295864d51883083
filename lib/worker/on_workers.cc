#include "worker/on_workers.h"

#include <fmt/core.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "base/clock.h"

namespace leat::worker {

bool on_workers(Workers workers, const std::stop_token& stopping, std::function<void(uint32_t)> work,
                uint64_t within_ms) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable_any changed;
    size_t left;
    bool over = false;  // nobody waits any more
    std::function<void(uint32_t)> work;
  };
  const auto shared = std::make_shared<Shared>();
  shared->left = workers.size();
  shared->work = std::move(work);
  for (const auto& worker : workers) {
    worker->run_soon([shared, stopping, index = worker->index()] {
      {
        const std::lock_guard lock(shared->mutex);
        if (stopping.stop_requested() || shared->over) return;
      }
      shared->work(index);
      const std::lock_guard lock(shared->mutex);
      if (--shared->left == 0) shared->changed.notify_all();
    });
  }
  const auto all = [&] { return shared->left == 0; };
  std::unique_lock lock(shared->mutex);
  if (within_ms == UINT64_MAX) return shared->changed.wait(lock, stopping, all);
  const bool done = shared->changed.wait_for(lock, stopping, std::chrono::milliseconds(within_ms), all);
  shared->over = true;
  return done;
}

std::string describe_stuck(Workers workers, uint64_t ms) {
  std::string text;
  const uint64_t now = monotonic_ns();
  for (const auto& worker : workers) {
    const uint64_t since_ns = worker->loop().busy_since_ns();
    if (since_ns == 0 || now < since_ns + ms * 1'000'000) continue;
    const std::string* title = worker->stalls().activity().now();
    text += fmt::format("worker {} has not turned for {} ms: {}\n", worker->index(),
                        (now - since_ns) / 1'000'000, title == nullptr ? "in no plugin's callback" : *title);
  }
  return text;
}

}  // namespace leat::worker

#include "worker/on_workers.h"

#include <condition_variable>
#include <mutex>

namespace leat::worker {

bool on_workers(Workers workers, const std::stop_token& stopping, std::function<void(uint32_t)> work) {
  struct Shared {
    std::mutex mutex;
    std::condition_variable_any changed;
    size_t left;
    std::function<void(uint32_t)> work;
  };
  const auto shared = std::make_shared<Shared>();
  shared->left = workers.size();
  shared->work = std::move(work);
  for (const auto& worker : workers) {
    worker->run_soon([shared, stopping, index = worker->index()] {
      if (stopping.stop_requested()) return;
      shared->work(index);
      const std::lock_guard lock(shared->mutex);
      if (--shared->left == 0) shared->changed.notify_all();
    });
  }
  std::unique_lock lock(shared->mutex);
  return shared->changed.wait(lock, stopping, [&] { return shared->left == 0; });
}

}  // namespace leat::worker

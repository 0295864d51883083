// scheduled: a job that runs now and then on a thread of its own; requests read what it found last.
//
// Each worker keeps a copy of that, and looks at the shared one, under its lock, only when there is a newer
// one. The thread belongs to the plugin's object: it starts with it and is joined by its destructor, so that
// it never runs code of a plugin that is gone. A reload has two objects for a while, each with its own
// thread.
#include <leat/plugin.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <mutex>
#include <stop_token>
#include <thread>

namespace {

struct Sample {
  uint64_t runs = 0;  // of the job, so far
  double load = 0;    // of the machine, over the last minute (proc_loadavg(5))
};
LEAT_JSON(Sample, runs, load);

class Scheduled : public leat::Plugin<Scheduled> {
 public:
  explicit Scheduled(leat::Setup& setup)
      : period_(setup.integer("period_ms", 1000, {1, 3'600'000})),
        thread_([this](const std::stop_token& stop) { run(stop); }) {}

  // One for each worker, used on that worker's thread alone: it needs no lock.
  struct Worker : leat::PerWorker {
    Sample seen;
  };

  // GET /load
  Sample load(Worker& worker) {
    if (worker.seen.runs != runs_.load(std::memory_order_relaxed)) {
      const std::lock_guard lock(mutex_);
      worker.seen = sample_;
    }
    return worker.seen;
  }

  static constexpr auto handlers() { return leat::list(handler<&Scheduled::load>("load")); }

 private:
  // The job itself runs without the lock: no request waits for it.
  void run(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      double load = 0;
      std::ifstream("/proc/loadavg") >> load;
      std::unique_lock lock(mutex_);
      sample_ = {sample_.runs + 1, load};
      runs_.store(sample_.runs, std::memory_order_relaxed);
      wake_.wait_for(lock, stop, period_, [] { return false; });  // ends at once when asked to stop
    }
  }

  const std::chrono::milliseconds period_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  Sample sample_;                   // under mutex_
  std::atomic<uint64_t> runs_ = 0;  // as in sample_: tells without the lock that there is a newer one
  std::jthread thread_;  // last: begun when all else is there, asked to stop and joined before it goes
};

}  // namespace

LEAT_PLUGIN(Scheduled, "scheduled", "1.0.0")

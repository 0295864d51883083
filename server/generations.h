// Generations: the plugins and routes that serve, and those that served before and still have requests.
//
// A reload makes a new generation beside the one that serves, has every worker take it up, and lets the old
// one end with its requests:
//
//   made (control thread) -> ready on every worker -> serves -> drains -> left by every worker -> destroyed
//
// Plugins that hand their state over do so in between (hand_over.h).
//
// Where anything fails before it serves, the new one goes and the old one has not noticed. Which generation a
// request belongs to is decided when its head is complete, by its worker; the pipeline counts.
//
// Thread: reload() and the like on the control thread; start_worker and stop_worker on each worker's.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/fd.h"
#include "pipeline/pipeline.h"
#include "server/assemble.h"
#include "worker/on_workers.h"
#include "worker/worker.h"

namespace leat::server {

class Generations {
 public:
  using Workers = worker::Workers;

  // For what may take its time; see settings of these names.
  struct Times {
    uint64_t drain_timeout_ms;
    uint64_t handover_timeout_ms;
  };

  // `first` serves from the start. `counts`, of the requests on its routes, must outlive it; null where nobody counts.
  Generations(Assembly first, uint32_t workers, const Times& times,
              pipeline::RequestCounts* counts = nullptr);
  // The workers must have ended.
  ~Generations();
  Generations(const Generations&) = delete;
  Generations& operator=(const Generations&) = delete;

  // As the configuration has them by now. Control thread.
  void set_times(const Times& times) { times_ = times; }

  // What answers the requests of each worker, by index.
  [[nodiscard]] std::vector<http::Service*> services();
  // Hooks of the workers: false when a plugin refused to start on this one.
  bool start_worker(uint32_t index);
  void stop_worker(uint32_t index);

  // Has `next` serve in place of what serves. What went wrong, with the old one still serving; or nothing.
  // `remarks` gets what is to be known though all went well. `stopping` ends the wait for the workers. Control
  // thread, with all workers running.
  std::string replace(Assembly next, worker::Workers workers, const std::stop_token& stopping,
                      std::string& remarks);

  // Tells the plugins of all generations that what they answer has until `deadline_ms` (CLOCK_MONOTONIC), since
  // the daemon stops. Control thread.
  void tell_of_end(uint64_t deadline_ms) const;

  // Destroys what every worker has left, and gives up on requests whose generation is past its deadline. To
  // be called when left_fd() is readable, and at the latest at next_deadline_ms().
  void tend(worker::Workers workers);
  [[nodiscard]] int left_fd() const { return left_.get(); }
  // CLOCK_MONOTONIC; UINT64_MAX when nothing drains.
  [[nodiscard]] uint64_t next_deadline_ms() const;

  // What serves and what drains, with the requests that each holds, for people or as JSON.
  [[nodiscard]] std::string describe_text(worker::Workers workers, const std::stop_token& stopping);
  [[nodiscard]] std::string describe_json(worker::Workers workers, const std::stop_token& stopping);
  [[nodiscard]] uint64_t number() const { return generations_.front().number; }
  // What serves.
  [[nodiscard]] const Assembly& serving() const { return generations_.front().assembly; }

 private:
  struct Generation {
    uint64_t number;
    Assembly assembly;
    std::string since;                  // when it was made, RFC 3339
    std::atomic<uint32_t> workers_in;   // that have not left it
    uint64_t deadline_ms = UINT64_MAX;  // of a draining one
    bool given_up = false;
    uint64_t requests = 0;  // under way, as of the last look
  };
  // A worker's part: its pipeline, and who is told what it leaves.
  struct Lane final : pipeline::Pipeline::Owner {
    Lane(Generations& all, uint32_t worker, const pipeline::Site& site, pipeline::RequestCounts* counts)
        : generations(all),
          index(worker),
          pipeline(site, this, counts != nullptr ? &counts->lane(worker) : nullptr) {}
    void on_site_unused(const pipeline::Site& site) override { generations.on_left(index, site); }
    Generations& generations;
    uint32_t index;
    pipeline::Pipeline pipeline;
  };

  void on_left(uint32_t worker, const pipeline::Site& site);
  void leave(uint32_t worker, Generation& generation);
  void count_requests(worker::Workers workers, const std::stop_token& stopping);

  uint32_t worker_count_;
  pipeline::RequestCounts* counts_;
  Times times_;
  Fd left_;                            // an eventfd: a worker has left a generation
  std::mutex mutex_;                   // of the list, not of what is in it
  std::list<Generation> generations_;  // newest first
  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace leat::server

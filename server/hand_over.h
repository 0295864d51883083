// HandOver: the moment of a reload in which plugins hand their state to their next instances.
//
// export_state() and import_state() are two looks at one state. A change that a request makes to the old
// instance between them, and tells its client of, would be lost. So, for every plugin that has both:
//
//   hold     new requests of the plugin, and of those that use its services, wait at their heads, before it
//            is decided which generation answers them (Pipeline::hold)
//   wait     for those under way to be answered
//   export, import, worker_init, the new site on every worker
//   release  the held requests are the new generation's; of the old one's, those whose bodies were still
//            coming are answered 503 in place of being done where nobody would know of it any more
//
// It is bounded by server.handover_timeout. Half of it is for requests under way: of those that take longer
// it is said that what they change is lost. A request that has begun to answer is not waited for: it has told
// its client what it did. At the end of that time the held requests go on with the old generation, which then
// stays.
//
// Requests without a reload pay nothing for it. What plugins do on threads of their own is not held.
//
// Thread: the control thread, with all workers running.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "pipeline/pipeline.h"
#include "server/assemble.h"
#include "worker/on_workers.h"

namespace leat::server {

// Why what takes time was given up.
inline constexpr const char* kStopping = "the daemon is stopping";

class HandOver {
 public:
  using PipelineOf = std::function<pipeline::Pipeline&(uint32_t worker)>;

  // From what serves to what will; their instances must outlive it, as must the pipelines. Nothing is held
  // where `within_ms` is 0, or no plugin hands anything over.
  HandOver(const Assembly& old, const Assembly& next, worker::Workers workers, PipelineOf pipeline_of,
           uint64_t within_ms);
  ~HandOver();  // releases what is held
  HandOver(const HandOver&) = delete;
  HandOver& operator=(const HandOver&) = delete;

  // Holds, waits, exports and imports. What went wrong, or nothing. `remarks` gets what will be lost.
  std::string run(const std::stop_token& stopping, std::string& remarks);
  // Nothing is released from here on but by what taking_over() returns, and at the end. False: it has taken
  // too long, and the old generation answers what was held.
  [[nodiscard]] bool commit();
  // To be called on each worker's thread once its pipeline has the new site.
  [[nodiscard]] std::function<void(worker::Worker&)> taking_over() const;
  // All workers have done so.
  void end() { holding_ = false; }

 private:
  using Pair = std::pair<plugin::PluginInstance*, plugin::PluginInstance*>;

  // Whose requests are held; what the workers look at, who may outlive this object when the daemon stops.
  struct Owners {
    const Assembly& old;
    std::vector<std::string> names;

    [[nodiscard]] bool own(const http::Exchange& exchange) const;
  };

  bool wait_for_requests(const std::stop_token& stopping, std::string& remarks);
  bool count_requests(const std::stop_token& stopping, uint64_t& count) const;
  void release() const;

  worker::Workers workers_;
  PipelineOf pipeline_of_;
  uint64_t within_ms_;
  std::vector<Pair> pairs_;  // former and next instance of a name
  std::shared_ptr<Owners> owners_;

  bool holding_ = false;  // the control thread's until watch_ runs, and again when it has been joined
  std::mutex mutex_;
  std::condition_variable_any over_;
  std::jthread watch_;
};

}  // namespace leat::server

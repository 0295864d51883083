// OwnMetrics: what the daemon counts of itself, shown beside what plugins count. All names begin with leat_,
// which plugins' may not.
//
// Made before the workers and gone after them, since they count in it. What is known elsewhere (the log, the
// pool) is asked for when it is shown.
//
// Thread: made and destroyed on the main one; the rest on any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/metrics.h"
#include "pipeline/request_counts.h"
#include "plugin/shared_resources.h"
#include "worker/memory_watch.h"

namespace leat::server {

class OwnMetrics final : public worker::MemoryWatch {
 public:
  // `shared` must outlive it.
  OwnMetrics(plugin::SharedResources& shared, uint32_t workers);

  [[nodiscard]] const pipeline::RequestCounts& requests() const { return requests_; }
  [[nodiscard]] metrics::Metric& connections_opened() const { return *opened_; }
  [[nodiscard]] metrics::Metric& connections_closed() const { return *closed_; }
  [[nodiscard]] metrics::Metric& connections_given_up() const { return *given_up_; }
  [[nodiscard]] metrics::Metric& connections_turned_away() const { return *turned_away_; }
  void watch(const worker::WorkerMemory& memory) override;
  void forget(const worker::WorkerMemory& memory) override;
  // That which serves.
  void set_generation(uint64_t number) { generation_->set(static_cast<double>(number)); }

 private:
  std::shared_ptr<metrics::Metric> declare(metrics::Description description);
  void gauge(const char* name, const char* help, std::function<double()> read);
  void declare_memory();

  metrics::Registry& registry_;
  uint32_t workers_;
  pipeline::RequestCounts requests_;
  std::shared_ptr<metrics::Metric> opened_, closed_, given_up_, turned_away_, generation_;
  std::vector<std::shared_ptr<metrics::Metric>> others_;
  std::mutex mutex_;
  std::vector<worker::WorkerMemory> memories_;
};

}  // namespace leat::server

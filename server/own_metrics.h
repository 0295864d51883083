// OwnMetrics: what the daemon counts of itself, shown beside what plugins count. What there is stands in metric_table.h; all
// names begin with leat_ or process_, which plugins' may not.
//
// Made before the workers and gone after them, since they count in it. What is known elsewhere (the log, the
// pool) is asked for when it is shown.
//
// Thread: made and destroyed on the main one; the rest on any.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "pipeline/request_counts.h"
#include "plugin/shared_resources.h"
#include "server/metric_table.h"
#include "transport/tls/server.h"
#include "worker/memory_watch.h"
#include "worker/options.h"

namespace leat::server {

class OwnMetrics final : public worker::MemoryWatch, public metrics::Source {
 public:
  // `shared` must outlive it. `routes` are counted by themselves.
  OwnMetrics(plugin::SharedResources& shared, uint32_t workers, uint32_t routes);
  ~OwnMetrics() override;
  OwnMetrics(const OwnMetrics&) = delete;
  OwnMetrics& operator=(const OwnMetrics&) = delete;

  [[nodiscard]] pipeline::RequestCounts& requests() { return requests_; }
  // Of the listening socket of that name; the same for as long as somebody has them.
  [[nodiscard]] std::shared_ptr<const worker::ListenerCounts> listener(const std::string& name);
  [[nodiscard]] metrics::Metric& connections_given_up() const { return *given_up_; }
  [[nodiscard]] metrics::Metric& connections_turned_away() const { return *turned_away_; }
  // Of TLS as it is spoken: when its certificates expire, and what has become of handshakes; null: none is. Control thread, or
  // before anything serves.
  void show(std::shared_ptr<const tls::Server> tls);
  void watch(const worker::WorkerMemory& memory) override;
  void forget(const worker::WorkerMemory& memory) override;
  void count_reload(bool good) { (good ? reloads_ : failed_reloads_)->add(1); }

  // --- For who shows more of it.

  struct Wire {
    std::string listener;
    uint64_t opened, closed, received, sent;
  };
  [[nodiscard]] std::vector<Wire> wires();
  [[nodiscard]] uint64_t memory_used();
  [[nodiscard]] bool ready() const { return shared_.condition.ready(); }

  // What is counted by route, and of the process.
  void write(std::string& text) const override;

 private:
  std::shared_ptr<metrics::Metric> declare(const MetricRow& row, std::vector<metrics::Label> labels = {},
                                           std::function<double()> read = {});
  void keep(const MetricRow& row, std::function<double()> read);
  void declare_memory();
  void declare_websockets();
  void write_requests(std::string& text) const;
  void write_tls(std::string& text) const;

  plugin::SharedResources& shared_;
  uint32_t workers_;
  pipeline::RequestCounts requests_;
  std::shared_ptr<metrics::Metric> given_up_, turned_away_, reloads_, failed_reloads_;
  std::vector<std::shared_ptr<metrics::Metric>> others_;
  mutable std::mutex tls_mutex_;
  std::shared_ptr<const tls::Server> tls_;
  std::mutex mutex_;
  std::vector<worker::WorkerMemory> memories_;  // under that, which is taken while all is shown
  std::mutex listeners_mutex_;                  // not with the registry's
  std::map<std::string, std::weak_ptr<const worker::ListenerCounts>> listeners_;
};

}  // namespace leat::server

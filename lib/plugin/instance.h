// PluginInstance: one configured instance of a plugin, with its state on each worker.
//
// Thread: create() while the configuration is loaded; worker_init and worker_fini on the worker's.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/value.h"
#include "client/upstream.h"
#include "plugin/library.h"
#include "plugin/sdk/plugin.h"
#include "plugin/suspension.h"
#include "plugin/work_desk.h"

// What a plugin holds of an upstream.
struct leat_upstream {
  std::shared_ptr<leat::client::Upstream> upstream;
};

namespace leat::plugin {
class PluginInstance;
}

// What a plugin holds of a service: which it is, and whose. The provider outlives it.
struct leat_service_use {
  const leat_service* service;  // the host's copy
  leat::plugin::PluginInstance* provider;
};

namespace leat::plugin {

class PluginInstance {
 public:
  // `name` is the instance's in the configuration. What is wrong with `config` comes with its place; unknown
  // keys are among it. `uses` are the services for the library's needs, without those that are not met; their
  // providers must outlive the instance.
  static std::expected<std::unique_ptr<PluginInstance>, Diagnostics> create(
      PluginLibrary& library, std::string_view name, const Value& config,
      std::vector<leat_service_use> uses = {});
  ~PluginInstance();  // destroy(); every handler must be gone, every worker_fini() have run
  PluginInstance(const PluginInstance&) = delete;
  PluginInstance& operator=(const PluginInstance&) = delete;

  // What the plugin says of its own fitness, before it serves. Any worker's requests may not have begun.
  std::expected<void, LoadError> self_test();
  // Hands over what `former`, an instance of the same name that still serves, exports. Nothing is done where
  // either of them can't.
  std::expected<void, LoadError> import_from(PluginInstance& former);
  [[nodiscard]] bool can_import_from(const PluginInstance& former) const;
  // Tells it that no new request will come, and when the last of those under way will be given up, on
  // CLOCK_MONOTONIC.
  void on_drain(uint64_t deadline_ns);

  // Before the first request on worker `index` and after its last one, on its thread. fini() does nothing for
  // a worker whose init() failed.
  // fini() waits for work that is out on the pool; when_idle() is for whoever would rather come again: true
  // if none is, otherwise `then` is called once the last has come back.
  std::expected<void, LoadError> worker_init(uint32_t index);
  bool when_idle(uint32_t index, std::function<void()> then);
  void worker_fini(uint32_t index);
  // No work of that worker is out on the pool. On its thread.
  [[nodiscard]] bool idle(uint32_t index) const;

  [[nodiscard]] const std::string& blame() const { return host_.blame; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] const Host& host() const { return host_; }
  [[nodiscard]] PluginLibrary& library() const { return library_; }
  [[nodiscard]] void* state() const { return state_; }
  // Null for a thread of the pool, whose numbers come after those of the workers.
  [[nodiscard]] void* worker_state(uint32_t index) const {
    return index < workers_.size() ? workers_[index]->state : nullptr;
  }
  // While its create() runs: a server that its requests may ask. The object stays as long as the instance.
  leat_upstream* add_upstream(std::shared_ptr<client::Upstream> upstream);
  // While its create() runs: holds `metric` until it goes; or returns the one that it contradicts.
  const metrics::Metric* add_metric(const std::shared_ptr<metrics::Metric>& metric);
  // May hold one more than once.
  [[nodiscard]] std::span<const std::shared_ptr<metrics::Metric>> metrics() const { return metrics_; }
  [[nodiscard]] bool creating() const { return !created_; }
  // True for one of those, and for one of an instance whose services it uses.
  [[nodiscard]] bool owns(const leat_upstream* upstream) const;
  // The service of that name that it uses, or nullptr.
  [[nodiscard]] const leat_service_use* find_use(std::string_view service) const;
  [[nodiscard]] std::span<const leat_service_use> uses() const { return uses_; }

  // Null for a worker that there is none of.
  [[nodiscard]] SuspensionTable* suspensions(uint32_t worker) {
    return worker < workers_.size() ? &workers_[worker]->suspensions : nullptr;
  }
  [[nodiscard]] const std::shared_ptr<WorkDesk>& desk(uint32_t worker) const {
    return workers_[worker]->desk;
  }

 private:
  // Apart for each worker, so that none writes to a line that another one reads.
  struct alignas(64) Worker {
    explicit Worker(uint64_t first_generation);
    void* state = nullptr;
    bool ready = false;
    SuspensionTable suspensions;
    const std::shared_ptr<WorkDesk> desk;
  };

  PluginInstance(PluginLibrary& library, std::string_view name);

  PluginLibrary& library_;
  std::string name_;
  Host host_;
  const std::string& worker_init_title_;
  const std::string& worker_fini_title_;
  void* state_ = nullptr;
  bool created_ = false;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<leat_upstream>> upstreams_;
  std::vector<std::shared_ptr<metrics::Metric>> metrics_;
  metrics::Names metric_names_;
  std::vector<leat_service_use> uses_;
};

}  // namespace leat::plugin

// Observer: what goes on now. While somebody watches (`leat top`, a dashboard) it looks at all counts once a second, on a
// thread of its own, and tells how much of each there was since the last look: rates, quantiles of latency, the busiest
// routes. While nobody does it costs nothing: the thread waits.
//
// And it keeps what is known of the daemon beside its counts, for those and for `leat status`: its plugins, and how the last
// reload went.
//
// Thread: any.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "handlers/condition.h"
#include "server/own_metrics.h"
#include "server/process/usage.h"

namespace leat::server {

class Observer final : public handlers::Watch {
 public:
  struct Plugin {
    std::string name, state, version, file;  // state: "serving", "quarantined", "out of service"
  };
  struct Reload {
    int64_t time = 0;  // seconds since 1970; 0: there was none
    bool good = true;
    std::string error;  // its first line
  };

  // Both must outlive it. `shared` finds it as whom to watch by.
  Observer(plugin::SharedResources& shared, OwnMetrics& own, uint32_t workers);
  ~Observer() override;
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // What serves from now on, as that generation.
  void set_serving(uint64_t generation, std::vector<Plugin> plugins);
  void note_reload(bool good, std::string_view error);
  [[nodiscard]] Reload last_reload();
  [[nodiscard]] uint64_t uptime_s() const;

  // What went on in the last second, as an object in JSON. Has it go on looking for some seconds more; empty while there is
  // nothing to tell yet, which takes a good second.
  [[nodiscard]] std::string look() override;
  // The same for a terminal.
  [[nodiscard]] std::string look_text();

 private:
  struct Sample {
    uint64_t at_ns = 0;
    std::map<std::string, pipeline::RequestCounts::Totals, std::less<>> routes;
    std::vector<OwnMetrics::Wire> wires;
    cache::Statistics cache;
    double cpu_seconds = 0;
  };
  struct Times {
    double p50 = 0, p90 = 0, p99 = 0, first_byte_p99 = 0;  // seconds
  };
  struct Route {
    std::string name;
    double requests = 0, errors = 0, received = 0, sent = 0;  // a second; errors: 5xx
    Times times;
  };
  // Between two samples.
  struct Observation {
    int64_t time = 0;
    double requests = 0, received = 0, sent = 0, opened = 0;
    std::array<double, 6> by_class = {};  // by the first digit of the status
    Times times;
    std::optional<double> hit_rate;  // nothing where nothing was looked for
    uint64_t connections = 0, memory_used = 0;
    cache::Statistics cache;
    double cpu = 0;  // processors
    Usage usage;
    std::vector<Route> routes;  // the busiest first
  };

  void run(const std::stop_token& stopping);
  [[nodiscard]] Sample sample() const;
  [[nodiscard]] Observation compare(const Sample& before, const Sample& now) const;
  [[nodiscard]] std::string as_json(const Observation& seen);
  [[nodiscard]] std::string as_text(const Observation& seen);
  std::string tell(std::string& latest);

  plugin::SharedResources& shared_;
  OwnMetrics& own_;
  const uint32_t workers_;
  const uint64_t began_ms_;
  std::mutex mutex_;  // of what follows
  std::condition_variable_any asked_;
  uint64_t watched_until_ms_ = 0;
  std::string latest_json_, latest_text_;
  std::vector<Plugin> plugins_;
  Reload reload_;
  std::jthread thread_;
};

}  // namespace leat::server

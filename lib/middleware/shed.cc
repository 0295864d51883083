#include "middleware/shed.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/thread_pool.h"
#include "http/worker_context.h"
#include "middleware/counters.h"
#include "middleware/queue_delay.h"
#include "pipeline/site.h"

namespace leat::middleware {

namespace {

constexpr uint64_t kNsOfMs = 1'000'000;

class Shed final : public pipeline::Middleware {
 public:
  struct ShedCounters {
    std::shared_ptr<metrics::Metric> admitted, shed;
  };

  Shed(const ShedOptions& options, const ThreadPool* pool, uint32_t workers, ShedCounters counters)
      : exempt_(options.exempt),
        retry_after_(std::to_string(options.retry_after_s)),
        pool_(pool),
        counters_(std::move(counters)),
        lanes_(workers, Lane{{options.target_ms * kNsOfMs, options.interval_ms * kNsOfMs},
                             {options.pool_target_ms * kNsOfMs, options.interval_ms * kNsOfMs}}) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    return is_exempt(exchange.route) ? "never sends it away"
                                     : "sends it away where a queue stands and it has waited too long";
  }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    http::WorkerContext& worker = exchange.worker();
    ENSURE(worker.index() < lanes_.size());
    Lane& lane = lanes_[worker.index()];
    const uint64_t turn_ns = worker.now_ns();
    const uint64_t fresh_ns = worker.fresh_ns();
    bool late = lane.turn.is_late(turn_ns, fresh_ns - std::min(turn_ns, fresh_ns));
    const pipeline::Route* const route = exchange.route;
    if (pool_ != nullptr && route != nullptr && route->handler != nullptr &&
        route->handler->waits_for_thread()) {
      const uint64_t since_ns = pool_->waiting_since_ns();
      const bool waits = since_ns != 0 && since_ns < fresh_ns;
      late = lane.pool.is_late(fresh_ns, waits ? fresh_ns - since_ns : 0) || late;
    }
    if (!late || exchange.internal() || is_exempt(route)) [[likely]] {
      count(counters_.admitted);
      return pipeline::Verdict::Next;
    }
    count(counters_.shed);
    (void)exchange.response.set("Retry-After", retry_after_);
    exchange.send_problem(503, "The server has more to do than it can: try again later.");
    return pipeline::Verdict::Done;
  }

 private:
  struct alignas(64) Lane {
    QueueDelay turn, pool;
  };

  [[nodiscard]] bool is_exempt(const pipeline::Route* route) const {
    return route != nullptr && std::ranges::contains(exempt_, route->path);
  }

  const std::vector<std::string> exempt_;
  const std::string retry_after_;
  const ThreadPool* const pool_;
  const ShedCounters counters_;
  std::vector<Lane> lanes_;
};

}  // namespace

std::string check_exempt(std::string_view, std::string_view text) {
  return text.starts_with('/') ? std::string()
                               : fmt::format("`{}` is no path of a route: that begins with a /", text);
}

std::unique_ptr<pipeline::Middleware> create_shed(const ShedOptions& options,
                                                  const pipeline::BuildContext& context) {
  return std::make_unique<Shed>(
      options, context.surroundings.pool, context.surroundings.workers,
      Shed::ShedCounters{.admitted = declare_counter(kShedRequests, context, "admitted"),
                         .shed = declare_counter(kShedRequests, context, "shed")});
}

}  // namespace leat::middleware

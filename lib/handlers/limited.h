// LimitedHandler: a route's handler with a bound before it on how many requests it has at the same time, over
// all workers: its route's own, its plugin's, or both.
//
// One more is answered 503 at once, with Retry-After, so that what the handler stands for (a database, a
// licence) is not asked for more than it can do, and whoever asks learns it while it can still go elsewhere.
// A request counts from its handler's call until it has ended, suspended or not, in whatever way it ends. A
// handler that may be busy with it for longer, on another thread, takes Exchange::limiter over and gives the
// place back itself.
//
// It stands behind middleware and the response cache: what these answer does not count.
//
// Thread: any worker.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "pipeline/wrapping_handler.h"

namespace leat::handlers {

// So many at the same time. Shared by the handlers that it bounds.
class ConcurrencyLimit {
 public:
  explicit ConcurrencyLimit(uint32_t count) : count_(count) {}

  [[nodiscard]] bool take() {
    // Those that find it full may for a moment count as well; nobody is let in for that.
    if (taken_.fetch_add(1, std::memory_order_relaxed) < count_) return true;
    give();
    return false;
  }
  void give() { taken_.fetch_sub(1, std::memory_order_relaxed); }
  [[nodiscard]] uint32_t count() const { return count_; }
  [[nodiscard]] uint32_t taken() const { return taken_.load(std::memory_order_relaxed); }

 private:
  alignas(64) std::atomic<uint32_t> taken_ = 0;
  const uint32_t count_;
};

class LimitedHandler final : public pipeline::WrappingHandler {
 public:
  // `limits`, all of which a request needs. `refused` counts those that found none; it may be null.
  LimitedHandler(std::unique_ptr<pipeline::Handler> handler,
                 std::vector<std::shared_ptr<ConcurrencyLimit>> limits,
                 std::shared_ptr<metrics::Metric> refused);

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override;
  pipeline::Verdict on_body(http::Exchange& exchange, std::string_view piece) override;
  pipeline::Verdict on_body_end(http::Exchange& exchange) override;
  pipeline::Verdict on_writable(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;

  void explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const override;

  // One that had a place has it no longer.
  void let_go();

 private:
  const std::vector<std::shared_ptr<ConcurrencyLimit>> limits_;
  const std::shared_ptr<metrics::Metric> refused_;
};

}  // namespace leat::handlers

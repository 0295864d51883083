#include "middleware/trace_context.h"

#include <vector>

#include "base/check.h"
#include "http/worker_context.h"
#include "middleware/random.h"
#include "middleware/trace_place.h"

namespace leat::middleware {

namespace {

class TraceContext final : public pipeline::Middleware {
 public:
  TraceContext(const TraceContextOptions& options, uint32_t workers) : options_(options), workers_(workers) {}

  [[nodiscard]] uint8_t hooks() const override { return kRequest; }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    const uint32_t worker = exchange.worker().index();
    ENSURE(worker < workers_.size());
    TracePlace place;
    (void)place_in_trace(
        exchange, workers_[worker].random, options_.trust, [&](uint64_t) { return options_.sampled; }, place);
    return pipeline::Verdict::Next;
  }

 private:
  struct alignas(64) Worker {
    Random random;
  };

  const TraceContextOptions options_;
  std::vector<Worker> workers_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_trace_context(const TraceContextOptions& options,
                                                           const pipeline::BuildContext& context) {
  return std::make_unique<TraceContext>(options, context.surroundings.workers);
}

}  // namespace leat::middleware

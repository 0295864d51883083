#include "handlers/metrics.h"

namespace leat::handlers {

namespace {

class Metrics final : public pipeline::Handler {
 public:
  explicit Metrics(metrics::Registry& metrics) : metrics_(metrics) {}

  // Made on the worker, which is some microseconds for hundreds of series and some milliseconds for
  // metrics.series of them; a collector comes every few seconds.
  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    exchange.response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return exchange.send(metrics_.text()) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return "leat:metrics"; }

 private:
  metrics::Registry& metrics_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_metrics(metrics::Registry& metrics) {
  return std::make_unique<Metrics>(metrics);
}

}  // namespace leat::handlers

#include "middleware/maintenance.h"

#include <fmt/core.h>

#include <optional>
#include <utility>

#include "base/address_set.h"
#include "middleware/counters.h"

namespace leat::middleware {

namespace {

class Maintenance final : public pipeline::Middleware {
 public:
  Maintenance(const MaintenanceOptions& options, const AddressSet& allowed,
              std::shared_ptr<metrics::Metric> refused)
      : on_(options.on),
        allowed_(allowed),
        retry_after_(std::to_string((options.retry_after_ms + 999) / 1000)),
        detail_(options.detail),
        refused_(std::move(refused)) {}

  [[nodiscard]] uint8_t hooks() const override { return on_ ? kRequest : 0; }
  [[nodiscard]] bool for_clients() const override { return true; }

  [[nodiscard]] std::string explain(http::Exchange& exchange) const override {
    if (!on_) return "is off";
    return lets_in(exchange.request) ? "lets it in, as its client is one of `allow`" : "answers 503";
  }

  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override {
    if (lets_in(exchange.request)) return pipeline::Verdict::Next;
    count(refused_);
    (void)exchange.response.set("Retry-After", retry_after_);
    (void)exchange.response.set("Cache-Control", "no-store");
    exchange.send_problem(503, detail_);
    return pipeline::Verdict::Done;
  }

 private:
  [[nodiscard]] bool lets_in(const http::Request& request) const {
    return allowed_.size() != 0 &&
           allowed_.contains(HostAddress::parse(request.client()).value_or(HostAddress()));
  }

  const bool on_;
  const AddressSet allowed_;
  const std::string retry_after_;
  const std::string detail_;
  const std::shared_ptr<metrics::Metric> refused_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> create_maintenance(const MaintenanceOptions& options,
                                                         const pipeline::BuildContext& context) {
  std::vector<AddressRange> ranges;
  for (const std::string& text : options.allow)
    if (const auto range = AddressRange::parse(text)) ranges.push_back(*range);
  return std::make_unique<Maintenance>(options, AddressSet(ranges),
                                       declare_counter(kMaintenanceRefused, context));
}

}  // namespace leat::middleware

#include "handlers/health.h"

#include <string_view>

namespace leat::handlers {

namespace {

class Health final : public pipeline::Handler {
 public:
  explicit Health(const Condition& condition) : condition_(condition) {}

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    const std::string_view path = exchange.request.path();
    const std::string_view asked = path.substr(path.rfind('/') + 1);
    exchange.response.content_type = "application/json";
    const bool stored_nowhere = exchange.response.add("Cache-Control", "no-store");
    return stored_nowhere && answer(exchange, asked) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return "leat:health"; }

 private:
  [[nodiscard]] bool answer(http::Exchange& exchange, std::string_view asked) const {
    if (asked == "live" || asked == "livez") return exchange.send(R"({"status":"live"})");
    if (condition_.ready()) return exchange.send(R"({"status":"ready"})");
    exchange.response.status = 503;
    return exchange.send(condition_.leaving
                             ? R"({"status":"not ready","reason":"the server is stopping"})"
                             : R"({"status":"not ready","reason":"a plugin is out of service"})");
  }

  const Condition& condition_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_health(const Condition& condition) {
  return std::make_unique<Health>(condition);
}

}  // namespace leat::handlers

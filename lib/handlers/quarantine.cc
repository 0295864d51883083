#include "handlers/quarantine.h"

namespace leat::handlers {

namespace {

constexpr std::string_view kRetryAfterSeconds = "60";

class Quarantine final : public pipeline::Handler {
 public:
  explicit Quarantine(const std::string& plugin) : blame_("plugin " + plugin) {}

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    const bool sent = exchange.response.add("Retry-After", kRetryAfterSeconds) &&
                      exchange.send_problem(503, "This part of the server is out of service for now.");
    return sent ? pipeline::Verdict::Done : pipeline::Verdict::Error;
  }
  [[nodiscard]] std::string_view blame() const override { return blame_; }

 private:
  std::string blame_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_quarantine(const std::string& plugin) {
  return std::make_unique<Quarantine>(plugin);
}

}  // namespace leat::handlers

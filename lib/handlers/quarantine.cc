#include "handlers/quarantine.h"

namespace leat::handlers {

namespace {

constexpr std::string_view kRetryAfterSeconds = "60";

pipeline::Verdict refuse(http::Exchange& exchange) {
  const bool sent = exchange.response.add("Retry-After", kRetryAfterSeconds) &&
                    exchange.send_problem(503, "This part of the server is out of service for now.");
  return sent ? pipeline::Verdict::Done : pipeline::Verdict::Error;
}

class Quarantine final : public pipeline::Handler {
 public:
  explicit Quarantine(const std::string& plugin) : blame_("plugin " + plugin) {}

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override { return refuse(exchange); }
  [[nodiscard]] std::string_view blame() const override { return blame_; }

 private:
  std::string blame_;
};

class QuarantinedMiddleware final : public pipeline::Middleware {
 public:
  QuarantinedMiddleware(const std::string& plugin, bool optional)
      : blame_("plugin " + plugin), optional_(optional) {}

  [[nodiscard]] uint8_t hooks() const override { return optional_ ? 0 : kRequest; }
  [[nodiscard]] pipeline::Verdict on_request(http::Exchange& exchange) override { return refuse(exchange); }
  [[nodiscard]] std::string_view blame() const override { return blame_; }

 private:
  std::string blame_;
  bool optional_;
};

}  // namespace

std::unique_ptr<pipeline::Middleware> make_quarantined_middleware(const std::string& plugin, bool optional) {
  return std::make_unique<QuarantinedMiddleware>(plugin, optional);
}

std::unique_ptr<pipeline::Handler> make_quarantine(const std::string& plugin) {
  return std::make_unique<Quarantine>(plugin);
}

}  // namespace leat::handlers

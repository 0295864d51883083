#include "handlers/answer.h"

#include <string_view>

#include "http/exchange.h"
#include "http/problem.h"

namespace leat::handlers {

namespace {

class FixedAnswerHandler final : public pipeline::Handler {
 public:
  explicit FixedAnswerHandler(FixedAnswer answer) : answer_(std::move(answer)) {}

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    http::Response& response = exchange.response;
    for (const auto& [name, value] : answer_.fields)
      if (!response.add(name, value)) return pipeline::Verdict::Error;  // middleware has taken the room
    if (!answer_.body && answer_.status >= 400) {
      exchange.send_problem(answer_.status, {});
      return pipeline::Verdict::Done;
    }
    response.status = answer_.status;
    response.content_type = answer_.type;
    exchange.send(answer_.body ? std::string_view(*answer_.body) : std::string_view());
    return pipeline::Verdict::Done;
  }
  [[nodiscard]] std::string_view blame() const override { return "the answer of the configuration"; }

 private:
  const FixedAnswer answer_;
};

class Redirect final : public pipeline::Handler {
 public:
  Redirect(pipeline::Target target, uint16_t status) : target_(std::move(target)), status_(status) {}

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override {
    if (target_.needs_host() && exchange.request.host().empty()) {
      exchange.send_problem(400, "The request names no host to be sent on to.");
      return pipeline::Verdict::Done;
    }
    const std::string_view target =
        target_.make(exchange.request, exchange.request.params(), exchange.arena());
    if (target.data() == nullptr) {
      http::send_out_of_memory(exchange);
      return pipeline::Verdict::Done;
    }
    if (!exchange.response.add("Location", target)) return pipeline::Verdict::Error;
    exchange.response.status = status_;
    exchange.send({});
    return pipeline::Verdict::Done;
  }
  [[nodiscard]] std::string_view blame() const override { return "the redirect of the configuration"; }

 private:
  const pipeline::Target target_;
  const uint16_t status_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_fixed_answer(FixedAnswer answer) {
  return std::make_unique<FixedAnswerHandler>(std::move(answer));
}

std::unique_ptr<pipeline::Handler> make_redirect(pipeline::Target target, uint16_t status) {
  return std::make_unique<Redirect>(std::move(target), status);
}

}  // namespace leat::handlers

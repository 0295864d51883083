#include "server/testhost/behind.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "http/problem.h"
#include "http/worker_context.h"
#include "pipeline/pipeline.h"

namespace leat::testing {

namespace {

using pipeline::Verdict;

// In pieces, as they come: what cuts a request's body cuts the answer's.
class Echo final : public pipeline::Handler {
 public:
  [[nodiscard]] bool streams_body() const override { return true; }
  [[nodiscard]] Verdict handle(http::Exchange& exchange) override {
    exchange.response.content_type = exchange.request.header("Content-Type");
    const http::Head& head = exchange.request.head();
    if (head.framing == http::Framing::Length)
      exchange.begin(head.content_length);
    else
      exchange.begin({});
    return Verdict::Done;
  }
  Verdict on_body(http::Exchange& exchange, std::string_view piece) override {
    if (!exchange.write(piece)) exchange.pause_body();
    return Verdict::Done;
  }
  Verdict on_writable(http::Exchange& exchange) override {
    exchange.resume_body();
    return Verdict::Done;
  }
  Verdict on_body_end(http::Exchange& exchange) override {
    exchange.end();
    return Verdict::Done;
  }
  [[nodiscard]] std::string_view blame() const override { return "the handler behind the middleware"; }
};

class Scripted final : public pipeline::Handler {
 public:
  explicit Scripted(Upstream answer) : answer_(std::move(answer)) {}

  [[nodiscard]] Verdict handle(http::Exchange& exchange) override {
    const http::Request& request = exchange.request;
    Asked asked{.method = std::string(http::method_name(request.method())),
                .target = std::string(request.target()),
                .headers = {},
                .body = std::string(request.body())};
    const http::Head& head = request.head();
    for (const http::HeaderSlot& slot : head.headers())
      asked.headers.emplace_back(head.view(slot.name), head.view(slot.value));
    Answered answered = answer_(asked);
    if (answered.after.count() <= 0) return send(exchange, answered);
    const auto after_ms = static_cast<uint64_t>(answered.after.count());
    if (exchange.states.make<Answered>(this, std::move(answered)) == nullptr ||
        !exchange.worker().resume_after(exchange.suspend(), after_ms, arrive, this)) {
      http::send_out_of_memory(exchange);
      return Verdict::Done;
    }
    return Verdict::Pending;
  }
  [[nodiscard]] std::string_view blame() const override { return "the handler behind the middleware"; }

 private:
  static Verdict send(http::Exchange& exchange, const Answered& answered) {
    if (!answered.failure.empty()) return Verdict::Error;
    exchange.response.status = static_cast<uint16_t>(answered.status);
    const bool whole = std::ranges::all_of(answered.headers, [&](const auto& field) {
      return exchange.response.add_copy(exchange.arena(), field.first, field.second);
    });
    const std::string_view body = exchange.arena().copy(answered.body);
    if (exchange.arena().refused())
      http::send_out_of_memory(exchange);
    else if (!whole)
      return Verdict::Error;
    else
      exchange.send(body);
    return Verdict::Done;
  }
  static void arrive(http::Exchange& exchange, void* handler) {
    const auto& self = *static_cast<Scripted*>(handler);
    pipeline::apply_verdict(exchange, self, send(exchange, *exchange.states.find<Answered>(&self)));
  }

  Upstream answer_;
};

}  // namespace

std::unique_ptr<pipeline::Handler> make_behind(Upstream answer) {
  if (!answer) return std::make_unique<Echo>();
  return std::make_unique<Scripted>(std::move(answer));
}

}  // namespace leat::testing

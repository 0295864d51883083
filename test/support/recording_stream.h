// RecordingStream: what an exchange asks of its stream, as a list of texts.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/stream.h"

namespace leat::test {

class RecordingStream final : public http::Stream {
 public:
  using Calls = std::vector<std::string>;

  [[nodiscard]] bool fits(const http::Response&) const override { return heads_fit; }
  void answer(http::Exchange& exchange, http::AnswerFraming framing, std::string_view body,
              const http::Release* pinned) override {
    calls.push_back(fmt::format("answer {} {} '{}'{}{}", exchange.response.status, text(framing),
                                body.substr(0, 10), exchange.head_only() ? " head only" : "",
                                pinned != nullptr ? " pinned" : ""));
    if (pinned != nullptr && pinned->run != nullptr) pinned->run(pinned->context);
  }
  void head(http::Exchange& exchange, http::AnswerFraming framing) override {
    calls.push_back(fmt::format("head {} {}", exchange.response.status, text(framing)));
  }
  bool data(http::Exchange&, std::string_view bytes) override {
    calls.push_back(fmt::format("data '{}'", bytes));
    return takes_more;
  }
  void end(http::Exchange& exchange) override {
    calls.push_back(fmt::format("end, {} trailers", exchange.trailers().fields().size()));
  }
  void cut(http::Exchange& exchange, const http::Refusal& why) override {
    calls.push_back(fmt::format("cut {}", why.status));
    http::StreamSide(exchange).cut(why);
  }
  void continue_body(http::Exchange& exchange) override {
    calls.emplace_back("continue");
    if (memory_is_out) cut(exchange, {503, ""});
  }
  void body_flow(http::Exchange&, http::BodyFlow flow) override {
    constexpr const char* kNames[] = {"flow", "pause", "hold"};
    calls.emplace_back(kNames[static_cast<size_t>(flow)]);
  }
  [[nodiscard]] http::Protocol* protocol() override { return nullptr; }

  Calls calls;
  bool heads_fit = true;
  bool takes_more = true;
  bool memory_is_out = false;

 private:
  static std::string text(http::AnswerFraming framing) {
    switch (framing.kind) {
      case http::AnswerFraming::Kind::None:
        return "none";
      case http::AnswerFraming::Kind::Length:
        return fmt::format("length {}", framing.length);
      case http::AnswerFraming::Kind::Unknown:
        break;
    }
    return "unknown";
  }
};

}  // namespace leat::test

// Middleware that does what a test says, each of a kind of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/fixture.h"

namespace leat::pipeline::test {

// A kind of middleware whose instances do this. It must stay where it is.
struct Scripted {
  using Wants = http::AnswerFilter::Wants;

  std::string name;
  Phase phase = Phase::Transform;
  std::function<Verdict(http::Exchange&)> request;
  std::function<Verdict(http::Exchange&, std::string_view&, bool)> body;
  std::function<Wants(http::Exchange&, http::AnswerBody&)> answer;
  std::function<void(http::Exchange&, std::string_view, http::Onward&)> piece =
      [](http::Exchange&, std::string_view bytes, http::Onward& onward) { onward.give(bytes); };
  std::function<void(http::Exchange&, http::Onward&)> end = [](http::Exchange&, http::Onward&) {};
  std::string blames;
  bool for_clients = false;

  [[nodiscard]] MiddlewareKind kind() const { return {name, phase, "", {}, create, this}; }

 private:
  class Instance final : public Middleware {
   public:
    explicit Instance(const Scripted& script) : script_(script) {}
    [[nodiscard]] uint8_t hooks() const override {
      return static_cast<uint8_t>((script_.request ? kRequest : 0) | (script_.body ? kBody : 0) |
                                  (script_.answer ? kAnswer : 0) | kDone);
    }
    Verdict on_request(http::Exchange& exchange) override { return script_.request(exchange); }
    Verdict on_body(http::Exchange& exchange, std::string_view& piece, bool last) override {
      return script_.body(exchange, piece, last);
    }
    Wants on_answer(http::Exchange& exchange, http::AnswerBody& body) override {
      return script_.answer(exchange, body);
    }
    void on_piece(http::Exchange& exchange, std::string_view piece, http::Onward& onward) override {
      script_.piece(exchange, piece, onward);
    }
    void on_end(http::Exchange& exchange, http::Onward& onward) override { script_.end(exchange, onward); }
    void on_cancel(http::Exchange&) override { calls.push_back("cancel " + script_.name); }
    void on_done(http::Exchange&) override { calls.push_back("end " + script_.name); }
    [[nodiscard]] std::string_view blame() const override { return script_.blames; }
    [[nodiscard]] bool for_clients() const override { return script_.for_clients; }

   private:
    const Scripted& script_;
  };

  static std::unique_ptr<Middleware> create(const BuildContext& context) {
    return std::make_unique<Instance>(*static_cast<const Scripted*>(context.kind.origin));
  }
};

// Puts a mark around each piece, and another at the end: "<...>", then ".".
inline Scripted marks(std::string name, char begin, char end, char last, Phase phase = Phase::Transform) {
  Scripted script;
  script.name = std::move(name);
  script.phase = phase;
  script.answer = [](http::Exchange&, http::AnswerBody&) { return Scripted::Wants::Change; };
  script.piece = [begin, end](http::Exchange&, std::string_view bytes, http::Onward& onward) {
    onward.give({&begin, 1});
    onward.give(bytes);
    onward.give({&end, 1});
  };
  script.end = [last](http::Exchange&, http::Onward& onward) { onward.give({&last, 1}); };
  return script;
}

// The body of an answer in chunks, without their framing.
inline std::string unchunked(std::string_view wire) {
  std::string body;
  size_t at = wire.find("\r\n\r\n") + 4;
  while (true) {
    const size_t size = std::stoul(std::string(wire.substr(at, wire.find("\r\n", at) - at)), nullptr, 16);
    if (size == 0) return body;
    at = wire.find("\r\n", at) + 2;
    body += wire.substr(at, size);
    at += size + 2;
  }
}

}  // namespace leat::pipeline::test

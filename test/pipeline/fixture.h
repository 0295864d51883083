// What the tests of sites and of the pipeline share: one middleware kind for each phase and a handler, all of
// which do as they are told and write down that they were called.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "pipeline/site.h"

namespace leat::pipeline::test {

// What was called, in order: "forward a", "reverse a", "done a", "handle", "cancel"...
inline std::vector<std::string> calls;

// Options: name (what it writes down; without one its kind), forward (false: it has no forward step), verdict
// ("done" without answering, "pending", "error"; default: next), answers (a status), begins (true: an answer
// in pieces that it never ends).
std::unique_ptr<Middleware> create_observe(const BuildContext&);
std::unique_ptr<Middleware> create_identify(const BuildContext&);
std::unique_ptr<Middleware> create_protect(const BuildContext&);
std::unique_ptr<Middleware> create_limit(const BuildContext&);
std::unique_ptr<Middleware> create_transform(const BuildContext&);
// Refuses its options.
std::unique_ptr<Middleware> create_picky(const BuildContext&);

inline constexpr MiddlewareKind kKinds[] = {
    {"observe", Phase::Observe, "", {}, create_observe},
    {"identify", Phase::Identify, "", {}, create_identify},
    {"protect", Phase::Protect, "", {}, create_protect},
    {"limit", Phase::Limit, "", {}, create_limit},
    {"transform", Phase::Transform, "", {}, create_transform},
    {"picky", Phase::Limit, "", {}, create_picky},
};

class ScriptHandler final : public Handler {
 public:
  using Step = std::function<Verdict(http::Exchange&)>;
  Step on_handle = [](http::Exchange& exchange) {
    exchange.send("hello");
    return Verdict::Done;
  };
  std::function<Verdict(http::Exchange&, std::string_view)> on_piece = [](http::Exchange&, std::string_view) {
    return Verdict::Done;
  };
  Step on_end = [](http::Exchange&) { return Verdict::Done; };
  Step on_room = [](http::Exchange&) { return Verdict::Done; };
  bool streams = false;

  [[nodiscard]] bool streams_body() const override { return streams; }
  [[nodiscard]] Verdict handle(http::Exchange& exchange) override {
    calls.emplace_back("handle");
    return on_handle(exchange);
  }
  Verdict on_body(http::Exchange& exchange, std::string_view piece) override {
    calls.emplace_back("body");
    return on_piece(exchange, piece);
  }
  Verdict on_body_end(http::Exchange& exchange) override {
    calls.emplace_back("body end");
    return on_end(exchange);
  }
  Verdict on_writable(http::Exchange& exchange) override {
    calls.emplace_back("writable");
    return on_room(exchange);
  }
  void on_cancel(http::Exchange&) override { calls.emplace_back("cancel"); }
  void on_done(http::Exchange&) override { calls.emplace_back("done"); }
  [[nodiscard]] std::string_view blame() const override { return "handler test"; }
};

// A place by its line.
inline Place line(uint32_t number) { return {.line = number, .column = 1}; }

Value table(Value::Table entries = {});
template <class T>
Value::Entry entry(std::string key, T value) {
  return {std::move(key), Value(std::move(value), line(1), line(1))};
}

}  // namespace leat::pipeline::test

#include "pipeline/fixture.h"

namespace leat::pipeline::test {

namespace {

class ScriptMiddleware final : public Middleware {
 public:
  ScriptMiddleware(std::string_view kind, const Value& options) : name_(kind) {
    if (const Value* name = options.find("name")) name_ = *name->string();
    if (const Value* forward = options.find("forward"); forward != nullptr && !*forward->boolean())
      hooks_ = kAnswer | kDone;
    if (const Value* begins = options.find("begins")) begins_ = *begins->boolean();
    if (const Value* answers = options.find("answers")) status_ = static_cast<uint16_t>(*answers->integer());
    if (const Value* verdict = options.find("verdict"))
      verdict_ = *verdict->string() == "done"      ? Verdict::Done
                 : *verdict->string() == "pending" ? Verdict::Pending
                                                   : Verdict::Error;
  }

  [[nodiscard]] uint8_t hooks() const override { return hooks_; }
  [[nodiscard]] Verdict on_request(http::Exchange& exchange) override {
    calls.push_back("forward " + name_);
    if (begins_) {
      exchange.begin(std::nullopt);
      return Verdict::Done;
    }
    if (status_ == 0) return verdict_;
    exchange.response.status = status_;
    exchange.send("from middleware");
    return Verdict::Done;
  }
  Wants on_answer(http::Exchange& exchange, http::AnswerBody&) override {
    calls.push_back("reverse " + name_);
    (void)exchange.response.add("X-Passed", name_);
    return Wants::Nothing;
  }
  void on_done(http::Exchange&) override { calls.push_back("end " + name_); }

 private:
  std::string name_;
  uint8_t hooks_ = kRequest | kAnswer | kDone;
  Verdict verdict_ = Verdict::Next;
  uint16_t status_ = 0;
  bool begins_ = false;
};

}  // namespace

std::unique_ptr<Middleware> create_observe(const BuildContext& context) {
  return std::make_unique<ScriptMiddleware>("observe", context.options);
}
std::unique_ptr<Middleware> create_identify(const BuildContext& context) {
  return std::make_unique<ScriptMiddleware>("identify", context.options);
}
std::unique_ptr<Middleware> create_protect(const BuildContext& context) {
  return std::make_unique<ScriptMiddleware>("protect", context.options);
}
std::unique_ptr<Middleware> create_limit(const BuildContext& context) {
  return std::make_unique<ScriptMiddleware>("limit", context.options);
}
std::unique_ptr<Middleware> create_transform(const BuildContext& context) {
  return std::make_unique<ScriptMiddleware>("transform", context.options);
}
std::unique_ptr<Middleware> create_picky(const BuildContext& context) {
  context.diagnostics.push_back({.message = "picky likes nothing", .place = context.options.place});
  return nullptr;
}

Value table(Value::Table entries) { return Value(std::move(entries), line(1)); }

}  // namespace leat::pipeline::test

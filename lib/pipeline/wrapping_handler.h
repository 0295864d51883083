// WrappingHandler: what stands before a handler on its route is a handler with that one inside. Every call
// goes on to it, but for those that a derived class makes its own.
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "pipeline/handler.h"

namespace leat::pipeline {

class WrappingHandler : public Handler {
 public:
  [[nodiscard]] bool streams_body() const override { return handler_->streams_body(); }
  [[nodiscard]] Verdict handle(http::Exchange& exchange) override { return handler_->handle(exchange); }
  Verdict on_body(http::Exchange& exchange, std::string_view piece) override {
    return handler_->on_body(exchange, piece);
  }
  Verdict on_body_end(http::Exchange& exchange) override { return handler_->on_body_end(exchange); }
  Verdict on_writable(http::Exchange& exchange) override { return handler_->on_writable(exchange); }
  void on_cancel(http::Exchange& exchange) override { handler_->on_cancel(exchange); }
  void on_done(http::Exchange& exchange) override { handler_->on_done(exchange); }
  [[nodiscard]] std::string_view blame() const override { return handler_->blame(); }
  void list_steps(std::vector<std::string_view>& steps) const override {
    steps.emplace_back(step_);
    handler_->list_steps(steps);
  }
  void explain(http::Exchange& exchange, std::vector<ExplainedFact>& facts) const override {
    handler_->explain(exchange, facts);
  }
  [[nodiscard]] bool waits_for_thread() const override { return handler_->waits_for_thread(); }
  [[nodiscard]] http::AnswerFilter* answer_filter() override { return handler_->answer_filter(); }

 protected:
  // `step`: what people are shown of it, a literal.
  WrappingHandler(std::unique_ptr<Handler> handler, std::string_view step)
      : handler_(std::move(handler)), step_(step) {}

  [[nodiscard]] Handler& handler() const { return *handler_; }

 private:
  const std::unique_ptr<Handler> handler_;
  const std::string_view step_;
};

}  // namespace leat::pipeline

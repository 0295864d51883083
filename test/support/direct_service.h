// Every request is one handler's: what is left of the pipeline when all else is taken away.
#pragma once

#include <string_view>

#include "http/exchange.h"
#include "http/service.h"
#include "pipeline/pipeline.h"

namespace leat::test {

class DirectService final : public http::Service {
 public:
  BodyMode on_request(http::Exchange&) override { return BodyMode::Buffer; }
  void on_body(http::Exchange&, std::string_view) override {}
  void on_body_end(http::Exchange& exchange) override {
    pipeline::apply_verdict(exchange, *handler, handler->handle(exchange));
  }
  void on_writable(http::Exchange&) override {}
  void on_response(http::Exchange&) override {}
  void on_cancel(http::Exchange&) override {}
  void on_done(http::Exchange& exchange) override { handler->on_done(exchange); }

  pipeline::Handler* handler = nullptr;
};

}  // namespace leat::test

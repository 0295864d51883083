// PooledHandler: a plugin's handler on a route with executor = "pool".
//
// The handler may block: it runs on a thread of the process's pool (base/thread_pool.h), with a DetachedCall
// for its request, while the worker serves others. When so much waits that the queue is full, the client is
// told at once to come again. What waits for a thread is taken out of the queue when its client leaves; what
// runs learns it by leat.pool/1 cancelled(), and by a write() that is refused.
//
// Such a request is a suspension with a Work of one piece, like one that a plugin gives to the pool itself;
// so its instance stays until the thread is through.
//
// Private to the plugin host.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "pipeline/handler.h"
#include "plugin/handler.h"
#include "plugin/shared_resources.h"

namespace leat::plugin {

class PooledHandler final : public pipeline::Handler {
 public:
  // `refused` counts the requests for which there was no room; it may be null.
  PooledHandler(std::unique_ptr<PluginHandler> handler, SharedResources& shared,
                std::shared_ptr<metrics::Metric> refused);

  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override;
  pipeline::Verdict on_writable(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;
  [[nodiscard]] std::string_view blame() const override { return handler_->blame(); }
  [[nodiscard]] bool waits_for_thread() const override { return true; }
  void list_steps(std::vector<std::string_view>& steps) const override {
    steps.emplace_back("pool");
    handler_->list_steps(steps);
  }
  void explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const override {
    facts.push_back({"executor", "a thread of the pool"});
    handler_->explain(exchange, facts);
  }

 private:
  const std::unique_ptr<PluginHandler> handler_;
  SharedResources& shared_;
  const std::shared_ptr<metrics::Metric> refused_;
};

}  // namespace leat::plugin

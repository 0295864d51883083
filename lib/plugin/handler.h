// PluginHandler: one handler of a plugin, bound to one route, as the pipeline sees it.
//
// Between the two it judges verdicts: an answer that was promised and not given, a suspension that nothing
// will ever end, an exception, all become Verdict::Error here, with a line in the log that names the plugin.
//
// Private to the plugin host.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/handler.h"
#include "pipeline/parameter_rules.h"
#include "plugin/callee.h"
#include "plugin/route_info.h"

namespace leat::plugin {

struct RequestState;

class PluginHandler final : public pipeline::Handler, public Callee {
 public:
  // `handler` is the plugin's; `bound` is from its bind(), or null.
  // `parameters`: what its requests are asked for; null for none, as are `schemas`. `needs_session`: it said so.
  PluginHandler(PluginInstance& instance, const leat_handler& handler, const RouteInfo& route, void* bound,
                std::unique_ptr<const pipeline::ParameterSet> parameters,
                std::unique_ptr<const pipeline::BodySchemas> schemas, bool needs_session);
  ~PluginHandler() override;

  [[nodiscard]] bool streams_body() const override {
    return (handler_.flags & LEAT_HANDLER_STREAM_BODY) != 0;
  }
  [[nodiscard]] pipeline::Verdict handle(http::Exchange& exchange) override;
  pipeline::Verdict on_body(http::Exchange& exchange, std::string_view piece) override;
  pipeline::Verdict on_body_end(http::Exchange& exchange) override;
  pipeline::Verdict on_writable(http::Exchange& exchange) override;
  void on_cancel(http::Exchange& exchange) override;
  void on_done(http::Exchange& exchange) override;
  [[nodiscard]] std::string_view blame() const override { return instance().blame(); }
  void describe(pipeline::HandlerDescription& description) const override;
  void explain(http::Exchange& exchange, std::vector<pipeline::ExplainedFact>& facts) const override;

  [[nodiscard]] leat_scope scope(uint32_t worker) const override;
  [[nodiscard]] bool accepts_sockets() const override { return true; }
  void resume(http::Exchange& exchange, leat_resume callback, void* argument) const override;
  void deliver_without_request(uint32_t worker, const Completion& completion) const override;

 private:
  template <class Callback>
  int32_t call(http::Exchange& exchange, Callback&& callback, bool ending = false) const;
  [[nodiscard]] pipeline::Verdict judge(http::Exchange& exchange, int32_t verdict) const;
  [[nodiscard]] bool body_open(const RequestState* state) const;
  [[nodiscard]] bool body_comes(const RequestState* state) const;
  [[nodiscard]] bool goes_on(const RequestState* state) const;
  [[nodiscard]] bool passes(http::Exchange& exchange, pipeline::ParameterSet::Taken taken) const;
  [[nodiscard]] bool takes_piece(http::Exchange& exchange, std::string_view piece) const;
  // As its body comes.
  [[nodiscard]] bool reads_parts() const {
    return parameters_ != nullptr && parameters_->reads_parts() && streams_body();
  }
  const bool needs_session_;
  const leat_handler& handler_;  // the plugin's, which keeps it while it is loaded
  void* bound_;
  const std::unique_ptr<const pipeline::ParameterSet> parameters_;
  const std::unique_ptr<const pipeline::BodySchemas> schemas_;  // null where nothing is said
};

}  // namespace leat::plugin

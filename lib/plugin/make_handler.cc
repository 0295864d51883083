#include "plugin/make_handler.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/suggest.h"
#include "plugin/handler.h"
#include "plugin/load_time.h"
#include "plugin/pooled_handler.h"
#include "plugin/shared_resources.h"
#include "plugin/text.h"

namespace leat::plugin {
namespace {

// The plugin's handler of that name, or what is wrong with it for that executor.
std::expected<const leat_handler*, LoadError> choose_handler(const PluginInstance& instance,
                                                             std::string_view name, Executor executor) {
  const leat_handler* chosen = nullptr;
  for (const leat_handler& handler : instance.library().handlers())
    if (view(handler.name) == name) chosen = &handler;
  if (chosen == nullptr) {
    std::vector<std::string> names;
    for (const leat_handler& handler : instance.library().handlers()) names.emplace_back(view(handler.name));
    std::string all;
    for (const std::string& each : names) all += (all.empty() ? "" : ", ") + each;
    const std::string_view close = closest(name, names);
    std::string hint = all.empty() ? "it has none at all" : "it has " + all;
    if (!close.empty()) hint = fmt::format("did you mean `{}`?", close);
    return std::unexpected(
        LoadError{fmt::format("{} has no handler `{}`", instance.blame(), name), std::move(hint)});
  }
  constexpr uint32_t kBoth = LEAT_HANDLER_ANY_THREAD | LEAT_HANDLER_STREAM_BODY;
  if (executor == Executor::Worker || (chosen->flags & kBoth) == LEAT_HANDLER_ANY_THREAD) return chosen;
  return std::unexpected(
      LoadError{fmt::format("{}: handler `{}` cannot run on the pool", instance.blame(), name),
                (chosen->flags & LEAT_HANDLER_STREAM_BODY) != 0
                    ? "it takes its body in pieces, as its worker gets them"
                    : "it does not say that it can (LEAT_HANDLER_ANY_THREAD): it may be a coroutine, or "
                      "need what each worker has of its own"});
}

// Puts the pool before a handler.
std::unique_ptr<pipeline::Handler> on_pool(std::unique_ptr<PluginHandler> handler) {
  const LibraryOptions& options = handler->instance().library().options();
  ENSURE(options.shared != nullptr);
  auto refused = options.shared->metrics.declare(
      {.name = "leat_executor_refused_total",
       .help = "Requests answered 503 because too many were waiting for a thread of the pool already.",
       .labels = {{"route", std::string(handler->route_id())}},
       .limited = false},
      options.worker_count);
  return std::make_unique<PooledHandler>(std::move(handler), *options.shared,
                                         refused ? std::move(*refused) : nullptr);
}

// Tells those of the path where they stand in it; what is wrong, as a sentence.
std::string find_in_path(std::vector<pipeline::ParameterSpec>& parameters, const RouteInfo& route) {
  for (pipeline::ParameterSpec& each : parameters) {
    if (each.in != pipeline::In::Path) continue;
    const auto found = std::ranges::find(route.params, each.name);
    if (found == route.params.end()) return fmt::format("its path has no parameter {{{}}}", each.name);
    each.path_index = static_cast<uint32_t>(found - route.params.begin());
  }
  return {};
}

// What its requests are asked for; null for nothing.
std::expected<std::unique_ptr<const pipeline::ParameterSet>, std::string> make_set(
    std::vector<pipeline::ParameterSpec> parameters, const leat_handler& handler,
    const pipeline::FormLimits& limits) {
  if (parameters.empty()) return nullptr;
  auto set = pipeline::ParameterSet::make(std::move(parameters), limits);
  if (set && (*set)->needs_whole_body() && (handler.flags & LEAT_HANDLER_STREAM_BODY) != 0)
    return std::unexpected(
        "it takes its body in pieces, of which no form field and no member can be known before");
  return set;
}

// Of the many routes there may be most say nothing.
std::unique_ptr<const pipeline::BodySchemas> keep_said(pipeline::BodySchemas&& schemas) {
  if (schemas.body.empty() && schemas.answer.empty()) return nullptr;
  return std::make_unique<const pipeline::BodySchemas>(std::move(schemas));
}

}  // namespace

std::expected<std::unique_ptr<pipeline::Handler>, LoadError> make_handler(PluginInstance& instance,
                                                                          std::string_view name,
                                                                          const RouteInfo& route,
                                                                          Executor executor) {
  const auto chosen = choose_handler(instance, name, executor);
  if (!chosen) return std::unexpected(chosen.error());
  const leat_handler& handler = **chosen;
  const auto refuse = [&](std::string_view why) {
    return std::unexpected(LoadError{
        fmt::format("{}: handler `{}` cannot serve {}: {}", instance.blame(), name, route.pattern, why), ""});
  };
  std::vector<pipeline::ParameterSpec> parameters = route.parameters;
  if (const std::string mistake = find_in_path(parameters, route); !mistake.empty()) return refuse(mistake);
  void* bound = nullptr;
  pipeline::BodySchemas schemas;
  bool needs_session = false;
  if (handler.bind != nullptr) {
    const leat_route bound_route{route, &parameters, &schemas, &needs_session};
    leat_error error;
    const int32_t answer = guarded(error, [&] {
      return handler.bind(&instance.host(), instance.state(), &bound_route, &bound, &error);
    });
    if (answer != LEAT_OK || !error.failures.empty()) {
      if (answer == LEAT_OK && handler.unbind != nullptr) handler.unbind(instance.state(), bound);
      return refuse(error.text());
    }
  }
  auto set = make_set(std::move(parameters), handler, route.form_limits);
  if (!set) {
    if (handler.bind != nullptr && handler.unbind != nullptr) handler.unbind(instance.state(), bound);
    return refuse(set.error());
  }
  auto made = std::make_unique<PluginHandler>(instance, handler, route, bound, *std::move(set),
                                              keep_said(std::move(schemas)), needs_session);
  if (executor == Executor::Pool) return on_pool(std::move(made));
  return made;
}

}  // namespace leat::plugin

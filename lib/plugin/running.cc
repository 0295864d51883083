#include "plugin/running.h"

#include "pipeline/site.h"
#include "plugin/call.h"

namespace leat::plugin {

std::optional<Running> running_now() {
  const Call call = current_call;
  if (call.handler == nullptr) return std::nullopt;
  const PluginInstance& instance = call.handler->instance();
  const PluginLibrary& library = instance.library();
  const std::string_view path = call.exchange != nullptr ? call.exchange->request.path() : "";
  const pipeline::Route* route = call.exchange != nullptr ? call.exchange->route : nullptr;
  const std::string_view route_id = route != nullptr ? route->id : call.handler->route_id();
  return Running{instance.name(), library.version(), library.content(), library.build_id(), route_id, path};
}

}  // namespace leat::plugin

#include "plugin/running.h"

#include "plugin/call.h"

namespace leat::plugin {

std::optional<Running> running_now() {
  const Call call = current_call;
  if (call.handler == nullptr) return std::nullopt;
  const PluginInstance& instance = call.handler->instance();
  const PluginLibrary& library = instance.library();
  const std::string_view path = call.exchange != nullptr ? call.exchange->request.path() : "";
  return Running{instance.name(),    library.version(),        library.content(),
                 library.build_id(), call.handler->route().id, path};
}

}  // namespace leat::plugin

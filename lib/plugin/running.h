// Running: which plugin code a thread is in, for whoever must name it when that code does not come back.
//
// running_now() reads what the host keeps for each callback anyway. For other threads a callback's title is
// published: one store at its begin and one at its end, and no clock. Titles live in the
// SharedResources, which last longer than any plugin and any thread that may read them.
#pragma once

#include <optional>
#include <string_view>

namespace leat::plugin {

// Views of what the host owns: good as long as the callback runs.
struct Running {
  std::string_view plugin;  // the instance's name
  std::string_view version;
  std::string_view content;  // PluginLibrary::content()
  std::string_view build;    // PluginLibrary::build_id()
  std::string_view route;
  std::string_view path;  // of the request, as the client wrote it, without its query; empty for none
};

// The callback for a request that this thread is in. Async-signal-safe.
std::optional<Running> running_now();

}  // namespace leat::plugin

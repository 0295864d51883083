// The host table: what a plugin sees of the daemon, and what the host knows behind it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/sdk/plugin.h"

namespace leat::plugin {

class PluginInstance;
class PluginLibrary;
struct SharedResources;

struct LibraryOptions {
  std::vector<std::string> directories;  // searched in order for a file named without a '/'
  std::string daemon_version;
  uint32_t worker_count = 1;
  SharedResources* shared = nullptr;  // of all plugins; without it their extensions refuse
};

struct Host : leat_host {
  Host(std::string_view plugin, const LibraryOptions& options, PluginInstance* owner);
  std::string blame;                 // "plugin demo"
  PluginInstance* instance;          // null while the object itself is loaded
  PluginLibrary* loading = nullptr;  // while its load() runs
  const SharedResources* shared;
};

}  // namespace leat::plugin

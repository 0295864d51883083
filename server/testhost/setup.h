// From a plugin and a Setup to what a daemon would serve: the same reader, loader and messages.
#pragma once

#include <string>
#include <variant>

#include "config/config.h"
#include "plugin/sdk/plugin.h"
#include "server/assemble.h"
#include "server/testhost/leat/testhost.hpp"

namespace leat::testing {

struct Loaded {
  config::Config config;
  server::Assembly assembly;
};

// A path, or an entry in this program.
using PluginSource = std::variant<std::string, const leat_plugin_entry*>;

// Throws an Error with all that is wrong.
Loaded load(const PluginSource& plugin, const Setup& setup);

// What the plugins of all hosts count.
std::string metrics_text();

}  // namespace leat::testing

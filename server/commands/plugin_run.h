// `leat plugin run FILE.so`: serves a plugin at once, and again whenever its file changes or it has crashed.
#pragma once

#include <expected>

#include "server/commands/command_line.h"

namespace leat::server {

// Fills in what `leat run` needs for the plugin in `command.plugin_file`: a configuration, where plugins are
// found, and what to watch. The configuration is the one given with -c, or NAME.toml in this folder, beside
// the plugin or one folder above it; where there is none, one is made in which each handler has a route of
// its name. The exit code after a complaint was printed.
// No code of the plugin runs in this process.
std::expected<void, int> prepare_plugin_run(Command& command);

}  // namespace leat::server

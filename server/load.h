// Loading: what a configuration comes to. Its files are read, its plugins loaded, its routes compiled; nothing serves yet.
//
// A daemon that starts begins here, each reload does, and every command that looks at a configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "config/config.h"
#include "config/file.h"
#include "plugin/library.h"
#include "server/assemble.h"
#include "server/commands/command_line.h"
#include "server/process/hang_watch.h"

namespace leat::server {

// What the configuration declares, for `leat config`: it is used up when it is assembled.
struct Declared {
  std::string text, json;
};

struct Loaded {
  config::Settings settings;
  uint32_t workers = 1;
  Assembly assembly;
  std::vector<std::string> waiting;  // settings that have changed and wait for a start
  Declared declared;
  config::Secrets secrets;
};

// What a daemon keeps that serves already, or is started again.
struct KeptSettings {
  const config::Settings* settings;
  uint32_t workers;
};

struct LoadOptions {
  const KeptSettings* kept = nullptr;             // null for all that the file says
  std::span<const std::string> quarantined = {};  // names of plugins not to load
  HangWatch* hangs = nullptr;                     // learns how long it may take; null where nobody waits
  config::Files* files = nullptr;                 // gets what the files say; may be null
  tls::KeptTicketKeys* tickets = nullptr;         // outlive this process; null where nobody comes after it
};

// Nothing where anything is wrong. What is wrong, or remarkable, goes to `report`, for people.
std::optional<Loaded> load(const Command& command, plugin::PluginLibraries& libraries, bool color,
                           std::string& report, const LoadOptions& options);
// The same with a report on stderr.
std::optional<Loaded> load_at_start(const Command& command, plugin::PluginLibraries& libraries,
                                    const LoadOptions& options);

// The configuration's path, by which its daemon is known.
std::string absolute_file(const Command& command);
// How many threads do the work that blocks.
ThreadPool::Limits pool_limits(const config::Settings& settings);

}  // namespace leat::server

// The command line as data: what to do, and with what.
#pragma once

#include <expected>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "leat_version.h"
#include "plugin/sdk/plugin.h"
#include "server/commands/command_tree.h"
#include "server/commands/explain.h"
#include "server/commands/format_files.h"
#include "server/commands/init.h"
#include "server/commands/migrate.h"
#include "server/commands/new_certificates.h"
#include "server/commands/plugin_new.h"
#include "server/process/upgrade.h"

namespace leat::server {

struct Command {
  enum class Kind : uint8_t {
    Run,
    Check,
    Routes,
    Explain,
    OpenApi,
    Reload,
    Upgrade,
    Metrics,
    Status,
    Top,
    ShowConfig,
    Purge,
    CacheStatistics,
    PluginList,
    PluginRun,
    PluginCheck,
    PluginNew,
    KeyNew,
    KeyHash,
    ShowTls,
    TlsInit,
    Version,
    ExplainError,
    Settings,
    Schema,
    Format,
    Init,
    Migrate,
    Completion,
    Manual
  } kind = Kind::Run;
  std::string file = LEAT_CONFIGURATION;  // of plugin run and schema empty where none was given
  std::string folder;                     // where the process began
  config::Overrides overrides;
  std::vector<std::string> plugin_path;  // searched before the configured folders
  std::string plugin_file;               // of plugin run and plugin check
  std::vector<std::string> watched;      // reload when one of these files changes
  std::string socket;                    // of the daemon's admin commands; empty: as the configuration says
  bool supervise = true;                 // as far as the configuration says so too
  bool json = false;
  bool markdown = false;
  bool schema = false;
  bool once = false;     // top: one look, and the end
  Question question;     // of explain
  bool running = false;  // explain: the daemon is asked
  std::string host;      // openapi: of which one; empty: the one for all other names
  std::string purge;     // the admin command's arguments
  std::string code;
  std::string shell;          // of completion
  std::string page = "leat";  // of manual
  NewPlugin new_plugin;
  FilesToFormat format;
  Migration migration;
  NewSite new_site;
  NewCertificates new_certificates;
  std::string key_name;  // of key new and key hash: whose key it is
  // Of this process, which main() knows:
  Invocation invocation;
  std::span<const leat_plugin_entry* const> compiled_in;  // plugins (static_plugins.h)
};

// The command, or the exit code after help or a complaint was printed.
std::expected<Command, int> parse_command_line(int count, char** arguments);

// All that it can be.
CommandTree command_tree();

}  // namespace leat::server

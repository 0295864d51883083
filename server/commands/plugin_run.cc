#include "server/commands/plugin_run.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <optional>
#include <string>

#include "base/memory_file.h"
#include "leat_version.h"
#include "plugin/checker.h"
#include "server/commands/handler_routes.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

namespace fs = std::filesystem;

std::optional<fs::path> find_configuration(const fs::path& plugin) {
  const std::string name = plugin.stem().string() + ".toml";
  for (const fs::path& folder : {fs::path("."), plugin.parent_path(), plugin.parent_path() / ".."}) {
    std::error_code ignored;
    if (fs::is_regular_file(folder / name, ignored)) return (folder / name).lexically_normal();
  }
  return std::nullopt;
}

// A configuration with a route for each handler, in a memory file that lives as long as the process. What the
// plugin has is asked in another one: this one has to outlive its crashes.
std::expected<std::string, std::string> make_configuration(const fs::path& plugin) {
  const plugin::Trial trial = plugin::try_to_load(plugin, {.daemon_version = LEAT_VERSION}, plugin::kTrialMs);
  if (!trial.findings.empty()) {
    const plugin::Finding& first = trial.findings.front();
    return std::unexpected(first.found + (first.fix.empty() ? "" : "\n  " + first.fix));
  }
  std::string text = fmt::format("[[plugin]]\nname = \"plugin\"\nfile = {}\n", toml_text(plugin.string()));
  text += handler_routes(trial.handlers, "plugin");
  for (const std::string& handler : trial.handlers) std::printf("  /%s\n", handler.c_str());
  std::fflush(stdout);
  auto file = memory_file("leat-plugin-run.toml", text);
  if (!file)
    return std::unexpected(fmt::format("cannot keep a configuration in memory: {}", file.error().text()));
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file->release());
}

}  // namespace

std::expected<void, int> prepare_plugin_run(Command& command) {
  std::error_code failed;
  const fs::path plugin = fs::canonical(command.plugin_file, failed);
  if (failed) {
    std::fprintf(stderr, "leat: cannot open %s: %s\n", command.plugin_file.c_str(), failed.message().c_str());
    return std::unexpected(kExitFailure);
  }
  command.plugin_path.insert(command.plugin_path.begin(), plugin.parent_path().string());
  command.watched = {plugin.string()};
  if (command.file.empty()) {
    if (const auto found = find_configuration(plugin)) {
      command.file = found->string();
      std::printf("serving %s as %s says\n", plugin.filename().c_str(), command.file.c_str());
      std::fflush(stdout);
    }
  }
  if (!command.file.empty()) {
    command.watched.push_back((fs::path(command.folder) / command.file).string());
    return {};
  }
  std::printf("serving %s; there is no %s.toml, so each handler has a route of its name:\n",
              plugin.filename().c_str(), plugin.stem().c_str());
  auto made = make_configuration(plugin);
  if (!made) {
    std::fprintf(stderr, "leat: %s\n", made.error().c_str());
    return std::unexpected(kExitFailure);
  }
  command.file = std::move(*made);
  return {};
}

}  // namespace leat::server

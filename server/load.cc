#include "server/load.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <utility>

#include "config/diagnostics.h"
#include "config/in_force.h"
#include "config/tls.h"
#include "plugin/shared_resources.h"
#include "server/commands/check_surroundings.h"
#include "server/process/admin_socket.h"
#include "server/process/cpus.h"
#include "server/process/crash_report.h"
#include "server/running_settings.h"

namespace leat::server {

namespace {

constexpr const char* kDoesNotLoad = "did not start serving within server.load_timeout";

// The folders that are looked in before those of the configuration: the ones named on the command line and, for a
// daemon that still lies in its build tree, that tree's plugins.
std::vector<std::string> plugin_folders(const Command& command) {
  std::vector<std::string> folders = command.plugin_path;
  std::error_code unreadable;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const auto built = self.parent_path().parent_path() / "lib" / "plugin" / "demo";
  if (std::filesystem::is_directory(built, unreadable)) folders.push_back(built.string());
  return folders;
}

}  // namespace

std::string absolute_file(const Command& command) {
  return (std::filesystem::path(command.folder) / command.file).lexically_normal().string();
}

// Work that blocks mostly waits: with one thread a CPU, the CPUs would.
ThreadPool::Limits pool_limits(const config::Settings& settings) {
  constexpr uint32_t kThreadsPerCpu = 4;
  constexpr uint32_t kMostByItself = 64;
  ThreadPool::Limits limits = settings.shared.pool;
  if (limits.threads == 0) limits.threads = std::min(granted_cpus() * kThreadsPerCpu, kMostByItself);
  limits.on_start = [] { give_crash_stack(); };
  return limits;
}

std::optional<Loaded> load(const Command& command, plugin::PluginLibraries& libraries, bool color,
                           std::string& report, const LoadOptions& options) {
  // What is wrong with plugins, routes and middleware is told together with what is wrong in the files; but a
  // daemon that serves loads no plugin for that.
  config::Config draft;
  auto [config, diagnostics] = config::load(command.file, command.overrides, options.files,
                                            options.kept == nullptr ? &draft : nullptr);
  const bool only_draft = !config && !draft.files.empty();
  if (only_draft) config.emplace(std::move(draft));
  std::optional<Loaded> loaded;
  if (config) {
    make_absolute(*config, command.folder);
    if (command.kind == Command::Kind::Check && !only_draft)
      check_surroundings(*config, admin_sockets_to_try(config->settings.admin_socket, absolute_file(command)),
                         diagnostics);
    if (options.hangs != nullptr) options.hangs->expect(config->settings.load_timeout_ms, kDoesNotLoad);
    config::Settings& settings = config->settings;
    std::vector<std::string> waiting;
    if (options.kept != nullptr) waiting = keep_fixed(settings, *options.kept->settings);
    const uint32_t workers = options.kept != nullptr ? options.kept->workers : worker_count(settings);
    libraries.shared().metrics.set_limit(settings.shared.metric_series);
    Declared declared{config::declared_in_force(*config, false), config::declared_in_force(*config, true)};
    libraries.shared().cache.configure(settings.shared.cache, workers + pool_limits(settings).threads);
    // What is read from here on belongs to the configuration: certificates, and what middleware names.
    const config::FilesScope reading(options.files);
    config::load_certificates(*config, options.kept != nullptr ? options.kept->settings : nullptr,
                              options.files != nullptr && options.files->filled(), diagnostics,
                              options.tickets);
    // A daemon that serves loads no plugin to find more mistakes.
    const bool goes_on = options.kept == nullptr || !config::any_error(diagnostics);
    if (auto assembly = goes_on ? assemble(*config, libraries, plugin_folders(command), workers, diagnostics,
                                           options.quarantined)
                                : std::optional<Assembly>())
      loaded.emplace(std::move(settings), workers, std::move(*assembly), std::move(waiting),
                     std::move(declared), std::move(config->secrets));
  }
  report += config::render(diagnostics, color);
  return loaded;
}

std::optional<Loaded> load_at_start(const Command& command, plugin::PluginLibraries& libraries,
                                    const LoadOptions& options) {
  std::string report;
  auto loaded = load(command, libraries, ::isatty(STDERR_FILENO) != 0, report, options);
  std::fwrite(report.data(), 1, report.size(), stderr);
  return loaded;
}

}  // namespace leat::server

// leat: the daemon and its commands.
//
// The parts list: a command line gives a configuration, that an assembly (plugins and site), that a pipeline,
// and that a daemon with its workers. Each is made here, in this order, and nowhere else.
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <string>

#include "base/log.h"
#include "config/codes.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "config/reference.h"
#include "leat_version.h"
#include "pipeline/pipeline.h"
#include "server/assemble.h"
#include "server/command_line.h"
#include "server/cpus.h"
#include "server/daemon.h"
#include "server/exit_code.h"

namespace leat::server {

namespace {

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

uint32_t worker_count(const config::Settings& settings) {
  if (settings.workers != 0) return settings.workers;
  const auto cpus = static_cast<uint32_t>(usable_cpus().size());
  const uint32_t granted = cgroup_cpu_limit();
  return granted != 0 && granted < cpus ? granted : cpus;
}

DaemonOptions daemon_options(const config::Settings& settings, uint32_t workers) {
  DaemonOptions options;
  options.workers = workers;
  options.pin = settings.pin_workers;
  for (const config::Listen& listen : settings.listen) options.listen.push_back(listen.address);
  options.sockets.backlog = static_cast<int>(settings.backlog);
  options.sockets.defer_accept = settings.defer_accept;
  options.sockets.unix_mode = settings.unix_mode;
  options.sockets.reuse_port = workers > 1;
  WorkerOptions& worker = options.worker;
  worker.engine = settings.engine;
  worker.ring.buffers.count = settings.receive_buffers;
  worker.ring.buffers.size = settings.receive_buffer_size;
  worker.limits = settings.limits;
  worker.connections.most = settings.max_connections;
  worker.connections.send_timeout_ms = settings.limits.send_timeout_ms;
  worker.connections.linger_timeout_ms = settings.limits.linger_timeout_ms;
  worker.connections.doze_after_ms = settings.doze_after;
  worker.exchanges = settings.max_requests;
  worker.blocks = settings.memory / Block::kSize;
  worker.drain_timeout_ms = settings.drain_timeout;
  worker.server_name = settings.server_name;
  worker.known_heads = settings.known_heads;
  return options;
}

// The folders named on the command line and, for a daemon that still lies in its build tree, that tree's
// plugins.
std::vector<std::string> plugin_folders(const Command& command) {
  std::vector<std::string> folders = command.plugin_path;
  std::error_code unreadable;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", unreadable);
  const auto built = self.parent_path().parent_path() / "lib" / "plugin" / "demo";
  if (std::filesystem::is_directory(built, unreadable)) folders.push_back(built.string());
  return folders;
}

// What run, check and routes begin with. The assembly, or the exit code after all that is wrong was printed.
struct Loaded {
  config::Settings settings;
  uint32_t workers = 1;
  Assembly assembly;
};

std::expected<Loaded, int> load(const Command& command) {
  auto [config, diagnostics] = config::load(command.file, command.overrides);
  std::optional<Loaded> loaded;
  if (config) {
    const uint32_t workers = worker_count(config->settings);
    if (auto assembly = assemble(*config, plugin_folders(command), workers, diagnostics))
      loaded.emplace(std::move(config->settings), workers, std::move(*assembly));
  }
  const std::string text = config::render(diagnostics, ::isatty(STDERR_FILENO) != 0);
  std::fwrite(text.data(), 1, text.size(), stderr);
  if (!loaded) return std::unexpected(kExitConfiguration);
  return std::move(*loaded);
}

int run(const Command& command) {
  // Before any thread exists: plugins may start some, and all must inherit the mask.
  block_signals();
  auto loaded = load(command);
  if (!loaded) return loaded.error();
  if (const auto opened = log::open(loaded->settings.log); !opened) {
    std::fprintf(stderr, "leat: cannot open the log file: %s\n", opened.error().c_str());
    return kExitFailure;
  }
  log::info("leat {} with {} worker{} and {} route{}", LEAT_VERSION, loaded->workers,
            loaded->workers == 1 ? "" : "s", loaded->assembly.site->routes().size(),
            loaded->assembly.site->routes().size() == 1 ? "" : "s");
  pipeline::Pipeline pipeline(*loaded->assembly.site);
  DaemonOptions options = daemon_options(loaded->settings, loaded->workers);
  const auto& plugins = loaded->assembly.plugins;
  options.hooks.start = [&plugins](uint32_t worker) {
    for (const auto& plugin : plugins) {
      if (const auto ready = plugin->worker_init(worker); !ready) {
        log::error("{}: {}", plugin->blame(), ready.error().message);
        return false;
      }
    }
    return true;
  };
  options.hooks.stop = [&plugins](uint32_t worker) {
    for (const auto& plugin : plugins) plugin->worker_fini(worker);
  };
  const int code = run_daemon(options, pipeline);
  log::close();
  return code;
}

int check(const Command& command) {
  const auto loaded = load(command);
  if (!loaded) return loaded.error();
  print(command.file + ": " + std::to_string(loaded->assembly.site->routes().size()) + " routes, " +
        std::to_string(loaded->assembly.plugins.size()) + " plugins, no errors\n");
  return kExitFine;
}

int routes(const Command& command) {
  const auto loaded = load(command);
  if (!loaded) return loaded.error();
  const pipeline::Site& site = *loaded->assembly.site;
  print(command.json ? pipeline::describe_json(site) + "\n" : pipeline::describe_text(site));
  return kExitFine;
}

int version(const Command& command) {
  const std::string abi = std::to_string(LEAT_ABI_MAJOR) + "." + std::to_string(LEAT_ABI_MINOR);
  print(command.json ? "{\"version\":\"" LEAT_VERSION "\",\"plugin_abi\":\"" + abi +
                           "\",\"allocator\":\"" LEAT_ALLOCATOR "\"}\n"
                     : "leat " LEAT_VERSION "\nplugin ABI " + abi +
                           "\nallocator " LEAT_ALLOCATOR "\nplugins in " LEAT_PLUGIN_DIR "\n");
  return kExitFine;
}

int explain_error(const Command& command) {
  std::string_view digits = command.code;
  if (digits.starts_with("LT")) digits.remove_prefix(2);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const config::Explanation* found =
      error == std::errc{} && end == digits.data() + digits.size() ? config::explain(number) : nullptr;
  if (found == nullptr) {
    std::fprintf(stderr, "leat: there is no error `%s`\n", command.code.c_str());
    return kExitFailure;
  }
  print(config::code_text(found->code) + ": " + std::string(found->title) + "\n\n" +
        std::string(found->text) + "\n");
  return kExitFine;
}

int execute(const Command& command) {
  switch (command.kind) {
    case Command::Kind::Run:
      return run(command);
    case Command::Kind::Check:
      return check(command);
    case Command::Kind::Routes:
      return routes(command);
    case Command::Kind::Version:
      return version(command);
    case Command::Kind::ExplainError:
      return explain_error(command);
    case Command::Kind::Settings:
      print(command.markdown ? config::reference_markdown() : config::reference_text());
      return kExitFine;
  }
  return kExitUsage;
}

}  // namespace

}  // namespace leat::server

int main(int count, char** arguments) {
  const auto command = leat::server::parse_command_line(count, arguments);
  return command ? leat::server::execute(*command) : command.error();
}

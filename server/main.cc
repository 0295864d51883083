// leat: the daemon and its commands.
//
// The parts list: a command line gives a configuration, that an assembly (plugins and site), that a pipeline,
// and that a daemon with its workers. Each is made here, in this order, and nowhere else.
#include <fcntl.h>
#include <fmt/core.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

#include "base/allocator.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/shared/plugin_text.hpp"
#include "config/codes.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/json_schema.h"
#include "config/reference.h"
#include "json/backend.h"
#include "leat_version.h"
#include "plugin/shared_resources.h"
#include "server/assemble.h"
#include "server/commands/check_surroundings.h"
#include "server/commands/command_line.h"
#include "server/commands/plugin_check.h"
#include "server/commands/plugin_new.h"
#include "server/commands/plugin_run.h"
#include "server/own_metrics.h"
#include "server/process/admin_socket.h"
#include "server/process/control.h"
#include "server/process/cpus.h"
#include "server/process/crash_report.h"
#include "server/process/daemon.h"
#include "server/process/exit_code.h"
#include "server/process/hang_watch.h"
#include "server/process/last_good.h"
#include "server/process/last_words.h"
#include "server/process/supervisor.h"
#include "server/process/upgrade.h"
#include "server/static_plugins.h"
#include "worker/address_counts.h"

namespace leat::server {

namespace {

// A process that was started with one of these closed would give its number to a socket, and then log into
// it.
void fill_standard_descriptors() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      (void)::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);  // gets the smallest free number
}

// Where no other process reads them.
LastWords* own_words() {
  static LastWords words;
  return &words;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

uint32_t granted_cpus() {
  const auto cpus = static_cast<uint32_t>(usable_cpus().size());
  const uint32_t granted = cgroup_cpu_limit();
  return granted != 0 && granted < cpus ? granted : cpus;
}

uint32_t worker_count(const config::Settings& settings) {
  return settings.workers != 0 ? settings.workers : granted_cpus();
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

// One client must leave room for others, and the only one there is, such as a proxy, must find enough.
//
// By its hash an address may have more of its connections with one worker: where the last quarter of a
// worker's places begins, half of them has to do.
uint64_t most_per_address(const config::Settings& settings, uint32_t workers) {
  if (settings.max_per_address != 0) return settings.max_per_address;
  return (uint64_t{settings.worker.connections.most} * workers * 3 + 3) / 4;
}

// What connections have of the socket that they came by; its name has the port that the kernel chose.
std::vector<worker::ListenerOptions> listener_options(const config::Settings& settings,
                                                      const ListeningSockets& sockets) {
  std::vector<worker::ListenerOptions> listeners;
  for (const config::ListeningSocket& each : config::listening_sockets(settings))
    listeners.push_back(each.connections);
  ENSURE(listeners.size() == sockets.addresses().size());
  for (size_t i = 0; i < listeners.size(); ++i) listeners[i].name = sockets.addresses()[i];
  return listeners;
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

// The configuration's path, by which its daemon is known.
std::string absolute_file(const Command& command) {
  return (std::filesystem::path(command.folder) / command.file).lexically_normal().string();
}

constexpr const char* kDoesNotLoad = "did not start serving within server.load_timeout";

// What run, check, routes and every reload begin with. What is wrong, or remarkable, goes to `report`, for
// people. `running` are the settings that a daemon keeps which serves, or is started again; null for what the
// file says.
struct Loaded {
  config::Settings settings;
  uint32_t workers = 1;
  Assembly assembly;
  config::Secrets secrets;
};

// `hangs` learns how long it may take; null where nobody waits.
std::optional<Loaded> load(const Command& command, plugin::PluginLibraries& libraries, bool color,
                           std::string& report, const config::Settings* running = nullptr,
                           std::span<const std::string> quarantined = {}, HangWatch* hangs = nullptr,
                           config::Files* files = nullptr) {
  // What is wrong with plugins, routes and middleware is told together with what is wrong in the files; but a
  // daemon that serves loads no plugin for that.
  config::Config draft;
  auto [config, diagnostics] =
      config::load(command.file, command.overrides, files, running == nullptr ? &draft : nullptr);
  const bool only_draft = !config && !draft.files.empty();
  if (only_draft) config.emplace(std::move(draft));
  std::optional<Loaded> loaded;
  if (config) {
    make_absolute(*config, command.folder);
    if (command.kind == Command::Kind::Check && !only_draft)
      check_surroundings(*config, admin_sockets_to_try(config->settings.admin_socket, absolute_file(command)),
                         diagnostics);
    if (hangs != nullptr) hangs->expect(config->settings.load_timeout_ms, kDoesNotLoad);
    const config::Settings& kept = running != nullptr ? *running : config->settings;
    const uint32_t workers = worker_count(kept);
    const uint32_t threads = pool_limits(kept).threads;
    libraries.shared().metrics.set_limit(kept.shared.metric_series);
    libraries.shared().cache.configure(kept.shared.cache, workers + threads);
    if (auto assembly =
            assemble(*config, libraries, plugin_folders(command), workers, diagnostics, quarantined))
      loaded.emplace(std::move(config->settings), workers, std::move(*assembly), std::move(config->secrets));
  }
  report += config::render(diagnostics, color);
  return loaded;
}

std::optional<Loaded> load_at_start(const Command& command, plugin::PluginLibraries& libraries,
                                    HangWatch& hangs, const config::Settings* kept = nullptr,
                                    std::span<const std::string> quarantined = {},
                                    config::Files* files = nullptr) {
  std::string report;
  auto loaded =
      load(command, libraries, ::isatty(STDERR_FILENO) != 0, report, kept, quarantined, &hangs, files);
  std::fwrite(report.data(), 1, report.size(), stderr);
  return loaded;
}

std::string own_path() {
  std::error_code unreadable;
  return std::filesystem::read_symlink("/proc/self/exe", unreadable).string();
}

// What serves, or is about to: who named it, and what its files said.
struct Source {
  std::string file;
  config::Files files;
};

// Whether the files of the configuration say what they said then.
bool says_the_same(const Source& source, const config::Overrides& overrides) {
  config::Files now;
  (void)config::load(source.file, overrides, &now);
  return now.text() == source.files.text();
}

// For another process to start and tell of it, beside loading.
constexpr uint32_t kUpgradeMoreMs = 10'000;

Control::Options control_options(const Command& command, const config::Settings& running,
                                 plugin::PluginLibraries& libraries, OwnMetrics& own, LifeSigns* signs,
                                 LastGood& last_good, Source source) {
  Control::Options options;
  // A checker ends itself in time and says at which plugin it was.
  constexpr uint32_t kMoreMs = 5'000;
  options.socket = admin_socket_to_open(running.admin_socket, absolute_file(command));
  options.checker = {own_path(), "check", "-c", command.file};
  options.folder = command.folder;
  options.checker_timeout_ms = running.load_timeout_ms + kMoreMs;
  for (const std::string& folder : command.plugin_path)
    options.checker.insert(options.checker.end(), {"--plugin-path", folder});
  Command again = command;
  again.file = (std::filesystem::path(command.folder) / command.file).string();
  for (std::string& folder : again.plugin_path)
    folder = (std::filesystem::path(command.folder) / folder).string();
  const auto served = std::make_shared<Source>(std::move(source));
  options.last_good = [served, &libraries, &last_good] {
    if (const auto kept = last_good.keep(served->file, served->files, libraries.copies()); !kept)
      log::warn("what is served now cannot be kept: after a crash the files are read again: {}",
                kept.error().text());
    // What another process may need is kept outside of this one.
    served->files = {};
    give_memory_back();
  };
  options.load = [command = std::move(again), served, &running,
                  &libraries](std::string& remarks) -> std::expected<Assembly, std::string> {
    std::string report;
    *served = {command.file, {}};
    libraries.begin();
    auto loaded = load(command, libraries, false, report, &running, {}, nullptr, &served->files);
    if (!loaded) return std::unexpected(std::move(report));
    remarks += report;
    for (const std::string& path : config::changed_settings(running, loaded->settings))
      remarks +=
          fmt::format("`{}` has changed: it takes effect at the next start, or with `leat upgrade`\n", path);
    note_loaded_objects();
    return std::move(loaded->assembly);
  };
  options.metrics = [&libraries] { return libraries.shared().metrics.text(); };
  options.purge = [&libraries](cache::PurgeBy by, std::string_view what, bool hard) {
    return libraries.shared().responses.purge(by, what, hard, monotonic_ms());
  };
  options.replaced = [&own, &libraries, signs](uint64_t generation) {
    // What other code or settings would answer is not known: all is made anew while it is still served.
    libraries.shared().responses.purge(cache::PurgeBy::All, {}, false, monotonic_ms());
    own.set_generation(generation);
    if (signs != nullptr) signs->pardoned = true;
  };
  options.tended = [&libraries] {
    for (auto& each : libraries.take_unused()) {
      const std::string name = each->name();
      const LoadingScope scope(name);  // its unload() is the plugin's own code
      each.reset();
    }
  };
  options.plugin_remarks = [&libraries] {
    const uint64_t idle = libraries.shared().idle_objects;
    return idle == 0
               ? std::string()
               : fmt::format("{} plugin object{} of earlier builds stay{} mapped until the daemon ends\n",
                             idle, idle == 1 ? "" : "s", idle == 1 ? "s" : "");
  };
  options.watched = command.watched;
  options.upgrade_timeout_ms = running.load_timeout_ms + 2 * kUpgradeMoreMs;
  if (signs == nullptr) {
    options.upgrade = []() -> std::expected<void, std::string> {
      return std::unexpected("it takes a supervisor: server.supervise = true, and no --no-supervise");
    };
    return options;
  }
  const auto failed_before = std::make_shared<uint32_t>(0);
  options.upgrade = [signs, failed_before]() -> std::expected<void, std::string> {
    *failed_before = signs->failed_upgrades;
    if (::kill(::getppid(), SIGUSR2) == 0) return {};
    return std::unexpected(fmt::format("the supervisor cannot be told: {}", std::strerror(errno)));
  };
  options.upgrade_failed = [signs, failed_before] { return signs->failed_upgrades != *failed_before; };
  return options;
}

// Loads everything and serves. `settings` and `sockets` are those of the supervisor, which a restart must not
// change; null in one process.
int serve(const Command& command, const config::Settings* settings, ListeningSockets& sockets,
          InheritedSockets& inherited, UpgradeChannel& former, const ServingStart& start,
          plugin::PluginLibraries& libraries, std::optional<HangWatch>& hangs, LastGood& last_good) {
  report_crashes(start.signs != nullptr ? &start.signs->words : own_words());
  libraries.shared().title_made = note_title;
  if (!hangs)
    hangs.emplace([signs = start.signs] {
      if (signs != nullptr) signs->ended = true;
    });
  Source source{command.file, {}};
  auto kept = last_good.take();  // always: this process is the one to keep what follows it
  // Whoever watches the files wants what they say now; what served last is for when that does not start.
  const bool files_first = !command.watched.empty();
  if (start.last_good == files_first) kept.reset();
  libraries.begin(kept ? std::move(kept->plugins) : std::vector<plugin::PluginLibraries::Copy>());
  if (kept) source = {std::move(kept->file), std::move(kept->files)};
  Command own_command = command;
  own_command.file = source.file;
  auto loaded = load_at_start(own_command, libraries, *hangs, settings, start.quarantined, &source.files);
  if (!loaded) return kExitConfiguration;
  if (settings != nullptr) loaded->settings = *settings;
  if (const auto opened = log::open(loaded->settings.log); !opened) {
    std::fprintf(stderr, "leat: cannot open the log file: %s\n", opened.error().c_str());
    return kExitFailure;
  }
  note_loaded_objects();
  give_memory_back();
  const size_t routes = loaded->assembly.site->routes().size();
  log::info("leat {} with {} worker{} and {} route{}", LEAT_VERSION, loaded->workers,
            loaded->workers == 1 ? "" : "s", routes, routes == 1 ? "" : "s");
  if (!start.former_end.empty()) log::error("{}", start.former_end);
  if (kept && (libraries.copies_differ() || !says_the_same(source, command.overrides)))
    log::warn(
        "this is the configuration that served last: later changes to the files take effect with a reload");
  for (const std::string& name : start.quarantined)
    log::error("plugin {} is quarantined, its routes answer 503: it has crashed too often", name);
  json::set_default_backend(loaded->settings.json_backend);
  libraries.shared().pool.set_limits(pool_limits(loaded->settings));
  libraries.shared().client_wait_ms = loaded->settings.shared.client_wait_ms;
  DaemonOptions options{.workers = loaded->workers,
                        .pin = loaded->settings.pin_workers,
                        .worker = loaded->settings.worker,
                        .hooks = {}};
  OwnMetrics own(libraries.shared(), loaded->workers);
  options.worker.connections.opened = &own.connections_opened();
  options.worker.connections.closed = &own.connections_closed();
  options.worker.connections.given_up = &own.connections_given_up();
  options.worker.connections.turned_away = &own.connections_turned_away();
  const uint64_t per_address = most_per_address(loaded->settings, loaded->workers);
  worker::AddressCounts addresses(
      per_address, loaded->settings.max_per_address != 0 ? per_address : (per_address + 1) / 2);
  options.worker.connections.addresses = &addresses;
  options.worker.memory_watch = &own;
  Generations generations(std::move(loaded->assembly), loaded->workers,
                          {.drain_timeout_ms = loaded->settings.worker.drain_timeout_ms,
                           .handover_timeout_ms = loaded->settings.handover_timeout_ms},
                          &own.requests());
  Control::Options controls =
      control_options(command, loaded->settings, libraries, own, start.signs, last_good, std::move(source));
  controls.takes_over = former.is_there();
  controls.serves = [&former] { former.tell_that_it_serves(); };
  Control control(std::move(controls), generations);
  int code = kExitFailure;
  if (const auto opened = control.open(); !opened) {
    log::error("cannot listen for admin commands on {}: {}", control.socket(), opened.error().text());
  } else if (settings != nullptr ||
             sockets.open(config::listening_sockets(loaded->settings), loaded->workers, inherited)) {
    options.worker.connections.listeners = listener_options(loaded->settings, sockets);
    options.hooks.thread = [](uint32_t worker) { give_crash_stack(static_cast<int>(worker)); };
    options.hooks.start = [&generations](uint32_t worker) { return generations.start_worker(worker); };
    options.hooks.stop = [&generations](uint32_t worker) { generations.stop_worker(worker); };
    options.serving = start.signs != nullptr ? &start.signs->serving : nullptr;
    options.replaced = start.signs != nullptr ? &start.signs->replaced : nullptr;
    if (former.is_there()) options.takes_over_as = start.signs != nullptr ? ::getppid() : ::getpid();
    options.hangs = &*hangs;
    code = run_daemon(options, sockets, generations.services(), control);
  }
  log::close();
  return code;
}

int run(const Command& command) {
  std::optional<HangWatch> hangs;  // outlives the plugins
  plugin::PluginLibraries libraries(static_plugins());
  // Before any thread exists: plugins may start some, and all must inherit the mask.
  block_signals();
  InheritedSockets inherited = InheritedSockets::from_environment();
  UpgradeChannel former = UpgradeChannel::from_environment();
  const bool takes_over = former.is_there();
  if (takes_over && !former.receive(inherited)) {
    log::error("the daemon that this one is to take over from did not pass its sockets");
    return kExitFailure;
  }
  ListeningSockets sockets;
  LastGood last_good;
  // Of all else the supervisor keeps nothing.
  const auto [good, loaded_settings] = [&command] {
    auto [config, diagnostics] = config::load(command.file, command.overrides);
    if (config) make_absolute(*config, command.folder);
    return std::pair(config.has_value(), config ? std::move(config->settings) : config::Settings());
  }();
  give_memory_back();
  // What is wrong with the configuration is said where it is loaded with all its plugins.
  if (!good || !command.supervise || !loaded_settings.supervision.on)
    return serve(command, nullptr, sockets, inherited, former, {}, libraries, hangs, last_good);
  // A restart and a reload read a file that may have changed; there are sockets for this many workers.
  config::Settings settings = loaded_settings;
  settings.workers = worker_count(settings);
  Command own = command;
  own.overrides.workers = std::to_string(settings.workers);
  if (!sockets.open(config::listening_sockets(settings), settings.workers, inherited)) return kExitFailure;
  if (const auto opened = last_good.open(); !opened) {
    log::error("what is served cannot be kept for a restart after a crash: {}", opened.error().text());
    return kExitFailure;
  }
  UpgradeOptions upgrades{.invocation = command.invocation,
                          .within_ms = settings.load_timeout_ms + kUpgradeMoreMs,
                          .takes_over = takes_over};
  return supervise(settings.supervision, sockets, std::move(upgrades), [&](const ServingStart& start) {
    return serve(own, &settings, sockets, inherited, former, start, libraries, hangs, last_good);
  });
}

// As `leat run`: whoever writes the plugin sees what crashed, mends it, and it is taken up again.
int run_plugin(Command command) {
  if (const auto prepared = prepare_plugin_run(command); !prepared) return prepared.error();
  return run(command);
}

// Sends an admin command to the daemon that the configuration, or --socket, leads to.
int tell_daemon(const Command& command, std::string_view words) {
  if (!command.socket.empty())
    return run_admin_command({command.socket}, words) == kExitFine ? kExitFine : kExitFailure;
  auto [config, diagnostics] = config::load(command.file);
  // Relative to the file's folder, as the daemon has it.
  if (config) make_absolute(*config, command.folder);
  const int code = run_admin_command(
      admin_sockets_to_try(config ? config->settings.admin_socket : "", absolute_file(command)), words);
  if (code != kExitNoDaemon) return code;
  std::fputs(config::render(diagnostics, ::isatty(STDERR_FILENO) != 0).c_str(), stderr);
  std::fprintf(stderr,
               "leat: the daemon is looked for where `server.admin_socket` of %s says, or by rule: "
               "--socket names another place\n",
               command.file.c_str());
  return kExitFailure;
}

int check_here(const Command& command) {
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(static_plugins());
  const auto loaded = load_at_start(command, libraries, hangs);
  if (!loaded) return kExitConfiguration;
  const auto counted = [](size_t count, std::string_view what) {
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
  };
  print(fmt::format("{}: {}, {}, no errors\n", command.file,
                    counted(loaded->assembly.site->routes().size(), "route"),
                    counted(loaded->assembly.plugins.size(), "plugin")));
  return kExitFine;
}

// In a process of its own, since a plugin may end the one that it is loaded into, and must not be believed
// when it does so with a status that says that all is well.
int check(const Command& command) {
  LifeSigns* signs = make_life_signs();
  if (signs == nullptr) return kExitFailure;
  std::signal(SIGCHLD, SIG_DFL);
  const pid_t checker = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) {
    std::fprintf(stderr, "leat: cannot check in a process of its own: fork: %s\n", std::strerror(errno));
    return kExitFailure;
  }
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != checker) return kExitFailure;
    report_crashes(&signs->words);
    const int code = check_here(command);
    signs->ended = true;
    return code;
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (signs->ended && WIFEXITED(status)) return WEXITSTATUS(status);
  std::fprintf(stderr, "leat: %s: the process that loaded it %s\n", command.file.c_str(),
               judge_end(status, signs->words).how.c_str());
  return kExitConfiguration;
}

int routes(const Command& command) {
  report_crashes(own_words());
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(static_plugins());
  const auto loaded = load_at_start(command, libraries, hangs);
  if (!loaded) return kExitConfiguration;
  const pipeline::Site& site = *loaded->assembly.site;
  print(loaded->secrets.hide(command.json ? pipeline::describe_json(site) + "\n"
                                          : pipeline::describe_text(site)));
  return kExitFine;
}

int version(const Command& command) {
  const std::string abi = std::to_string(LEAT_ABI_MAJOR) + "." + std::to_string(LEAT_ABI_MINOR);
  std::string names, quoted;
  for (const leat_plugin_entry* each : static_plugins()) {
    const std::string name(each->name.ptr, each->name.len);
    names += (names.empty() ? "static plugins " : ", ") + name;
    quoted += (quoted.empty() ? "\"" : ",\"") + name + "\"";
  }
  std::string writers, quoted_writers;
  for (const json::Backend each : json::built_backends()) {
    const std::string name(json::backend_name(each));
    writers += (writers.empty() ? "" : ", ") + name;
    quoted_writers += (quoted_writers.empty() ? "\"" : ",\"") + name + "\"";
  }
  const std::string scan(encoding::scan.name);
  print(command.json ? "{\"version\":\"" LEAT_VERSION "\",\"plugin_abi\":\"" + abi +
                           "\",\"allocator\":\"" LEAT_ALLOCATOR "\",\"json_backends\":[" + quoted_writers +
                           "],\"json_scan\":\"" + scan + "\",\"static_plugins\":[" + quoted + "]}\n"
                     : "leat " LEAT_VERSION "\nplugin ABI " + abi +
                           "\nallocator " LEAT_ALLOCATOR "\nJSON writers " + writers + "; strings by " +
                           scan + "\nplugins in " LEAT_PLUGIN_DIR "\n" + names + (names.empty() ? "" : "\n"));
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
    case Command::Kind::PluginCheck:
      return check_plugin_file(command.plugin_file, command.json);
    case Command::Kind::PluginRun:
      return run_plugin(command);
    case Command::Kind::Reload:
      return tell_daemon(command, "reload");
    case Command::Kind::Upgrade:
      return tell_daemon(command, "upgrade");
    case Command::Kind::Metrics:
      return tell_daemon(command, "metrics");
    case Command::Kind::CacheStatistics:
      return tell_daemon(command, command.json ? "cache stats json" : "cache stats");
    case Command::Kind::Purge:
      return tell_daemon(command, "purge " + command.purge);
    case Command::Kind::PluginList:
      return tell_daemon(command, command.json ? "plugins json" : "plugins");
    case Command::Kind::Check:
      return check(command);
    case Command::Kind::Routes:
      return routes(command);
    case Command::Kind::Version:
      return version(command);
    case Command::Kind::ExplainError:
      return explain_error(command);
    case Command::Kind::Settings:
      print(command.schema     ? config::json_schema()
            : command.markdown ? config::reference_markdown()
                               : config::reference_text());
      return kExitFine;
    case Command::Kind::PluginNew:
      return make_plugin(command.new_plugin);
  }
  return kExitUsage;
}

}  // namespace

}  // namespace leat::server

int main(int count, char** arguments) {
  leat::server::fill_standard_descriptors();
  leat::keep_standard_error();
  auto command = leat::server::parse_command_line(count, arguments);
  if (command) command->invocation = leat::server::Invocation::of_this_process(count, arguments);
  const int code = command ? leat::server::execute(*command) : command.error();
  leat::server::exit_is_fine();
  return code;
}

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
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>

#include "base/allocator.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/date.h"
#include "base/log.h"
#include "base/shared/plugin_text.hpp"
#include "base/units.h"
#include "coding/coding.h"
#include "config/codes.h"
#include "config/config.h"
#include "config/diagnostics.h"
#include "config/file.h"
#include "config/in_force.h"
#include "config/json_schema.h"
#include "config/reference.h"
#include "json/backend.h"
#include "leat_version.h"
#include "pipeline/openapi.h"
#include "plugin/shared_resources.h"
#include "server/assemble.h"
#include "server/commands/check_surroundings.h"
#include "server/commands/command_line.h"
#include "server/commands/completion.h"
#include "server/commands/format_files.h"
#include "server/commands/init.h"
#include "server/commands/key.h"
#include "server/commands/manual.h"
#include "server/commands/migrate.h"
#include "server/commands/plugin_check.h"
#include "server/commands/plugin_new.h"
#include "server/commands/plugin_run.h"
#include "server/commands/top.h"
#include "server/metric_table.h"
#include "server/observer.h"
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
#include "server/process/short_start.h"
#include "server/process/signals.h"
#include "server/process/socket_channel.h"
#include "server/process/supervisor.h"
#include "server/process/upgrade.h"
#include "server/process/usage.h"
#include "server/running_settings.h"
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

// What this process was started with beside those is for it alone, and for nobody that a plugin starts.
void keep_descriptors_from_children() {
  (void)::close_range(STDERR_FILENO + 1, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

// Where no other process reads them.
LastWords* own_words() {
  static LastWords words;
  return &words;
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// Work that blocks mostly waits: with one thread a CPU, the CPUs would.
ThreadPool::Limits pool_limits(const config::Settings& settings) {
  constexpr uint32_t kThreadsPerCpu = 4;
  constexpr uint32_t kMostByItself = 64;
  ThreadPool::Limits limits = settings.shared.pool;
  if (limits.threads == 0) limits.threads = std::min(granted_cpus() * kThreadsPerCpu, kMostByItself);
  limits.on_start = [] { give_crash_stack(); };
  return limits;
}

// What connections have of the socket that they came by, by its number; its name has the port that the kernel chose.
std::vector<worker::ListenerOptions> listener_options(const ListeningSockets& sockets, OwnMetrics& own) {
  std::vector<worker::ListenerOptions> listeners;
  for (const ListeningAddress& each : sockets.addresses()) {
    listeners.resize(std::max<size_t>(listeners.size(), each.number + 1));
    listeners[each.number] = each.wanted.connections;
    listeners[each.number].name = each.bound.text();
    listeners[each.number].counts = own.listener(each.bound.text());
  }
  return listeners;
}

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

// The configuration's path, by which its daemon is known.
std::string absolute_file(const Command& command) {
  return (std::filesystem::path(command.folder) / command.file).lexically_normal().string();
}

constexpr const char* kDoesNotLoad = "did not start serving within server.load_timeout";

// What the configuration declares, for `leat config`: it is used up when it is assembled.
struct Declared {
  std::string text, json;
};

// What run, check, routes and every reload begin with.
struct Loaded {
  config::Settings settings;
  uint32_t workers = 1;
  Assembly assembly;
  std::vector<std::string> waiting;  // settings that have changed and wait for a start
  Declared declared;
  config::Secrets secrets;
};

// What a daemon keeps that serves already, or is started again.
struct Running {
  const config::Settings* settings;
  uint32_t workers;
};

// What is wrong, or remarkable, goes to `report`, for people. `running`: null for all that the file says. `hangs` learns
// how long it may take; null where nobody waits.
std::optional<Loaded> load(const Command& command, plugin::PluginLibraries& libraries, bool color,
                           std::string& report, const Running* running = nullptr,
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
    config::Settings& settings = config->settings;
    std::vector<std::string> waiting;
    if (running != nullptr) waiting = keep_fixed(settings, *running->settings);
    const uint32_t workers = running != nullptr ? running->workers : worker_count(settings);
    libraries.shared().metrics.set_limit(settings.shared.metric_series);
    Declared declared{config::declared_in_force(*config, false), config::declared_in_force(*config, true)};
    libraries.shared().cache.configure(settings.shared.cache, workers + pool_limits(settings).threads);
    const config::FilesScope reading(files);  // what middleware reads belongs to the configuration
    if (auto assembly =
            assemble(*config, libraries, plugin_folders(command), workers, diagnostics, quarantined))
      loaded.emplace(std::move(settings), workers, std::move(*assembly), std::move(waiting),
                     std::move(declared), std::move(config->secrets));
  }
  report += config::render(diagnostics, color);
  return loaded;
}

std::optional<Loaded> load_at_start(const Command& command, plugin::PluginLibraries& libraries,
                                    HangWatch& hangs, const Running* kept = nullptr,
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

// How many series metrics may have, put back where what was loaded with another number comes to nothing.
class SeriesLimit {
 public:
  SeriesLimit(metrics::Registry& metrics, size_t former) : metrics_(metrics), former_(former) {}
  ~SeriesLimit() {
    if (!stays_) metrics_.set_limit(former_);
  }
  SeriesLimit(const SeriesLimit&) = delete;
  SeriesLimit& operator=(const SeriesLimit&) = delete;
  void stay() { stays_ = true; }

 private:
  metrics::Registry& metrics_;
  size_t former_;
  bool stays_ = false;
};

// Reads the configuration anew, and has it ready to be taken up. An error is text for people.
class Reloading {
 public:
  // What serves: what its files said, and how many routes that came to.
  struct Served {
    Source source;
    size_t routes;
    Declared declared;
  };

  Reloading(Command command, std::shared_ptr<Served> served, RunningSettings& running,
            plugin::PluginLibraries& libraries)
      : command_(std::move(command)), served_(std::move(served)), running_(running), libraries_(libraries) {}

  std::expected<Control::Options::Loaded, std::string> operator()(std::string& remarks) const {
    std::string report;
    auto series =
        std::make_shared<SeriesLimit>(libraries_.shared().metrics, running_.now().shared.metric_series);
    Source source{command_.file, {}};
    libraries_.begin();
    const Running running{&running_.now(), running_.workers()};
    auto loaded = load(command_, libraries_, false, report, &running, {}, nullptr, &source.files);
    if (!loaded) return std::unexpected(std::move(report));
    const size_t routes = loaded->assembly.site->routes().size();
    if (std::string lost = lost_since(source, routes); !lost.empty()) return std::unexpected(std::move(lost));
    auto next = running_.prepare(std::move(loaded->settings));
    if (!next) {
      Diagnostics all(1, next.error());
      loaded->secrets.hide(all);
      return std::unexpected(config::render(all, false));
    }
    remarks += report;
    for (const std::string& path : loaded->waiting)
      remarks +=
          fmt::format("`{}` has changed: it takes effect at the next start, or with `leat upgrade`\n", path);
    note_loaded_objects();
    const auto taken_up = std::make_shared<RunningSettings::Next>(std::move(*next));
    const auto served = std::make_shared<Served>(std::move(source), routes, std::move(loaded->declared));
    return Control::Options::Loaded{
        std::move(loaded->assembly),
        [this, series, taken_up, served](Generations::Workers workers, const std::stop_token& stopping,
                                         std::string& told) {
          series->stay();
          running_.take_up(std::move(*taken_up), workers, stopping, told);
          *served_ = std::move(*served);
        }};
  }

 private:
  // Of a configuration that is no mistake by itself, but leaves little of the one that serves; empty where nothing is lost.
  [[nodiscard]] std::string lost_since(const Source& source, size_t routes) const {
    std::string lost = source.files.cut_since(served_->source.files);
    if (lost.empty() && routes == 0 && served_->routes != 0)
      lost = fmt::format("no [[route]] is declared any more, of {} that serve", served_->routes);
    if (lost.empty()) return lost;
    Diagnostics all(1);
    all[0].code = config::kNothingToServe;
    all[0].message = std::move(lost);
    all[0].place.file = std::make_shared<const std::string>(source.file);
    all[0].hint = "it may be that somebody is still writing it: put it into place by renaming it";
    return config::render(all, false);
  }

  Command command_;
  std::shared_ptr<Served> served_;
  RunningSettings& running_;
  plugin::PluginLibraries& libraries_;
};

// What serves, and what is declared and does not.
std::vector<Observer::Plugin> plugins_of(const Assembly& assembly) {
  std::vector<Observer::Plugin> plugins;
  for (const auto& each : assembly.plugins)
    plugins.push_back({std::string(each->name()), "serving", std::string(each->library().version()),
                       std::string(each->library().path())});
  for (const Assembly::OutOfService& each : assembly.out_of_service)
    plugins.push_back({each.name, each.quarantined ? "quarantined" : "out of service", "", each.file});
  return plugins;
}

std::string status_of(Observer& observer, OwnMetrics& own, const RunningSettings& running, bool json) {
  const auto quoted = [](std::string_view text) { return config::json_text(text); };
  const Usage usage = Usage::now();
  const uint64_t up = observer.uptime_s();
  const Observer::Reload reload = observer.last_reload();
  const std::string when = std::string(view(iso_date(reload.time))) + "Z";
  std::string listeners;
  uint64_t open = 0;
  for (const OwnMetrics::Wire& each : own.wires()) {
    const uint64_t now = each.opened - std::min(each.opened, each.closed);
    open += now;
    listeners += json ? fmt::format("{}{{\"address\":{},\"connections\":{},\"accepted\":{}}}",
                                    listeners.empty() ? "" : ",", quoted(each.listener), now, each.opened)
                      : fmt::format("  {}  {} open, {} accepted\n", each.listener, now, each.opened);
  }
  if (json) {
    const std::string last = reload.time == 0
                                 ? "null"
                                 : fmt::format("{{\"time\":\"{}\",\"good\":{},\"error\":{}}}", when,
                                               reload.good, reload.good ? "null" : quoted(reload.error));
    return fmt::format(
        "\"version\":\"{}\",\"plugin_abi\":\"{}.{}\",\"pid\":{},\"uptime\":{},\"ready\":{},\"workers\":{},"
        "\"listeners\":[{}],"
        "\"connections\":{},\"resident_bytes\":{},\"descriptors\":{},\"most_descriptors\":{},\"last_reload\":"
        "{}",
        LEAT_VERSION, LEAT_ABI_MAJOR, LEAT_ABI_MINOR, ::getpid(), up, own.ready(), running.workers(),
        listeners, open, usage.resident_bytes, usage.open_descriptors, usage.most_descriptors, last);
  }
  const std::string last = reload.time == 0 ? "none since the start"
                           : reload.good    ? "good, " + when
                                            : fmt::format("failed, {}: {}", when, reload.error);
  return fmt::format(
      "leat {}, plugin ABI {}.{}, process {}\nup {}d {:02}:{:02}:{:02}, {}\n{}, {} "
      "open, {} MiB resident, "
      "{} of {} descriptors\nlistening on\n{}last reload: {}\n",
      LEAT_VERSION, LEAT_ABI_MAJOR, LEAT_ABI_MINOR, ::getpid(), up / 86400, up / 3600 % 24, up / 60 % 60,
      up % 60, own.ready() ? "ready" : "not ready", counted(running.workers(), "worker"),
      counted(open, "connection"), usage.resident_bytes >> 20, usage.open_descriptors, usage.most_descriptors,
      listeners, last);
}

// Each line behind a `#`.
std::string commented(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines += fmt::format("# {}\n", line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

Control::Options control_options(const Command& command, RunningSettings& running,
                                 plugin::PluginLibraries& libraries, Generations& generations,
                                 Observer& observer, OwnMetrics& own, LifeSigns* signs, LastGood& last_good,
                                 Reloading::Served serves) {
  Control::Options options;
  options.socket = admin_socket_to_open(running.now().admin_socket, absolute_file(command));
  options.checker = {own_path(), "check", "-c", command.file};
  options.folder = command.folder;
  for (const std::string& folder : command.plugin_path)
    options.checker.insert(options.checker.end(), {"--plugin-path", folder});
  Command again = command;
  again.file = (std::filesystem::path(command.folder) / command.file).string();
  for (std::string& folder : again.plugin_path)
    folder = (std::filesystem::path(command.folder) / folder).string();
  // The file may allow plugins more time by now.
  options.load_timeout_ms = [again, &running] {
    const auto [config, diagnostics] = config::load(again.file, again.overrides);
    return std::max(running.now().load_timeout_ms, config ? config->settings.load_timeout_ms : 0);
  };
  options.drain_timeout_ms = [&running] { return running.drain_timeout_ms(); };
  const auto served = std::make_shared<Reloading::Served>(std::move(serves));
  options.last_good = [served, &libraries, &last_good] {
    const Source& source = served->source;
    if (const auto kept = last_good.keep(source.file, source.files, libraries.copies()); !kept)
      log::warn("what is served now cannot be kept: after a crash the files are read again: {}",
                kept.error().text());
    give_memory_back();
  };
  const auto reloading = std::make_shared<Reloading>(std::move(again), served, running, libraries);
  options.load = [reloading](std::string& remarks) { return (*reloading)(remarks); };
  options.metrics = [&libraries] { return libraries.shared().metrics.text(); };
  options.purge = [&libraries](cache::PurgeBy by, std::string_view what, bool hard) {
    return libraries.shared().responses.purge(by, what, hard, monotonic_ms());
  };
  options.replaced = [&generations, &observer, &libraries, signs](uint64_t generation) {
    // What other code or settings would answer is not known: all is made anew while it is still served.
    libraries.shared().responses.purge(cache::PurgeBy::All, {}, false, monotonic_ms());
    observer.set_serving(generation, plugins_of(generations.serving()));
    if (signs != nullptr) signs->pardoned = true;
  };
  options.reloaded = [&observer](bool good, std::string_view text) { observer.note_reload(good, text); };
  options.top = [&observer](bool json) { return json ? observer.look() : observer.look_text(); };
  options.status = [&observer, &own, &running](bool json) { return status_of(observer, own, running, json); };
  options.explain = [&running,
                     &generations](std::string_view line) -> std::expected<std::string, std::string> {
    const auto question = Question::from_line(line);
    if (!question) return std::unexpected(question.error());
    return explain(*generations.serving().site, running.now(), *question);
  };
  options.in_force = [&running, &generations, served](bool json) {
    const config::Settings& settings = running.now();
    const pipeline::Site& site = *generations.serving().site;
    if (json)
      return fmt::format("{{\"settings\":{{{}}},{},\"route\":{}}}\n",
                         config::settings_in_force(settings, true), served->declared.json,
                         pipeline::describe_json(site));
    return config::settings_in_force(settings, false) + served->declared.text +
           "\n# Routes, and what each request passes:\n" + commented(pipeline::describe_text(site));
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
    return idle == 0 ? std::string()
                     : fmt::format("{} of earlier builds stay{} mapped until the daemon ends\n",
                                   counted(idle, "plugin object"), idle == 1 ? "s" : "");
  };
  options.watched = command.watched;
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
  options.upgrading = [signs] { return signs->upgrading.load(); };
  options.upgrade_failed = [signs, failed_before] { return signs->failed_upgrades != *failed_before; };
  return options;
}

// Loads everything and serves. `supervised` and `sockets` are the supervisor's: what a restart must not change, and what
// it has open; null, and empty, in one process.
int serve(const Command& command, const Running* supervised, ListeningSockets& sockets,
          const SocketChannel& channel, InheritedSockets& inherited, UpgradeChannel& former,
          const ServingStart& start, plugin::PluginLibraries& libraries, std::optional<HangWatch>& hangs,
          LastGood& last_good) {
  hear_signals();
  watch_start(start.signs != nullptr ? &start.signs->ended : nullptr);
  report_crashes(start.signs != nullptr ? &start.signs->words : own_words());
  libraries.shared().title_made = note_title;
  libraries.shared().logs.start();
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
  auto loaded = load_at_start(own_command, libraries, *hangs, supervised, start.quarantined, &source.files);
  if (!loaded) return kExitConfiguration;
  if (const auto opened = log::open(loaded->settings.log); !opened) {
    std::fprintf(stderr, "leat: %s\n", loaded->secrets.hide(opened.error()).c_str());
    return kExitFailure;
  }
  note_loaded_objects();
  give_memory_back();
  const size_t routes = loaded->assembly.site->routes().size();
  log::info("leat {} with {} and {}", LEAT_VERSION, counted(loaded->workers, "worker"),
            counted(routes, "route"));
  if (!start.former_end.empty()) log::error("{}", start.former_end);
  if (kept && (libraries.copies_differ() || !source.files.still_true()))
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
  OwnMetrics own(libraries.shared(), loaded->workers, loaded->settings.shared.metric_routes);
  Observer observer(libraries.shared(), own, loaded->workers);
  options.worker.connections.given_up = &own.connections_given_up();
  options.worker.connections.turned_away = &own.connections_turned_away();
  worker::AddressCounts addresses(0, 0);
  set_limits(addresses, loaded->settings, loaded->workers);
  options.worker.connections.addresses = &addresses;
  options.worker.memory_watch = &own;
  options.reopen = [&libraries] { libraries.shared().logs.reopen(); };
  Generations generations(std::move(loaded->assembly), loaded->workers,
                          {.drain_timeout_ms = loaded->settings.worker.drain_timeout_ms,
                           .handover_timeout_ms = loaded->settings.handover_timeout_ms},
                          &own.requests());
  observer.set_serving(generations.number(), plugins_of(generations.serving()));
  RunningSettings running(std::move(loaded->settings), {.shared = libraries.shared(),
                                                        .addresses = addresses,
                                                        .own = own,
                                                        .generations = generations,
                                                        .sockets = sockets,
                                                        .channel = channel,
                                                        .signs = start.signs,
                                                        .workers = loaded->workers});
  if (start.signs != nullptr) start.signs->set(running.now());
  Control::Options controls =
      control_options(command, running, libraries, generations, observer, own, start.signs, last_good,
                      {std::move(source), routes, std::move(loaded->declared)});
  controls.takes_over = former.is_there();
  controls.serves = [&former] { former.tell_that_it_serves(); };
  Control control(std::move(controls), generations);
  const auto listen = [&]() -> bool {
    if (supervised != nullptr) return running.listen();
    const auto opened = sockets.open(config::listening_sockets(running.now()), running.workers(), inherited);
    if (!opened) log::error("{}", loaded->secrets.hide(opened.error()));
    return opened.has_value();
  };
  int code = kExitFailure;
  if (const auto opened = control.open(); !opened) {
    log::error("cannot listen for admin commands on {}: {}", loaded->secrets.hide(control.socket()),
               opened.error().text());
  } else if (listen()) {
    options.worker.connections.listeners = listener_options(sockets, own);
    options.hooks.thread = [](uint32_t worker) { give_crash_stack(static_cast<int>(worker)); };
    options.hooks.start = [&generations](uint32_t worker) { return generations.start_worker(worker); };
    options.hooks.stop = [&generations](uint32_t worker) { generations.stop_worker(worker); };
    options.serving = start.signs != nullptr ? &start.signs->serving : nullptr;
    options.replaced = start.signs != nullptr ? &start.signs->replaced : nullptr;
    if (former.is_there()) options.takes_over_as = start.signs != nullptr ? ::getppid() : ::getpid();
    options.hangs = &*hangs;
    options.leaving = &libraries.shared().condition.leaving;
    options.drain_delay_ms = [&running] { return running.drain_delay_ms(); };
    code = run_daemon(options, sockets, generations.services(), control);
  }
  libraries.shared().logs.stop();
  log::close();
  return code;
}

int run(const Command& command) {
  std::optional<HangWatch> hangs;  // outlives the plugins
  plugin::PluginLibraries libraries(static_plugins());
  block_signals();
  InheritedSockets inherited = InheritedSockets::from_environment();
  UpgradeChannel former = UpgradeChannel::from_environment();
  const bool takes_over = former.is_there();
  if (takes_over && !former.receive(inherited)) {
    log::error("the daemon that this one is to take over from did not pass its sockets");
    return kExitFailure;
  }
  ListeningSockets sockets;
  SocketChannel channel;
  LastGood last_good;
  // Of all that is declared the supervisor needs the settings alone.
  struct Known {
    config::Settings settings;
    config::Secrets secrets;
  };
  const std::optional<Known> known = [&command]() -> std::optional<Known> {
    auto [config, diagnostics] = config::load(command.file, command.overrides);
    if (!config) return std::nullopt;
    make_absolute(*config, command.folder);
    return Known{std::move(config->settings), std::move(config->secrets)};
  }();
  give_memory_back();
  if (known) log::set_format(known->settings.log.format);
  // What is wrong with the configuration is said where it is loaded with all its plugins.
  if (!known || !command.supervise || !known->settings.supervision.on)
    return serve(command, nullptr, sockets, channel, inherited, former, {}, libraries, hangs, last_good);
  // A restart and a reload read a file that may have changed; there are sockets for this many workers.
  const config::Settings& settings = known->settings;
  const Running running{&settings, worker_count(settings)};
  if (const auto opened = sockets.open(config::listening_sockets(settings), running.workers, inherited);
      !opened) {
    log::error("{}", known->secrets.hide(opened.error()));
    return kExitFailure;
  }
  if (const auto opened = channel.open(); !opened) {
    log::error("the process that serves cannot tell what it listens on: {}", opened.error().text());
    return kExitFailure;
  }
  if (const auto opened = last_good.open(); !opened) {
    log::error("what is served cannot be kept for a restart after a crash: {}", opened.error().text());
    return kExitFailure;
  }
  UpgradeOptions upgrades{.invocation = command.invocation, .takes_over = takes_over};
  return supervise(settings, sockets, channel, std::move(upgrades), [&](const ServingStart& start) {
    channel.begin();
    return serve(command, &running, sockets, channel, inherited, former, start, libraries, hangs, last_good);
  });
}

// As `leat run`: whoever writes the plugin sees what crashed, mends it, and it is taken up again.
int run_plugin(Command command) {
  if (const auto prepared = prepare_plugin_run(command); !prepared) return prepared.error();
  return run(command);
}

// Sends an admin command to the daemon that the configuration, or --socket, leads to.
int tell_daemon(const Command& command, std::string_view words,
                const std::function<void(std::string_view)>& take = {}) {
  if (!command.socket.empty())
    return run_admin_command({command.socket}, words, take) == kExitFine ? kExitFine : kExitFailure;
  auto [config, diagnostics] = config::load(command.file);
  // Relative to the file's folder, as the daemon has it.
  if (config) make_absolute(*config, command.folder);
  const int code = run_admin_command(
      admin_sockets_to_try(config ? config->settings.admin_socket : "", absolute_file(command)), words, take);
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
  print(loaded->secrets.hide(
      command.json ? pipeline::describe_json(site) + "\n"
                   : fmt::format("{}\n{}\n", pipeline::describe_text(site), pipeline::kPrecedence)));
  return kExitFine;
}

int openapi(const Command& command) {
  report_crashes(own_words());
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(static_plugins());
  const auto loaded = load_at_start(command, libraries, hangs);
  if (!loaded) return kExitConfiguration;
  print(loaded->secrets.hide(pipeline::openapi_json(*loaded->assembly.site, LEAT_VERSION)) + "\n");
  return kExitFine;
}

// Of the whole configuration; with a file, also of what its plugins ask for.
int schema(const Command& command) {
  if (command.file.empty()) {
    print(config::json_schema());
    return kExitFine;
  }
  report_crashes(own_words());
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(static_plugins());
  config::KnownPlugins known;
  libraries.shared().asked = &known.asked;
  const auto loaded = load_at_start(command, libraries, hangs);
  libraries.shared().asked = nullptr;
  if (!loaded) return kExitConfiguration;
  for (const auto& plugin : loaded->assembly.plugins) known.names.push_back(plugin->name());
  known.kinds = loaded->assembly.kinds->all();
  print(loaded->secrets.hide(config::json_schema(known)));
  return kExitFine;
}

int explain_request(const Command& command) {
  if (command.running) return tell_daemon(command, command.question.line());
  report_crashes(own_words());
  HangWatch hangs([] {});
  plugin::PluginLibraries libraries(static_plugins());
  const auto loaded = load_at_start(command, libraries, hangs);
  if (!loaded) return kExitConfiguration;
  const auto told = explain(*loaded->assembly.site, loaded->settings, command.question);
  if (told) {
    print(loaded->secrets.hide(*told));
    return kExitFine;
  }
  std::fprintf(stderr, "leat: %s\n", told.error().c_str());
  return kExitFailure;
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
  std::string packers, quoted_packers;
  for (const std::string_view each : coding::libraries()) {
    packers.append(packers.empty() ? "" : ", ").append(each);
    quoted_packers.append(quoted_packers.empty() ? "\"" : ",\"").append(each).append("\"");
  }
  const std::string scan(encoding::scan.name);
  print(command.json
            ? "{\"version\":\"" LEAT_VERSION "\",\"plugin_abi\":\"" + abi +
                  "\",\"allocator\":\"" LEAT_ALLOCATOR "\",\"json_backends\":[" + quoted_writers +
                  "],\"json_scan\":\"" + scan + "\",\"compression\":[" + quoted_packers +
                  "],\"static_plugins\":[" + quoted + "]}\n"
            : "leat " LEAT_VERSION "\nplugin ABI " + abi + "\nallocator " LEAT_ALLOCATOR "\nJSON writers " +
                  writers + "; strings by " + scan + "\ncompression " + (packers.empty() ? "none" : packers) +
                  "\nplugins in " + installed_plugins() + "\n" + names + (names.empty() ? "" : "\n"));
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
      if (command.markdown) {
        print(metrics_markdown());
        return kExitFine;
      }
      return tell_daemon(command, "metrics");
    case Command::Kind::Status:
      return tell_daemon(command, command.json ? "status json" : "status");
    case Command::Kind::ShowConfig:
      return tell_daemon(command, command.json ? "config json" : "config");
    case Command::Kind::Top:
      return run_top(
          [&command](std::string_view words, const std::function<void(std::string_view)>& take) {
            return tell_daemon(command, words, take);
          },
          command.json, command.once);
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
    case Command::Kind::Explain:
      return explain_request(command);
    case Command::Kind::OpenApi:
      return openapi(command);
    case Command::Kind::Version:
      return version(command);
    case Command::Kind::ExplainError:
      return explain_error(command);
    case Command::Kind::Settings:
      print(command.schema     ? config::json_schema()
            : command.markdown ? config::reference_markdown()
                               : config::reference_text());
      return kExitFine;
    case Command::Kind::Format:
      return format_files(command.format);
    case Command::Kind::Init:
      return make_site(command.new_site);
    case Command::Kind::Migrate:
      return migrate_configuration(command.migration);
    case Command::Kind::Schema:
      return schema(command);
    case Command::Kind::PluginNew:
      return make_plugin(command.new_plugin);
    case Command::Kind::KeyNew:
      return make_key(command.key_name);
    case Command::Kind::KeyHash:
      return hash_key(command.key_name);
    case Command::Kind::Completion:
      print(completion_script(command_tree(), command.shell));
      return kExitFine;
    case Command::Kind::Manual:
      print(command.page == "leat" ? program_page(command_tree()) : configuration_page());
      return kExitFine;
  }
  return kExitUsage;
}

}  // namespace

}  // namespace leat::server

int main(int count, char** arguments) {
  leat::server::fill_standard_descriptors();
  leat::server::keep_descriptors_from_children();
  leat::keep_standard_error();
  auto command = leat::server::parse_command_line(count, arguments);
  if (command) command->invocation = leat::server::Invocation::of_this_process(count, arguments);
  const int code = command ? leat::server::execute(*command) : command.error();
  leat::server::exit_is_fine();
  return code;
}

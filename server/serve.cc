#include "server/serve.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/allocator.h"
#include "base/log.h"
#include "base/units.h"
#include "config/tls.h"
#include "json/backend.h"
#include "leat_version.h"
#include "plugin/shared_resources.h"
#include "server/controls.h"
#include "server/generations.h"
#include "server/observer.h"
#include "server/own_metrics.h"
#include "server/process/control.h"
#include "server/process/crash_report.h"
#include "server/process/daemon.h"
#include "server/process/exit_code.h"
#include "server/process/last_words.h"
#include "server/process/short_start.h"
#include "server/process/signals.h"
#include "server/reloading.h"
#include "server/running_settings.h"
#include "worker/address_counts.h"

namespace leat::server {

namespace {

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

// The parts that serve what was loaded.
class Serving {
 public:
  Serving(const Command& command, const KeptSettings* kept, const ServingStart& start,
          const ServingParts& parts, Loaded loaded, Source source)
      : sockets_are_open_(kept != nullptr),
        start_(start),
        parts_(parts),
        secrets_(std::move(loaded.secrets)),
        own_(parts.libraries.shared(), loaded.workers, loaded.settings.shared.metric_routes),
        observer_(parts.libraries.shared(), own_, loaded.workers),
        generations_(std::move(loaded.assembly), loaded.workers,
                     {.drain_timeout_ms = loaded.settings.worker.drain_timeout_ms,
                      .handover_timeout_ms = loaded.settings.handover_timeout_ms},
                     &own_.requests()),
        running_(std::move(loaded.settings), {.shared = parts.libraries.shared(),
                                              .addresses = addresses_,
                                              .own = own_,
                                              .generations = generations_,
                                              .sockets = parts.sockets,
                                              .channel = parts.channel,
                                              .signs = start.signs,
                                              .workers = loaded.workers}),
        control_(controls(command, {.source = std::move(source),
                                    .routes = generations_.serving().site->routes().size(),
                                    .declared = std::move(loaded.declared)}),
                 generations_) {
    set_limits(addresses_, running_.now(), running_.workers());
    own_.show(config::tls_in(running_.now()));
    observer_.set_serving(generations_.number(), plugins_of(generations_.serving()));
    if (start.signs != nullptr) start.signs->set(running_.now());
  }

  // Until told to stop. The process's exit code.
  int run() {
    if (const auto opened = control_.open(); !opened) {
      log::error("cannot listen for admin commands on {}: {}", secrets_.hide(control_.socket()),
                 opened.error().text());
      return kExitFailure;
    }
    if (!listen()) return kExitFailure;
    return run_daemon(daemon_options(), parts_.sockets, generations_.services(), control_);
  }

 private:
  Control::Options controls(const Command& command, Reloading::Served serves) {
    Control::Options options = control_options(command,
                                               {.running = running_,
                                                .libraries = parts_.libraries,
                                                .generations = generations_,
                                                .observer = observer_,
                                                .own = own_,
                                                .signs = start_.signs,
                                                .last_good = parts_.last_good},
                                               std::move(serves));
    options.takes_over = parts_.former.is_there();
    options.serves = [&former = parts_.former] { former.tell_that_it_serves(); };
    return options;
  }

  bool listen() {
    if (sockets_are_open_) return running_.listen();
    const auto opened =
        parts_.sockets.open(config::listening_sockets(running_.now()), running_.workers(), parts_.inherited);
    if (!opened) log::error("{}", secrets_.hide(opened.error()));
    return opened.has_value();
  }

  DaemonOptions daemon_options() {
    const config::Settings& settings = running_.now();
    DaemonOptions options{
        .workers = running_.workers(), .pin = settings.pin_workers, .worker = settings.worker, .hooks = {}};
    options.worker.memory_watch = &own_;
    worker::ConnectionOptions& connections = options.worker.connections;
    connections.given_up = &own_.connections_given_up();
    connections.turned_away = &own_.connections_turned_away();
    connections.addresses = &addresses_;
    connections.listeners = listener_options(parts_.sockets, own_);
    options.hooks.thread = [](uint32_t worker) { give_crash_stack(static_cast<int>(worker)); };
    options.hooks.start = [this](uint32_t worker) { return generations_.start_worker(worker); };
    options.hooks.stop = [this](uint32_t worker) { generations_.stop_worker(worker); };
    options.reopen = [this] { parts_.libraries.shared().logs.reopen(); };
    options.drain_delay_ms = [this] { return running_.drain_delay_ms(); };
    options.leaving = &parts_.libraries.shared().condition.leaving;
    options.hangs = &*parts_.hangs;
    options.serving = start_.signs != nullptr ? &start_.signs->serving : nullptr;
    options.replaced = start_.signs != nullptr ? &start_.signs->replaced : nullptr;
    if (parts_.former.is_there()) options.takes_over_as = start_.signs != nullptr ? ::getppid() : ::getpid();
    return options;
  }

  const bool sockets_are_open_;
  const ServingStart& start_;
  const ServingParts& parts_;
  const config::Secrets secrets_;
  OwnMetrics own_;
  Observer observer_;
  worker::AddressCounts addresses_{0, 0};
  Generations generations_;
  RunningSettings running_;
  Control control_;
};

// From here on signals are the daemon's to hear, and its end is told of.
void watch_this_process(const ServingStart& start) {
  hear_signals();
  watch_start(start.signs != nullptr ? &start.signs->ended : nullptr);
  report_crashes(start.signs != nullptr ? &start.signs->words : own_words());
}

// What served last, where that is what to begin with.
std::optional<LastGood::Kept> take_last_good(LastGood& last_good, const Command& command,
                                             const ServingStart& start) {
  auto kept = last_good.take();  // always: this process is the one to keep what follows it
  // Whoever watches the files wants what they say now; what served last is for when that does not start.
  const bool files_first = !command.watched.empty();
  if (start.last_good == files_first) kept.reset();
  return kept;
}

// `outdated`: the files say something else by now.
void tell_of_start(const Loaded& loaded, const ServingStart& start, bool outdated) {
  log::info("leat {} with {} and {}", LEAT_VERSION, counted(loaded.workers, "worker"),
            counted(loaded.assembly.site->routes().size(), "route"));
  if (!start.former_end.empty()) log::error("{}", start.former_end);
  if (outdated)
    log::warn(
        "this is the configuration that served last: later changes to the files take effect with a reload");
  for (const std::string& name : start.quarantined)
    log::error("plugin {} is quarantined, its routes answer 503: it has crashed too often", name);
}

}  // namespace

int serve(const Command& command, const KeptSettings* kept, const ServingStart& start,
          const ServingParts& parts) {
  plugin::PluginLibraries& libraries = parts.libraries;
  plugin::SharedResources& shared = libraries.shared();
  watch_this_process(start);
  shared.title_made = note_title;
  shared.logs.start();
  if (!parts.hangs)
    parts.hangs.emplace([signs = start.signs] {
      if (signs != nullptr) signs->ended = true;
    });
  auto last = take_last_good(parts.last_good, command, start);
  libraries.begin(last ? std::move(last->plugins) : std::vector<plugin::PluginLibraries::Copy>());
  Source source{command.file, {}};
  if (last) source = {std::move(last->file), std::move(last->files)};
  Command own_command = command;
  own_command.file = source.file;
  auto loaded = load_at_start(own_command, libraries,
                              {.kept = kept,
                               .quarantined = start.quarantined,
                               .hangs = &*parts.hangs,
                               .files = &source.files,
                               .tickets = start.signs != nullptr ? &start.signs->tickets : nullptr});
  if (!loaded) return kExitConfiguration;
  const config::Settings& settings = loaded->settings;
  if (const auto opened = log::open(settings.log); !opened) {
    std::fprintf(stderr, "leat: %s\n", loaded->secrets.hide(opened.error()).c_str());
    return kExitFailure;
  }
  note_loaded_objects();
  give_memory_back();
  tell_of_start(*loaded, start, last && (libraries.copies_differ() || !source.files.still_true()));
  json::set_default_backend(settings.json_backend);
  shared.pool.set_limits(pool_limits(settings));
  shared.client_wait_ms = settings.shared.client_wait_ms;
  shared.websockets.set_options(settings.shared.websocket);
  Serving serving(command, kept, start, parts, std::move(*loaded), std::move(source));
  const int code = serving.run();
  shared.logs.stop();
  log::close();
  return code;
}

}  // namespace leat::server

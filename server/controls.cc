#include "server/controls.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "base/allocator.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "config/config.h"
#include "config/in_force.h"
#include "pipeline/site.h"
#include "plugin/shared_resources.h"
#include "server/certificate_watch.h"
#include "server/commands/explain.h"
#include "server/load.h"
#include "server/process/admin_socket.h"
#include "server/process/crash_report.h"
#include "server/status.h"

namespace leat::server {

namespace {

using Served = std::shared_ptr<Reloading::Served>;

std::string own_path() {
  std::error_code unreadable;
  return std::filesystem::read_symlink("/proc/self/exe", unreadable).string();
}

// Each line behind a `#`.
std::string as_comments(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    lines += fmt::format("# {}\n", line);
    text.remove_prefix(std::min(line.size() + 1, text.size()));
  }
  return lines;
}

// The same command wherever the process is by then.
Command from_anywhere(const Command& command) {
  const std::filesystem::path began = command.folder;
  Command again = command;
  again.file = (began / command.file).string();
  for (std::string& folder : again.plugin_path) folder = (began / folder).string();
  return again;
}

void let_check(Control::Options& options, const Command& command) {
  options.checker = {own_path(), "check", "-c", command.file};
  options.folder = command.folder;
  for (const std::string& folder : command.plugin_path)
    options.checker.insert(options.checker.end(), {"--plugin-path", folder});
}

void let_reload(Control::Options& options, const Command& command, const ControlledParts& parts,
                const Served& served) {
  Command again = from_anywhere(command);
  // The file may allow plugins more time by now.
  options.load_timeout_ms = [again, parts] {
    const auto [config, diagnostics] = config::load(again.file, again.overrides);
    return std::max(parts.running.now().load_timeout_ms, config ? config->settings.load_timeout_ms : 0);
  };
  const auto reloading =
      std::make_shared<Reloading>(std::move(again), served, parts.running, parts.libraries);
  options.load = [reloading](std::string& remarks) { return (*reloading)(remarks); };
  options.replaced = [parts](uint64_t generation) {
    // What other code or settings would answer is not known: all is made anew while it is still served.
    parts.libraries.shared().responses.purge(cache::PurgeBy::All, {}, false, monotonic_ms());
    parts.observer.set_serving(generation, plugins_of(parts.generations.serving()));
    if (parts.signs != nullptr) parts.signs->pardoned = true;
  };
  options.reloaded = [parts](bool good, std::string_view text) { parts.observer.note_reload(good, text); };
  options.last_good = [parts, served] {
    const Source& source = served->source;
    if (const auto kept = parts.last_good.keep(source.file, source.files, parts.libraries.copies()); !kept)
      log::warn("what is served now cannot be kept: after a crash the files are read again: {}",
                kept.error().text());
    give_memory_back();
  };
  options.watched = command.watched;
}

std::string in_force(const config::Settings& settings, const pipeline::Site& site, const Declared& declared,
                     bool json) {
  if (json)
    return fmt::format("{{\"settings\":{{{}}},{},\"route\":{}}}\n", config::settings_in_force(settings, true),
                       declared.json, pipeline::describe_json(site));
  return config::settings_in_force(settings, false) + declared.text +
         "\n# Routes, and what each request passes:\n" + as_comments(pipeline::describe_text(site));
}

void let_look(Control::Options& options, const ControlledParts& parts, const Served& served) {
  options.metrics = [parts] { return parts.libraries.shared().metrics.text(); };
  options.top = [parts](bool json) { return json ? parts.observer.look() : parts.observer.look_text(); };
  options.status = [parts](bool json) { return status_of(parts.observer, parts.own, parts.running, json); };
  options.explain = [parts](std::string_view line) -> std::expected<std::string, std::string> {
    const auto question = Question::from_line(line);
    if (!question) return std::unexpected(question.error());
    return explain(*parts.generations.serving().site, parts.running.now(), *question);
  };
  options.in_force = [parts, served](bool json) {
    return in_force(parts.running.now(), *parts.generations.serving().site, served->declared, json);
  };
  options.plugin_remarks = [parts] {
    const uint64_t idle = parts.libraries.shared().idle_objects;
    return idle == 0 ? std::string()
                     : fmt::format("{} of earlier builds stay{} mapped until the daemon ends\n",
                                   counted(idle, "plugin object"), idle == 1 ? "s" : "");
  };
}

void let_upgrade(Control::Options& options, LifeSigns* signs) {
  if (signs == nullptr) {
    options.upgrade = []() -> std::expected<void, std::string> {
      return std::unexpected("it takes a supervisor: server.supervise = true, and no --no-supervise");
    };
    return;
  }
  const auto failed_before = std::make_shared<uint32_t>(0);
  options.upgrade = [signs, failed_before]() -> std::expected<void, std::string> {
    *failed_before = signs->failed_upgrades;
    if (::kill(::getppid(), SIGUSR2) == 0) return {};
    return std::unexpected(fmt::format("the supervisor cannot be told: {}", std::strerror(errno)));
  };
  options.upgrading = [signs] { return signs->upgrading.load(); };
  options.upgrade_failed = [signs, failed_before] { return signs->failed_upgrades != *failed_before; };
}

// Those that nobody uses any more.
void unload_plugins(plugin::PluginLibraries& libraries) {
  for (auto& each : libraries.take_unused()) {
    const std::string name = each->name();
    const LoadingScope scope(name);  // its unload() is the plugin's own code
    each.reset();
  }
}

}  // namespace

Control::Options control_options(const Command& command, const ControlledParts& parts,
                                 Reloading::Served serves) {
  Control::Options options;
  options.socket = admin_socket_to_open(parts.running.now().admin_socket, absolute_file(command));
  const auto served = std::make_shared<Reloading::Served>(std::move(serves));
  let_check(options, command);
  let_reload(options, command, parts, served);
  let_look(options, parts, served);
  let_upgrade(options, parts.signs);
  options.drain_timeout_ms = [parts] { return parts.running.drain_timeout_ms(); };
  options.purge = [parts](cache::PurgeBy by, std::string_view what, bool hard) {
    return parts.libraries.shared().responses.purge(by, what, hard, monotonic_ms());
  };
  options.tended = [parts] { unload_plugins(parts.libraries); };
  options.look = [parts, watch = std::make_shared<CertificateWatch>(monotonic_ms())](uint64_t now_ms) {
    for (const CertificateWatch::Line& each : watch->look(parts.running.now(), now_ms, std::time(nullptr)))
      log::write(each.level, each.text);
    return watch->next_ms();
  };
  return options;
}

std::vector<Observer::Plugin> plugins_of(const Assembly& assembly) {
  std::vector<Observer::Plugin> plugins;
  for (const auto& each : assembly.plugins)
    plugins.push_back({std::string(each->name()), "serving", std::string(each->library().version()),
                       std::string(each->library().path())});
  for (const Assembly::OutOfService& each : assembly.out_of_service)
    plugins.push_back({each.name, each.quarantined ? "quarantined" : "out of service", "", each.file});
  return plugins;
}

}  // namespace leat::server

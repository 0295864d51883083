#include "server/commands/run.h"

#include <optional>
#include <utility>

#include "base/allocator.h"
#include "base/log.h"
#include "config/config.h"
#include "config/secrets.h"
#include "server/commands/plugin_run.h"
#include "server/process/exit_code.h"
#include "server/process/signals.h"
#include "server/running_settings.h"
#include "server/serve.h"

namespace leat::server {

namespace {

// Of all that is declared the supervisor needs the settings alone.
struct SettingsAlone {
  config::Settings settings;
  config::Secrets secrets;
};

std::optional<SettingsAlone> read_settings(const Command& command) {
  auto [config, diagnostics] = config::load(command.file, command.overrides);
  if (!config) return std::nullopt;
  make_absolute(*config, command.folder);
  return SettingsAlone{std::move(config->settings), std::move(config->secrets)};
}

}  // namespace

int run(const Command& command) {
  std::optional<HangWatch> hangs;  // outlives the plugins
  plugin::PluginLibraries libraries(command.compiled_in);
  block_signals();
  InheritedSockets inherited = InheritedSockets::from_environment();
  UpgradeChannel former = UpgradeChannel::from_environment();
  const bool takes_over = former.is_there();
  std::string tickets;
  if (takes_over && !former.receive(inherited, tickets)) {
    log::error("the daemon that this one is to take over from did not pass its sockets");
    return kExitFailure;
  }
  ListeningSockets sockets;
  SocketChannel channel;
  LastGood last_good;
  const ServingParts parts{.libraries = libraries,
                           .hangs = hangs,
                           .sockets = sockets,
                           .channel = channel,
                           .inherited = inherited,
                           .former = former,
                           .last_good = last_good};
  const std::optional<SettingsAlone> known = read_settings(command);
  give_memory_back();
  if (known) log::set_format(known->settings.log.format);
  // What is wrong with the configuration is said where it is loaded with all its plugins.
  if (!known || !command.supervise || !known->settings.supervision.on)
    return serve(command, nullptr, {}, parts);
  // A restart and a reload read a file that may have changed; there are sockets for this many workers.
  const config::Settings& settings = known->settings;
  const KeptSettings kept{&settings, worker_count(settings)};
  if (const auto opened = sockets.open(config::listening_sockets(settings), kept.workers, inherited);
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
  UpgradeOptions upgrades{
      .invocation = command.invocation, .tickets = std::move(tickets), .takes_over = takes_over};
  return supervise(settings, sockets, channel, std::move(upgrades), [&](const ServingStart& start) {
    channel.begin();
    return serve(command, &kept, start, parts);
  });
}

int run_plugin(Command command) {
  if (const auto prepared = prepare_plugin_run(command); !prepared) return prepared.error();
  return run(command);
}

}  // namespace leat::server

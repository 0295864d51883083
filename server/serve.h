// Serving: where the parts meet. What was loaded gets an assembly's generation, a pipeline for each worker, and a daemon
// with its workers; each is made here, in the order in which they depend on each other, and nowhere else.
#pragma once

#include <optional>

#include "plugin/library.h"
#include "server/commands/command_line.h"
#include "server/load.h"
#include "server/process/hang_watch.h"
#include "server/process/inherited_sockets.h"
#include "server/process/last_good.h"
#include "server/process/listening_sockets.h"
#include "server/process/socket_channel.h"
#include "server/process/supervisor.h"
#include "server/process/upgrade.h"

namespace leat::server {

// What was there before the process that serves: a supervisor's children have it of the supervisor. All of it outlives
// what serves.
struct ServingParts {
  plugin::PluginLibraries& libraries;
  std::optional<HangWatch>& hangs;  // made by the process that serves, and it outlives the plugins
  ListeningSockets& sockets;        // open already where there is a supervisor
  const SocketChannel& channel;
  InheritedSockets& inherited;
  UpgradeChannel& former;
  LastGood& last_good;
};

// Loads everything and serves until told to stop. `kept`: what a restart must not change; null without a supervisor. The
// process's exit code.
int serve(const Command& command, const KeptSettings* kept, const ServingStart& start,
          const ServingParts& parts);

}  // namespace leat::server

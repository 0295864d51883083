// What operators can ask of the daemon (process/control.h), each put together from the parts that know it.
#pragma once

#include "plugin/library.h"
#include "server/commands/command_line.h"
#include "server/generations.h"
#include "server/observer.h"
#include "server/own_metrics.h"
#include "server/process/control.h"
#include "server/process/last_good.h"
#include "server/process/supervisor.h"
#include "server/reloading.h"
#include "server/running_settings.h"

namespace leat::server {

// All of them outlive the control.
struct ControlledParts {
  RunningSettings& running;
  plugin::PluginLibraries& libraries;
  Generations& generations;
  Observer& observer;
  OwnMetrics& own;
  LifeSigns* signs;  // null without a supervisor
  LastGood& last_good;
};

// `serves`: what serves at first.
Control::Options control_options(const Command& command, const ControlledParts& parts,
                                 Reloading::Served serves);

// The plugins that serve, and those that are declared and do not.
std::vector<Observer::Plugin> plugins_of(const Assembly& assembly);

}  // namespace leat::server

// Assembly: from a configuration to plugins and a site. Loads shared objects, makes handlers and middleware,
// compiles the routes, and reports what is wrong with any of it at its place in the file.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "pipeline/site.h"
#include "plugin/host.h"
#include "plugin/middleware.h"

namespace leat::server {

// The parts in the order in which they depend on each other, providers of services before those who use them;
// destroyed the other way round.
struct Assembly {
  Assembly() = default;
  Assembly(Assembly&&) = default;
  Assembly& operator=(Assembly&&) = delete;
  ~Assembly();

  // On the thread of worker `index`: PluginInstance's functions of these names, for all, in order; those of
  // worker_fini() backwards. After a failure worker_fini() undoes what was done.
  std::expected<void, plugin::LoadError> worker_init(uint32_t index) const;
  void worker_fini(uint32_t index) const;
  // Who uses a service is told before its provider.
  void on_drain(uint64_t deadline_ns) const;

  // A plugin that is declared but does not serve: its routes answer 503.
  struct OutOfService {
    std::string name;
    std::string file;
    bool quarantined = false;  // else it needs one that is
  };

  std::vector<OutOfService> out_of_service;
  std::vector<std::shared_ptr<plugin::PluginLibrary>> libraries;
  std::vector<std::unique_ptr<plugin::PluginInstance>> plugins;
  std::unique_ptr<plugin::Kinds> kinds;  // of middleware
  std::unique_ptr<pipeline::Site> site;
};

// Consumes the declarations of `config`. Where `diagnostics` has an error already, `config` is a draft
// (config/config.h): then only more mistakes are looked for. Plugins are loaded into `libraries`, which must outlive the
// assembly; `folders` are searched for them before the installed folder. Nothing when any diagnostic is an
// error. Plugins named in `quarantined` are not loaded, nor those that need them, and their routes answer
// 503.
std::optional<Assembly> assemble(config::Config& config, plugin::PluginLibraries& libraries,
                                 std::vector<std::string> folders, uint32_t workers, Diagnostics& diagnostics,
                                 std::span<const std::string> quarantined = {});

// Where installed plugins lie: as far from this program as it was built for, so that an installation can be moved
// as a whole; where there is no such folder, the place that it was built for.
std::string installed_plugins();

}  // namespace leat::server

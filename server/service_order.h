// Which plugin uses which service of which other, and in what order they are therefore made.
//
// Settled from what the plugins' entries and the configuration say, before any code of an instance runs.
// Needs that are not met are reported at the declaration of whoever has them. A plugin that is out of service
// (its library did not load, or it is in quarantine) may be the one that would have met them: then those who
// need it are out of service too, and that is no mistake of the configuration.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "plugin/sdk/plugin.h"

namespace leat::server {

struct ServiceParty {
  const config::PluginDecl* declared;
  std::span<const leat_service> services;
  std::span<const leat_need> needs;
};

struct ServiceOrder {
  struct Use {
    const leat_service* service;
    size_t provider;  // a party
  };
  std::vector<size_t> order;  // of the parties that are in service: providers before those who use them
  std::vector<std::vector<Use>> uses;  // by party
};

// `unavailable` are the names of plugins that are not among the parties.
ServiceOrder order_services(std::span<const ServiceParty> parties, std::span<const std::string> unavailable,
                            Diagnostics& diagnostics);

}  // namespace leat::server

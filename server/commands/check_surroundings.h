// What would be wrong with a start here and now that no file of the configuration tells: addresses that cannot
// be had, a log file that cannot be written, folders of plugins that are not there. For `leat check`.
//
// Nothing is changed. Most of it depends on the user and the moment, and is a warning; an error is what can
// never work.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/value.h"
#include "config/config.h"

namespace leat::server {

// `config` with absolute paths. `admin_sockets`: where its daemon would be found; what that one listens on is
// in use as it should be.
void check_surroundings(const config::Config& config, const std::vector<std::string>& admin_sockets,
                        Diagnostics& diagnostics);

}  // namespace leat::server

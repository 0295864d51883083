// What `leat status` tells of the daemon beside its generations.
#pragma once

#include <string>

#include "server/observer.h"
#include "server/own_metrics.h"
#include "server/running_settings.h"

namespace leat::server {

// As lines, or as members of an object in JSON without its braces. Control thread.
std::string status_of(Observer& observer, OwnMetrics& own, const RunningSettings& running, bool json);

}  // namespace leat::server

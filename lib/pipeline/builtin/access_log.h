// access_log: one line for each request, through the daemon's log.
//
// Options: format = "json" (default) or "text". Neither holds header fields, so neither can leak what
// Authorization or cookies say. The target is the client's: it is escaped, and cut where it is very long.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"

namespace leat::pipeline {

std::unique_ptr<Middleware> create_access_log(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::pipeline

// What routes reach under the name leat: handlers that need no plugin, all of them, in one list.
//
// To add one: write <name>.{h,cc} beside this file and add its row in own.cc.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "handlers/condition.h"
#include "pipeline/handler.h"

namespace leat::handlers {

// What they are made of. All of it outlives them.
struct OwnHandlerContext {
  metrics::Registry& metrics;
  const Condition& condition;
  const WatchPlace& watch;
  std::string_view version;  // of the daemon
  // Who may see what it shows, as its route says. Not kept.
  std::span<const std::string> allow;
};

struct OwnHandler {
  std::string_view name;  // a route has it as leat:NAME
  std::unique_ptr<pipeline::Handler> (*create)(const OwnHandlerContext& context);
};

std::span<const OwnHandler> own_handlers();

}  // namespace leat::handlers

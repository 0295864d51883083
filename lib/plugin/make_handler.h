// make_handler: a handler of a plugin, bound to one route.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string_view>

#include "pipeline/handler.h"
#include "plugin/instance.h"
#include "plugin/route_info.h"

namespace leat::plugin {

// Where handle() runs.
enum class Executor : uint8_t {
  Worker,  // on the request's worker: it must not block
  Pool     // on a thread of the process's pool (pooled_handler.h)
};

// The handler of that name for one route. `instance` must outlive it.
std::expected<std::unique_ptr<pipeline::Handler>, LoadError> make_handler(
    PluginInstance& instance, std::string_view name, const RouteInfo& route,
    Executor executor = Executor::Worker);

}  // namespace leat::plugin

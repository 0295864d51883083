// What routes reach under the name leat: handlers that need no plugin.
//
//   leat:metrics   what is counted and measured, for Prometheus to collect. Its route is one like any other,
//                  and none without the operator's wish: who may see it is for what stands in front to say.
//
// Thread: any worker.
#pragma once

#include <expected>
#include <memory>
#include <string_view>

#include "base/metrics.h"
#include "pipeline/handler.h"
#include "plugin/elf_file.h"

namespace leat::server {

// `metrics` must outlive it.
std::expected<std::unique_ptr<pipeline::Handler>, plugin::LoadError> make_own_handler(
    std::string_view name, metrics::Registry& metrics);

}  // namespace leat::server

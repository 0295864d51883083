// What routes reach under the name leat: handlers that need no plugin.
//
//   leat:metrics   what is counted and measured, for Prometheus to collect. Whoever may see that is for the
//                  route to say: it is one like any other, with its middleware.
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

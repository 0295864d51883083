// What answers on the routes of a plugin that has crashed too often: 503, until it is loaded again.
//
// Thread: any worker.
#pragma once

#include <memory>
#include <string>

#include "pipeline/handler.h"
#include "pipeline/middleware.h"

namespace leat::handlers {

std::unique_ptr<pipeline::Handler> make_quarantine(const std::string& plugin);

// The same in the place of a middleware of the plugin, so that nothing that it guards is open. Where it is
// optional requests pass.
std::unique_ptr<pipeline::Middleware> make_quarantined_middleware(const std::string& plugin, bool optional);

}  // namespace leat::handlers

// What answers on the routes of a plugin that has crashed too often: 503, until it is loaded again.
//
// Thread: any worker.
#pragma once

#include <memory>
#include <string>

#include "pipeline/handler.h"

namespace leat::handlers {

std::unique_ptr<pipeline::Handler> make_quarantine(const std::string& plugin);

}  // namespace leat::handlers

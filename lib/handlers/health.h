// leat:health: whether the daemon lives, and whether it is to be sent requests, for who watches over it or spreads
// requests over several.
//
//   /livez, or a last segment `live`      200 for as long as the daemon answers at all
//   /readyz, `ready`, or any other path   503 from the moment on that it is told to stop, and while a plugin is out of
//                                         service, so that its routes answer 503 anyway
//
// Thread: any worker.
#pragma once

#include <memory>

#include "handlers/condition.h"
#include "pipeline/handler.h"

namespace leat::handlers {

// `condition` must outlive it.
std::unique_ptr<pipeline::Handler> make_health(const Condition& condition);

}  // namespace leat::handlers

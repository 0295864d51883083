// leat:openapi: the description of what runs, OpenAPI 3.1 as JSON; for browsers, which ask for HTML, a page that
// shows it and asks for nothing from elsewhere.
//
// It is made once, when its site is, of all routes of the host that it is asked by. Whoever can reach it learns all
// of them: who may is for middleware to say (`access`).
//
// Thread: any worker.
#pragma once

#include <memory>
#include <string_view>

#include "pipeline/handler.h"

namespace leat::handlers {

// `version`: of the daemon, a literal.
std::unique_ptr<pipeline::Handler> make_openapi(std::string_view version);

}  // namespace leat::handlers

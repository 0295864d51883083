// A Caddyfile as a configuration of Leat, as far as it is of the kind of thing that Leat does.
//
// Carried over: addresses, handle, handle_path and route as routes, matchers of paths and methods, header and
// request_header, log, limits and timeouts, trusted proxies. What Caddy does and Leat does not (TLS, passing requests on,
// files) is left to plugins, or to what stands in front, and said.
#pragma once

#include <vector>

#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

void carry_over_caddy(const std::vector<Directive>& directives, Target& target);

}  // namespace leat::server::migrate

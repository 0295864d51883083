// A configuration of nginx as one of Leat's, as far as it is of the kind of thing that Leat does.
//
// Carried over: where is listened, limits and timeouts, who may ask (allow, deny), how often and how many at once (limit_req,
// limit_conn), fields of requests and answers, logs, workers, and locations as routes. What nginx does and Leat does not (passing requests on, files, TLS) is
// left to plugins, or to what stands in front, and said.
#pragma once

#include <string>
#include <vector>

#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

void carry_over_nginx(const std::vector<Directive>& directives, Target& target);

}  // namespace leat::server::migrate

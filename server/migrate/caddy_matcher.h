// Matchers of a Caddyfile: which requests something is for, as routes have it.
#pragma once

#include <string>
#include <vector>

#include "server/migrate/directive.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

// Which requests something is for.
struct Matcher {
  std::vector<std::string> paths;  // as Caddy writes them; none: all
  std::vector<std::string> methods;
  Keys when;            // other conditions, as a route has them
  bool others = false;  // it has conditions that are none of these

  [[nodiscard]] bool is_for_all() const { return paths.empty() && methods.empty() && when.empty(); }
};

// Of "@name path /a /b", or with a block. Of several conditions all have to fit, and of the words of one any of them, as in
// Caddy: what a route cannot say so is `others`.
Matcher matcher_of(const Directive& directive);

}  // namespace leat::server::migrate

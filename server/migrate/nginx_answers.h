// What nginx answers or rewrites by itself: `return` and `rewrite`, as keys of a route.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "server/migrate/places.h"
#include "server/migrate/target.h"

namespace leat::server::migrate {

// `return` at `place`. An error is what is to be said about it.
std::expected<Keys, std::string> nginx_return(const Directive& directive, const RoutePlace& place);

// A status that a redirect can have.
constexpr bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

struct Rewritten {
  RoutePlace place;
  Keys answers;
};
// `rewrite`, where its expression is a path (^/a$), or one and all below it (^/a/(.*)$).
std::expected<Rewritten, std::string> nginx_rewrite(const Directive& directive);

// Whether `url` is that of the same host, one of `names`, by https. A listener of its own sends clients there
// (`redirect_to_https`); a route of both would send them in a circle.
bool leads_to_https(std::string_view url, const std::vector<std::string>& names);

}  // namespace leat::server::migrate

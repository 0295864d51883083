// Paths of other servers as places of routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leat::server::migrate {

// A key of a route, "path" or "prefix", and its value.
struct RoutePlace {
  std::string key, value;
};

// Of `path` itself (`exact`), or of it and all below it; of one that ends in a slash, of what is below it. Nothing where a
// route cannot have such a path.
std::optional<RoutePlace> route_place(std::string_view path, bool exact);

// The path that routes have there: a prefix is "/docs{/rest...}".
std::string pattern_text(const RoutePlace& place);

// Text of a path as a route's has it: what means something there is escaped.
std::string route_text(std::string_view path);

}  // namespace leat::server::migrate

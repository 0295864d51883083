// Paths of other servers as places of routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::server::migrate {

// A key of a route, "path" or "prefix", and its value.
struct RoutePlace {
  std::string key, value;
  bool goes_on =
      false;  // there, it is for paths as well that go on without a slash: /admin is for /administrator
  bool any_case = false;  // there, it is for paths of other capitals as well
};

// Of `path` itself (`exact`), or of it and all below it; of one that ends in a slash, of what is below it. Nothing where a
// route cannot have such a path.
std::optional<RoutePlace> route_place(std::string_view path, bool exact);

// Of a regular expression that comes to no more than that: text, segments ("[^/]+") and the rest ("/.*"), from the path's
// beginning. Nothing of any other.
struct ExpressionPlace {
  RoutePlace place;
  std::vector<std::string> groups;  // what $1 and so on are called there
};
std::optional<ExpressionPlace> place_of_expression(std::string_view expression);

// Whether what `inner` is for `outer` is for as well.
bool is_within(const RoutePlace& inner, const RoutePlace& outer);

// The path that routes have there: a prefix is "/docs{/rest...}".
std::string pattern_text(const RoutePlace& place);

// Text of a path as a route's has it: what means something there is escaped.
std::string route_text(std::string_view path);

}  // namespace leat::server::migrate

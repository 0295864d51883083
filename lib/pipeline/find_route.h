// Which route a request has: its host, then the router of that, rewrites and what becomes of slashes at the end.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "http/message.h"
#include "pipeline/hosts.h"
#include "pipeline/router.h"

namespace leat::pipeline {

class Site;

// What was found, and how. Texts are as good as the request and the site.
struct FoundRoute {
  const Host* host = nullptr;
  Router::Match match;
  // Another request with the same head could have another route: by its client, or by its listener.
  bool by_connection = false;
  // Its request was rewritten: it shows another head, in the arena.
  bool rewritten = false;
  // Where a client is told to ask again, for a path that has a route with another slash at its end; null otherwise.
  std::string_view moved;
};

// So many rewrites, one after the other, lead to a route; more lead nowhere.
inline constexpr unsigned kMostRewrites = 8;

// Finds it. A rewrite puts another head in the place of the request's. Any thread; allocates from `arena` alone.
// `listener`: as Exchange::listener() has it.
FoundRoute find_route(const Site& site, http::Request& request, std::string_view listener, Arena& arena);

}  // namespace leat::pipeline

#include "pipeline/find_route.h"

#include <algorithm>

#include "http/edited_head.h"
#include "pipeline/preflight.h"
#include "pipeline/site.h"

namespace leat::pipeline {

namespace {

using Kind = Router::Match::Kind;

// A preflight request is the business of the route that it asks about, where that has somebody who answers it: its
// handler is never called then.
void follow_preflight(const http::Request& request, Arena& arena, FoundRoute& found) {
  const auto asked = http::find_method(preflight_method(request));
  if (!asked) return;
  Facts facts{.request = request, .arena = arena, .preflight = true};
  Router::Match other;
  found.host->router.find(*asked, request.path(), arena, other, &facts);
  found.match.by_client = found.match.by_client || other.by_client;
  if (other.kind == Kind::Found && other.route->chain->preflights) found.match = other;
}

// The path with another slash at its end, or without the one that it has; null for one that has no other, and where the
// arena is full.
std::string_view other_slash(std::string_view path, Arena& arena) {
  if (path.size() < 2) return {};
  if (path.ends_with('/')) return path.substr(0, path.size() - 1);
  char* const text = arena.allocate_array<char>(path.size() + 1);
  if (text == nullptr) return {};
  *std::ranges::copy(path, text).out = '/';
  return {text, path.size() + 1};
}

// Shows a head with this path and query in the place of the request's. False: memory is out.
bool rewrite(http::Request& request, std::string_view target, Arena& arena) {
  http::EditedHead edited(request.head(), arena, http::EditedHead::kSameFields, target.size());
  if (!edited.good()) return false;
  edited.set_path(target);
  request.show_head(edited.done());
  return true;
}

// A null data(): the arena is full.
std::string_view with_query(std::string_view path, const http::Request& request, Arena& arena) {
  if (!request.head().has_query) return path;
  const std::string_view query = request.query();
  char* const text = arena.allocate_array<char>(path.size() + 1 + query.size());
  if (text == nullptr) return {};
  char* const at = std::ranges::copy(path, text).out;
  *at = '?';
  std::ranges::copy(query, at + 1);
  return {text, path.size() + 1 + query.size()};
}

// A path without a route may have one with another slash. Where that is the same, it is shown in its place: to caches one page
// must not be two.
void try_other_slash(http::Request& request, Arena& arena, Facts& facts, FoundRoute& found) {
  const std::string_view path = other_slash(request.path(), arena);
  if (path.data() == nullptr) return;
  Router::Match other;
  found.host->router.find(request.method(), path, arena, other, &facts);
  found.match.by_client = found.match.by_client || other.by_client;
  if (other.kind != Kind::Found) return;
  if (found.host->trailing_slash == TrailingSlash::Ignore) {
    other.by_client = found.match.by_client;
    found.match = other;
    const std::string_view target = with_query(path, request, arena);
    if (target.data() == nullptr || !rewrite(request, target, arena)) found.match.kind = Kind::NoMemory;
    found.rewritten = true;
  } else {
    found.moved = location_of(path, request, arena);
  }
}

void find_once(http::Request& request, Arena& arena, FoundRoute& found) {
  Facts facts{.request = request, .arena = arena};
  found.match = {};
  found.host->router.find(request.method(), request.path(), arena, found.match, &facts);
  if (found.match.kind == Kind::NotFound && found.host->trailing_slash != TrailingSlash::Exact) [[unlikely]]
    try_other_slash(request, arena, facts, found);
  if (found.match.kind == Kind::Options) [[unlikely]]
    follow_preflight(request, arena, found);
  found.by_connection = found.by_connection || found.match.by_client;
}

}  // namespace

FoundRoute find_route(const Site& site, http::Request& request, std::string_view listener, Arena& arena) {
  FoundRoute found;
  found.host = &site.hosts().find(request.host(), listener, found.by_connection);
  if (request.path() == "*") {
    // OPTIONS * asks for the server itself (RFC 9110, section 9.3.7); it is the only method with that target.
    found.match.kind = Kind::Options;
    found.match.allow = found.host->router.allow_anywhere();
    return found;
  }
  find_once(request, arena, found);
  for (unsigned rewrites = 0; found.match.kind == Kind::Found && found.match.route->rewrite; ++rewrites)
      [[unlikely]] {
    const Router::Match& match = found.match;
    if (rewrites == kMostRewrites) {
      found.match.kind = Kind::Circle;
      break;
    }
    const std::string_view target =
        match.route->rewrite->make(request, {match.params, match.param_count}, arena);
    if (target.data() == nullptr || !rewrite(request, target, arena)) {
      found.match.kind = Kind::NoMemory;
      break;
    }
    found.rewritten = true;
    find_once(request, arena, found);
  }
  return found;
}

}  // namespace leat::pipeline

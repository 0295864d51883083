// What the service of a forward_auth is told of a request beside fields of it: X-Forwarded-Method, -Proto, -Host, -Uri and -For,
// as Leat knows them, and never as the client has sent them.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/arena.h"
#include "http/message.h"

namespace leat::middleware {

inline constexpr std::string_view kForwarded = "X-Forwarded-";

// The target without what it says of scheme and host (RFC 9112, section 3.2.2): a service that looks at how it begins shall not be
// led past that.
inline std::string_view origin_form(std::string_view target, Arena& arena) {
  const size_t authority = target.find("://");
  if (target.starts_with('/') || authority == std::string_view::npos) return target;
  const size_t path = target.find_first_of("/?", authority + 3);
  if (path == std::string_view::npos) return "/";
  if (target[path] == '/') return target.substr(path);
  const std::string_view query = target.substr(path);
  char* const text = arena.allocate_array<char>(query.size() + 1);
  if (text == nullptr) return query;
  text[0] = '/';
  std::ranges::copy(query, text + 1);
  return {text, query.size() + 1};
}

struct ForwardedFact {
  std::string_view name;
  std::string_view (*of)(const http::Request& request, Arena& arena);
};
inline constexpr ForwardedFact kForwardedFacts[] = {
    {"X-Forwarded-Method",
     [](const http::Request& request, Arena&) { return http::method_name(request.method()); }},
    {"X-Forwarded-Proto", [](const http::Request& request, Arena&) { return request.scheme(); }},
    {"X-Forwarded-Host", [](const http::Request& request, Arena&) { return request.host(); }},
    {"X-Forwarded-Uri",
     [](const http::Request& request, Arena& arena) { return origin_form(request.target(), arena); }},
    {"X-Forwarded-For", [](const http::Request& request, Arena&) { return request.client(); }},
};

}  // namespace leat::middleware

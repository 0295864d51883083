// What the service of a forward_auth is told of a request beside fields of it: X-Forwarded-Method, -Proto, -Host, -Uri and -For,
// as Leat knows them, and never as the client has sent them.
#pragma once

#include <string_view>

#include "http/message.h"

namespace leat::middleware {

inline constexpr std::string_view kForwarded = "X-Forwarded-";

// The target without what it says of scheme and host (RFC 9112, section 3.2.2): a service that looks at how it begins shall not be
// led past that.
constexpr std::string_view origin_form(std::string_view target) {
  const size_t authority = target.find("://");
  if (target.starts_with('/') || authority == std::string_view::npos) return target;
  const size_t path = target.find_first_of("/?", authority + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

struct ForwardedFact {
  std::string_view name;
  std::string_view (*of)(const http::Request& request);
};
inline constexpr ForwardedFact kForwardedFacts[] = {
    {"X-Forwarded-Method", [](const http::Request& request) { return http::method_name(request.method()); }},
    {"X-Forwarded-Proto", [](const http::Request& request) { return request.scheme(); }},
    {"X-Forwarded-Host", [](const http::Request& request) { return request.host(); }},
    {"X-Forwarded-Uri", [](const http::Request& request) { return origin_form(request.target()); }},
    {"X-Forwarded-For", [](const http::Request& request) { return request.client(); }},
};

}  // namespace leat::middleware

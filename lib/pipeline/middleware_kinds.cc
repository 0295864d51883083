#include "pipeline/middleware_kinds.h"

#include <algorithm>

#include "pipeline/builtin/access_log.h"
#include "pipeline/builtin/request_id.h"
#include "pipeline/builtin/security_headers.h"

namespace leat::pipeline {

namespace {

constexpr MiddlewareKind kKinds[] = {
    middleware_kind<AccessLogOptions, create_access_log, kAccessLogRows>(
        "access_log", Phase::Observe,
        "Writes one line for each request to the log, and why its answer was cut if it was."),
    middleware_kind<RequestIdOptions, create_request_id, kRequestIdRows>(
        "request_id", Phase::Identify,
        "Gives each request an identifier and tells it to the client as X-Request-Id."),
    middleware_kind<SecurityHeadersOptions, create_security_headers, kSecurityHeadersRows>(
        "security_headers", Phase::Protect, "Adds the header fields that tell browsers to be careful."),
};

}  // namespace

std::string_view phase_name(Phase phase) {
  constexpr std::string_view kNames[] = {"observe", "identify", "protect", "limit", "transform"};
  return kNames[static_cast<size_t>(phase)];
}

std::span<const MiddlewareKind> middleware_kinds() { return kKinds; }

const MiddlewareKind* find_middleware_kind(std::string_view name) {
  const auto* found = std::ranges::find(kKinds, name, &MiddlewareKind::name);
  return found == std::end(kKinds) ? nullptr : found;
}

}  // namespace leat::pipeline

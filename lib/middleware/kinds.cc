#include "middleware/kinds.h"

#include "middleware/access_log.h"
#include "middleware/request_id.h"
#include "middleware/security_headers.h"

namespace leat::middleware {

namespace {

using pipeline::Phase;

constexpr pipeline::MiddlewareKind kKinds[] = {
    pipeline::middleware_kind<AccessLogOptions, create_access_log, kAccessLogRows>(
        "access_log", Phase::Observe,
        "Writes one line to the log for each request, with the reason if its answer was cut off."),
    pipeline::middleware_kind<RequestIdOptions, create_request_id, kRequestIdRows>(
        "request_id", Phase::Identify,
        "Gives each request an identifier and tells it to the client as X-Request-Id."),
    pipeline::middleware_kind<SecurityHeadersOptions, create_security_headers, kSecurityHeadersRows>(
        "security_headers", Phase::Protect, "Adds the header fields that tell browsers to be careful."),
};

}  // namespace

std::span<const pipeline::MiddlewareKind> kinds() { return kKinds; }

}  // namespace leat::middleware

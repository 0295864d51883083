#include "middleware/kinds.h"

#include "middleware/access.h"
#include "middleware/access_log.h"
#include "middleware/cors.h"
#include "middleware/error_pages.h"
#include "middleware/forward_auth.h"
#include "middleware/headers.h"
#include "middleware/maintenance.h"
#include "middleware/rate_limit.h"
#include "middleware/request_id.h"
#include "middleware/security_headers.h"
#include "middleware/shed.h"
#include "middleware/trace.h"
#include "middleware/trace_context.h"

namespace leat::middleware {

namespace {

using pipeline::Phase;

constexpr pipeline::MiddlewareKind kKinds[] = {
    pipeline::middleware_kind<AccessLogOptions, create_access_log, kAccessLogRows>(
        "access_log", Phase::Observe, "Writes one line for each request that has ended, however it did."),
    pipeline::middleware_kind<RequestIdOptions, create_request_id, kRequestIdRows>(
        "request_id", Phase::Identify,
        "Gives each request an identifier and tells it to the client as X-Request-Id."),
    pipeline::middleware_kind<TraceContextOptions, create_trace_context, kTraceContextRows>(
        "trace_context", Phase::Identify,
        "Takes the trace that a request is part of, or begins one, and passes it on to upstreams (W3C Trace "
        "Context)."),
    pipeline::middleware_kind<TraceOptions, create_trace, kTraceRows>(
        "trace", Phase::Identify, "Tells a collector of requests, as spans of traces (OpenTelemetry)."),
    pipeline::middleware_kind<ShedOptions, create_shed, kShedRows>(
        "shed", Phase::Identify,
        "Answers 503 to what has waited too long while there is more to do than can be done."),
    pipeline::middleware_kind<CorsOptions, create_cors, kCorsRows>(
        "cors", Phase::Identify,
        "Lets pages of other origins read answers, and answers what browsers ask before (CORS)."),
    pipeline::middleware_kind<SecurityHeadersOptions, create_security_headers, kSecurityHeadersRows>(
        "security_headers", Phase::Protect, "Adds the header fields that tell browsers to be careful."),
    pipeline::middleware_kind<HeadersOptions, create_headers, kHeadersRows>(
        "headers", Phase::Transform, "Sets, adds and removes header fields of requests and answers."),
    pipeline::middleware_kind<AccessOptions, create_access, kAccessRows>(
        "access", Phase::Protect, "Answers 403 to whoever its rules do not let in."),
    pipeline::middleware_kind<MaintenanceOptions, create_maintenance, kMaintenanceRows>(
        "maintenance", Phase::Protect, "Answers 503 to all but those who do the work."),
    pipeline::middleware_kind<ErrorPagesOptions, create_error_pages, kErrorPagesRows>(
        "error_pages", Phase::Transform,
        "Gives errors to people as pages, and to programs as problems (RFC 9457), as Accept says."),
    pipeline::middleware_kind<ForwardAuthOptions, create_forward_auth, kForwardAuthRows>(
        "forward_auth", Phase::Protect, "Asks another service whether a request may pass."),
    pipeline::middleware_kind<RateLimitOptions, create_rate_limit, kRateLimitRows>(
        "rate_limit", Phase::Limit,
        "Answers 429 to clients, or other keys, that ask more often than they may."),
};

}  // namespace

std::span<const pipeline::MiddlewareKind> kinds() { return kKinds; }

}  // namespace leat::middleware

#include "middleware/kinds.h"

#include "middleware/access.h"
#include "middleware/access_log.h"
#include "middleware/api_key.h"
#include "middleware/basic_auth.h"
#include "middleware/compress.h"
#include "middleware/concurrency.h"
#include "middleware/cors.h"
#include "middleware/csrf.h"
#include "middleware/decompress.h"
#include "middleware/error_pages.h"
#include "middleware/formats.h"
#include "middleware/forward_auth.h"
#include "middleware/headers.h"
#include "middleware/jwt.h"
#include "middleware/maintenance.h"
#include "middleware/rate_limit.h"
#include "middleware/request_id.h"
#include "middleware/security_headers.h"
#include "middleware/sessions.h"
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
    pipeline::middleware_kind<SessionsOptions, create_sessions, kSessionsRows>(
        "sessions", Phase::Identify, "Knows who asks again, by a sealed cookie that has all that is known."),
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
    pipeline::middleware_kind<CsrfOptions, create_csrf, kCsrfRows>(
        "csrf", Phase::Protect,
        "Answers 403 to pages of other sites that ask for a change in a user's name."),
    pipeline::middleware_kind<ApiKeyOptions, create_api_key, kApiKeyRows>(
        "api_key", Phase::Protect, "Answers 401 to requests without a key that is known."),
    pipeline::middleware_kind<BasicAuthOptions, create_basic_auth, kBasicAuthRows>(
        "basic_auth", Phase::Protect, "Answers 401 to requests without a name and its password."),
    pipeline::middleware_kind<JwtOptions, create_jwt, kJwtRows>(
        "jwt", Phase::Protect, "Answers 401 to requests without a signed token that is good."),
    pipeline::middleware_kind<ForwardAuthOptions, create_forward_auth, kForwardAuthRows>(
        "forward_auth", Phase::Protect, "Asks another service whether a request may pass."),
    pipeline::middleware_kind<RateLimitOptions, create_rate_limit, kRateLimitRows>(
        "rate_limit", Phase::Limit,
        "Answers 429 to clients, or other keys, that ask more often than they may."),
    pipeline::middleware_kind<ConcurrencyOptions, create_concurrency, kConcurrencyRows>(
        "concurrency", Phase::Limit,
        "Answers 429 to clients, or other keys, that have more requests under way than they may."),
    pipeline::middleware_kind<DecompressOptions, create_decompress, kDecompressRows>(
        "decompress", Phase::Transform,
        "Takes requests' bodies out of gzip, deflate, br or zstd for handlers."),
    pipeline::middleware_kind<CompressOptions, create_compress, kCompressRows>(
        "compress", Phase::Content, "Packs answers in zstd, br or gzip for clients that take them so."),
    pipeline::middleware_kind<FormatsOptions, create_formats, kFormatsRows>(
        "formats", Phase::Content,
        "Writes answers in CBOR or MessagePack for clients that would rather have them than JSON, and reads "
        "bodies of that kind."),
};

}  // namespace

std::span<const pipeline::MiddlewareKind> kinds() { return kKinds; }

}  // namespace leat::middleware

// Field names that something in the daemon looks up, numbered so that a look-up compares one integer.
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::http {

// X(name in code, name on the wire as Leat writes it)
// clang-format off
#define LEAT_HTTP_HEADERS(X) \
  X(Accept, "Accept") X(AcceptEncoding, "Accept-Encoding") X(AcceptLanguage, "Accept-Language") \
  X(AccessControlRequestHeaders, "Access-Control-Request-Headers") \
  X(AccessControlRequestMethod, "Access-Control-Request-Method") \
  X(Age, "Age") X(Allow, "Allow") X(Authorization, "Authorization") X(CacheControl, "Cache-Control") \
  X(Connection, "Connection") X(ContentDisposition, "Content-Disposition") \
  X(ContentEncoding, "Content-Encoding") X(ContentLanguage, "Content-Language") \
  X(ContentLength, "Content-Length") X(ContentType, "Content-Type") X(Cookie, "Cookie") X(Date, "Date") \
  X(Dnt, "DNT") X(Etag, "ETag") X(Expect, "Expect") X(Expires, "Expires") X(Forwarded, "Forwarded") \
  X(From, "From") X(Host, "Host") X(Http2Settings, "HTTP2-Settings") X(IfMatch, "If-Match") \
  X(IfModifiedSince, "If-Modified-Since") X(IfNoneMatch, "If-None-Match") X(IfRange, "If-Range") \
  X(IfUnmodifiedSince, "If-Unmodified-Since") X(KeepAlive, "Keep-Alive") X(LastModified, "Last-Modified") \
  X(Link, "Link") X(Location, "Location") X(Origin, "Origin") X(Pragma, "Pragma") X(Priority, "Priority") \
  X(ProxyAuthorization, "Proxy-Authorization") X(ProxyConnection, "Proxy-Connection") X(Range, "Range") \
  X(Referer, "Referer") X(RetryAfter, "Retry-After") X(SecFetchDest, "Sec-Fetch-Dest") \
  X(SecFetchMode, "Sec-Fetch-Mode") X(SecFetchSite, "Sec-Fetch-Site") X(Server, "Server") \
  X(SetCookie, "Set-Cookie") X(Te, "TE") X(Traceparent, "traceparent") X(Tracestate, "tracestate") \
  X(Trailer, "Trailer") X(TransferEncoding, "Transfer-Encoding") X(Upgrade, "Upgrade") \
  X(UserAgent, "User-Agent") X(Vary, "Vary") X(Via, "Via") X(WwwAuthenticate, "WWW-Authenticate") \
  X(XForwardedFor, "X-Forwarded-For") X(XForwardedHost, "X-Forwarded-Host") \
  X(XForwardedPort, "X-Forwarded-Port") X(XForwardedPrefix, "X-Forwarded-Prefix") \
  X(XForwardedProto, "X-Forwarded-Proto") X(XForwardedServer, "X-Forwarded-Server") \
  X(XRealIp, "X-Real-IP") X(XRequestId, "X-Request-Id")
// clang-format on

enum class HeaderId : uint8_t {
  Unknown,
#define X(name, text) name,
  LEAT_HTTP_HEADERS(X)
#undef X
};

#define X(name, text) +1
inline constexpr auto kLastHeaderId = static_cast<HeaderId>(0 LEAT_HTTP_HEADERS(X));
#undef X

// By which proxies tell of a request (http/forwarding.h).
constexpr bool is_forwarding_field(HeaderId id) {
  return (id >= HeaderId::XForwardedFor && id <= HeaderId::XRealIp) || id == HeaderId::Forwarded;
}

// The number of a field name, a token of any case; Unknown for names that are not in the table.
HeaderId find_header(std::string_view name);
// The name as Leat writes it; empty for Unknown.
std::string_view header_name(HeaderId id);

}  // namespace leat::http

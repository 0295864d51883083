#include "cache/cache_query.h"

#include <fmt/core.h>

#include "base/text.h"
#include "http/service.h"

namespace leat::cache {

CacheQuery::CacheQuery(http::Exchange& exchange, bool obeyed)
    : now_ms(exchange.worker().now_ns() / 1'000'000) {
  const http::Head& head = exchange.request.head();
  body = head.framing != http::Framing::None;
  // Whoever has proved who it is may have had the field taken from its request.
  authorized = !exchange.request.user().empty() || exchange.request.had_credentials();
  bool has_control = false, pragma = false;
  for (const http::HeaderSlot& slot : head.headers()) {
    switch (slot.id) {
      case http::HeaderId::Authorization:
        authorized = true;
        break;
      case http::HeaderId::Cookie:
        cookies = true;
        break;
      case http::HeaderId::Range:
      case http::HeaderId::IfMatch:
      case http::HeaderId::IfUnmodifiedSince:
      case http::HeaderId::IfRange:
        partial = true;
        break;
      case http::HeaderId::IfNoneMatch:
      case http::HeaderId::IfModifiedSince:
        conditional = true;
        break;
      case http::HeaderId::CacheControl:
        has_control = true;
        if (obeyed) control.add(head.view(slot.value));
        break;
      case http::HeaderId::Pragma:
        for_each_item(head.view(slot.value),
                      [&](std::string_view item) { pragma |= equal_ignoring_case(item, "no-cache"); });
        break;
      default:
        break;
    }
  }
  // Only where there is no Cache-Control (RFC 9111, section 5.4).
  if (obeyed && pragma && !has_control) control.no_cache = true;
}

namespace {

// What is not passed on with a request that is asked anew: what is about one connection or one client's copy.
bool is_for_one(http::HeaderId id) {
  using enum http::HeaderId;
  switch (id) {
    case Connection:
    case KeepAlive:
    case ProxyConnection:
    case Te:
    case Upgrade:
    case Http2Settings:
    case Expect:
    case CacheControl:
    case Pragma:
    case IfNoneMatch:
    case IfModifiedSince:
      return true;
    default:
      return false;
  }
}

}  // namespace

std::string same_head(const http::Request& request) {
  // As it was asked, since it passes all that changes it once more; but for credentials, which are for nobody to see again.
  const bool personal = request.had_credentials() || !request.user().empty();
  const http::Head& asked = personal ? request.head() : request.asked_head();
  std::string head = fmt::format("GET {} HTTP/1.{}\r\n", request.target(), request.minor_version());
  for (const http::HeaderSlot& slot : asked.headers())
    if (!is_for_one(slot.id))
      head.append(asked.view(slot.name)).append(":").append(asked.view(slot.value)).append("\r\n");
  return head.append("\r\n");
}

http::ClientIdentity same_identity(const Policy& policy, const http::Request& request) {
  return {.client = policy.per_client || !policy.apart.empty() ? request.client() : "self",
          .scheme = request.scheme()};
}

}  // namespace leat::cache

#include "cache/policy.h"

#include <algorithm>

#include "base/text.h"
#include "cache/cache_control.h"
#include "http/date.h"

namespace leat::cache {

namespace {

// What a response's fields say, read in one go.
struct Fields {
  ResponseControl control;
  std::optional<int64_t> expires_s;  // since 1970; one that cannot be read has passed (RFC 9111, section 5.3)
  std::optional<std::string_view> age;
  bool sets_cookie = false;
  bool varies_by_all = false;  // or by what cannot be told

  Fields(const http::Response& response, int64_t now_s) {
    for (const auto& [name, value, origin, ready] : response.fields()) {
      switch (http::find_header(name)) {
        case http::HeaderId::CacheControl:
          control.add(value);
          break;
        case http::HeaderId::Expires:
          expires_s =
              std::min(expires_s.value_or(INT64_MAX), http::parse_date(trim(value), now_s).value_or(0));
          break;
        case http::HeaderId::Age:
          for_each_item(value, [this](std::string_view item) { age = age.value_or(item); });
          break;
        case http::HeaderId::SetCookie:
          sets_cookie = true;
          break;
        case http::HeaderId::Vary:
          for_each_item(value,
                        [this](std::string_view item) { varies_by_all |= item == "*" || !is_token(item); });
          break;
        default:
          break;
      }
    }
  }

  // Of a list the first counts, and what is no number says nothing (section 5.1).
  [[nodiscard]] uint32_t age_s() const { return age ? delta_seconds(*age).value_or(0) : 0; }
};

// Whether the meaning of a status is known here, and what it asks of a cache done: those of RFC 9110, section
// 15, that can be stored.
constexpr bool is_understood(uint16_t status) {
  return (status >= 200 && status <= 205) || (status >= 300 && status <= 303) || status == 305 ||
         status == 307 || status == 308 || (status >= 400 && status <= 417 && status != 402) ||
         status == 421 || status == 422 || status == 426 || status == 501 || status == 505;
}

// The lifetime that is meant where a response does not say (RFC 9110, section 15.1: what may be assumed).
uint64_t assumed_ttl(const Policy& policy, uint16_t status) {
  switch (status) {
    case 200:
    case 203:
    case 204:
    case 300:
    case 301:
    case 308:
      return policy.ttl_ms;
    case 404:
    case 405:
    case 410:
    case 414:
    case 501:
      return policy.negative_ttl_ms;
    default:
      return 0;
  }
}

constexpr uint64_t in_ms(uint32_t seconds) { return uint64_t{seconds} * 1000; }
// What a plugin wishes may be any number; more than the longest time is that.
constexpr uint64_t wished(uint64_t ms) { return std::min(ms, in_ms(kMostSeconds)); }

uint64_t lifetime(const Policy& policy, uint16_t status, const Fields& fields, const Wishes& wishes,
                  int64_t now_s) {
  if (wishes.ttl_ms) return wished(*wishes.ttl_ms);
  if (fields.control.s_maxage) return in_ms(*fields.control.s_maxage);
  if (fields.control.max_age) return in_ms(*fields.control.max_age);
  if (!fields.expires_s) return assumed_ttl(policy, status);
  const int64_t left = *fields.expires_s - now_s;
  return in_ms(static_cast<uint32_t>(std::clamp<int64_t>(left, 0, kMostSeconds)));
}

}  // namespace

Judgement judge(const Policy& policy, const http::Response& response, const Wishes& wishes, bool authorized,
                uint32_t chance, int64_t now_s) {
  using Kind = Judgement::Kind;
  if (is_failure(response.status)) return {.kind = Kind::Failure};
  if (response.status == 304) return {.kind = Kind::Neutral};
  const Fields fields(response, now_s);
  const ResponseControl& control = fields.control;
  Judgement judgement;
  judgement.for_authorized = control.for_authorized();
  // Who understands the status goes by must-understand, and else by the no-store beside it (section 5.2.2.3).
  const bool no_store = control.must_understand ? !is_understood(response.status) : control.no_store;
  if (response.status < 200 || response.status == 206 || no_store || control.no_cache || control.is_private ||
      fields.sets_cookie || fields.varies_by_all || wishes.no_store ||
      (authorized && !judgement.for_authorized))
    return judgement;

  const uint64_t whole = lifetime(policy, response.status, fields, wishes, now_s);
  const uint64_t age = in_ms(fields.age_s());
  const uint64_t left = whole > age ? whole - age : 0;
  judgement.age_s = fields.age_s();
  judgement.fresh_ms = left - left * (chance % (policy.jitter + 1)) / 100;
  if (!control.never_stale()) {
    const auto stale = [](const std::optional<uint64_t>& wish, const std::optional<uint32_t>& said,
                          uint64_t otherwise) {
      return wish ? wished(*wish) : said ? in_ms(*said) : otherwise;
    };
    judgement.stale_ms = stale(wishes.stale_while_revalidate_ms, control.stale_while_revalidate,
                               policy.stale_while_revalidate_ms);
    judgement.error_ms = stale(wishes.stale_if_error_ms, control.stale_if_error, policy.stale_if_error_ms);
  }
  // What is stale from the start is stored only for a lifetime that was said, not for want of one.
  if (judgement.fresh_ms != 0) judgement.kind = Kind::Store;
  return judgement;
}

}  // namespace leat::cache

// Policy: what one route's responses are to the cache, and the judgement on a response (RFC 9111, section 3).
//
// The handler has the first word, by the fields of its response and by what its plugin says through
// leat.response_cache/1; the route's settings fill in what it leaves open, and some things neither can allow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "http/message.h"

namespace leat::cache {

// [route.cache]. Times are milliseconds.
struct Policy {
  enum class Query : uint8_t { All, None, Listed };

  // For responses that do not say how long they stay good; 0: those are not stored.
  uint64_t ttl_ms = 0;
  uint64_t negative_ttl_ms = 0;  // the same for 404, 405, 410, 414 and 501
  uint64_t stale_while_revalidate_ms = 0;
  uint64_t stale_if_error_ms = 0;
  uint32_t jitter = 10;  // percent: at most so much of a lifetime is taken off, by chance
  Query query = Query::All;
  std::vector<std::string> parameters;  // with Listed, those that the handler looks at
  uint32_t variants = 64;               // of one target, by Vary
  uint64_t wait_ms = 5000;              // for the answer that another request's handler is making
  uint64_t pass_ms = 10'000;            // nobody waits where a response could not be stored, for so long
  bool per_client = false;              // each client's are its own
  bool cookies = false;                 // true: requests with cookies are answered from the cache as well
  bool etag = true;                     // tags are made where the handler gives none
  bool client_control = false;          // whether Cache-Control of requests is obeyed
  // What its requests have besides host and path, where others with the same ones have another route: conditions of the
  // route, listeners of its host. Empty: nothing.
  std::string apart = {};
};

// What a plugin says of one response.
struct Wishes {
  bool no_store = false;
  std::optional<uint64_t> ttl_ms, stale_while_revalidate_ms, stale_if_error_ms;
};

struct Judgement {
  enum class Kind : uint8_t {
    Store,
    Pass,     // it is not to be stored, and the next of its target won't be either
    Neutral,  // it is about its request alone: a 304
    Failure   // 500, 502, 503, 504: what stale-if-error is for
  };
  Kind kind = Kind::Pass;
  bool for_authorized = false;
  uint32_t age_s = 0;     // that it comes with
  uint64_t fresh_ms = 0;  // from now on, its age and the jitter taken off
  uint64_t stale_ms = 0;  // after that, while it is made anew
  uint64_t error_ms = 0;  // after that, while its handler fails
};

// `authorized`: the request has credentials. `chance` is any number, for the jitter; `now_s` the wall clock.
Judgement judge(const Policy& policy, const http::Response& response, const Wishes& wishes, bool authorized,
                uint32_t chance, int64_t now_s);

// Whether `status` is one that stale-if-error covers (RFC 5861, section 4).
constexpr bool is_failure(uint16_t status) {
  return status == 500 || status == 502 || status == 503 || status == 504;
}

}  // namespace leat::cache

// CacheQuery: what a request says to a cache, and the head of one that asks for the same on nobody's behalf.
//
// Private to lib/cache. Its views are of the request's head, and as good as that.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cache/cache_control.h"
#include "cache/policy.h"
#include "http/exchange.h"

namespace leat::cache {

// What a request's head says to a cache, read in one go.
struct CacheQuery {
  bool body = false;
  bool authorized = false;
  bool cookies = false;
  bool partial = false;      // a range, or a condition that only the handler can judge
  bool conditional = false;  // with a condition that is judged by what is stored
  RequestControl control;
  uint64_t now_ms = 0;  // CLOCK_MONOTONIC, of its turn

  CacheQuery() = default;
  // `obeyed`: Cache-Control counts.
  CacheQuery(http::Exchange& exchange, bool obeyed);

  // Whether a stored response that is that old, and fresh for so long (less than nothing: stale), is one that
  // the client takes.
  [[nodiscard]] bool takes(uint64_t age_s, int64_t left_ms) const {
    if (control.max_age && age_s > *control.max_age) return false;
    return !control.min_fresh || left_ms >= int64_t{*control.min_fresh} * 1000;
  }
};

// The head of a request for what `request` asks for: no larger than that one's, and with no more fields, so
// that the limits that let the one pass stop the other neither.
std::string same_head(const http::Request& request);
// For whom it is, as far as that is in its key (key.h) or may have led to its route.
http::ClientIdentity same_identity(const Policy& policy, const http::Request& request);

}  // namespace leat::cache

// rate_limit: each key may ask so often, with bursts; who asks more often is answered 429 and told when to come again.
//
// A key is the client by default: its address as trusted proxies tell it, an IPv6 one by its first 64 bits, since who has
// one has all that begin with them. Other parts of a request can be keys or be added to one. What is counted lies in one
// table for all workers (rate_table.h), which stays over a reload where the options are the same.
//
// Clients learn of it by the fields RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers-10) and by
// Retry-After. A request of the daemon to itself, for its cache, counts for nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/rate_table.h"
#include "middleware/request_key.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct RateLimitOptions {
  std::string rate = "100/s";
  uint32_t burst = 0;
  std::vector<std::string> key = {"client"};
  uint32_t ipv4_prefix = 32;
  uint32_t ipv6_prefix = 64;
  uint32_t keys = 65'536;
  bool fields = true;
};

// A Row::Check.
std::string check_rate(std::string_view called, std::string_view text);

inline constexpr schema::Row kRateLimitRows[] = {
    schema::text<&RateLimitOptions::rate>(
        "rate", check_rate, 0,
        "How often each key may ask, on average: requests and, behind a slash, the time "
        "in which they may come, `100/s`, `1000/min`, `5/h`, `1/d` or `30/10s`."),
    schema::automatic<&RateLimitOptions::burst>(
        "burst", 1, int64_t{Rate::kMostBurst},
        "How many may come at once, after a rest; auto is as many as `rate` names."),
    schema::list<&RateLimitOptions::key>("key", "parts of a key", check_key_part, 0, kKeyPartsHelp),
    schema::count<&RateLimitOptions::ipv4_prefix>(
        "ipv4_prefix", 1, 32, "Clients whose IPv4 addresses begin with the same so many bits are one."),
    schema::count<&RateLimitOptions::ipv6_prefix>("ipv6_prefix", 1, 128, "The same of IPv6 addresses."),
    schema::count<&RateLimitOptions::keys>("keys", 8, 16'777'216,
                                           "How many keys are told apart at a time, 8 bytes each. Beyond "
                                           "them the one that has used least is forgotten."),
    schema::boolean<&RateLimitOptions::fields>("fields",
                                               "Tell clients by the fields RateLimit and RateLimit-Policy."),
};

// "1000/min" as a Rate without a burst; nothing for what is none.
std::optional<Rate> read_rate(std::string_view text);

std::unique_ptr<pipeline::Middleware> create_rate_limit(const RateLimitOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware

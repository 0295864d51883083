// concurrency: each key may have so many requests under way at a time; one more is answered 429 at once.
//
// The keys are those of rate_limit (request_key.h). A request has its place from this step on until it has ended, in whatever
// way: answered to the last byte, left by its client, given up. What is counted lies in one table for all workers
// (place_table.h), which stays over a reload where the options are the same.
//
// Where all requests are one key it is the server that has no more room, and the answer is 503, as it is where the table has
// none. A request of the daemon to itself, for its cache, counts for nobody.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/schema.h"
#include "middleware/place_table.h"
#include "middleware/request_key.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct ConcurrencyOptions {
  uint32_t limit = 64;
  std::vector<std::string> key = {"client"};
  uint32_t ipv4_prefix = 32;
  uint32_t ipv6_prefix = 64;
  uint32_t keys = 65'536;
};

inline constexpr schema::Row kConcurrencyRows[] = {
    schema::count<&ConcurrencyOptions::limit>("limit", 1, int64_t{PlaceTable::kMostPlaces},
                                              "How many requests of a key are under way at a time."),
    schema::list<&ConcurrencyOptions::key>("key", "parts of a key", check_key_part, 0, kKeyPartsHelp),
    schema::count<&ConcurrencyOptions::ipv4_prefix>(
        "ipv4_prefix", 1, 32, "Clients whose IPv4 addresses begin with the same so many bits are one."),
    schema::count<&ConcurrencyOptions::ipv6_prefix>("ipv6_prefix", 1, 128, "The same of IPv6 addresses."),
    schema::count<&ConcurrencyOptions::keys>("keys", 8, 16'777'216,
                                             "Room for keys that have requests under way, 8 bytes each; "
                                             "twice as many as there are at a time are enough."),
};

std::unique_ptr<pipeline::Middleware> create_concurrency(const ConcurrencyOptions& options,
                                                         const pipeline::BuildContext& context);

}  // namespace leat::middleware

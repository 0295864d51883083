// shed: where more is asked than can be done, what has waited for too long is answered 503 before anything is done for it.
//
// Without it all are served late, and those whose clients have given up by then, too. A worker's queue is what came in one
// turn of its loop: who is handled last has waited for all the others. Where that is more than `target` in each turn of an
// `interval`, what has waited longer is sent away from then on, until a turn ends in time (queue_delay.h). So a turn does as
// much as fits into the target and no more. A route with executor = "pool" has the pool's queue as well, by how long the
// one waits that is next.
//
// Whoever shall wait longer has an instance of its own, with a larger target, or none. It comes with the kinds that identify
// requests, before all that cost anything.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct ShedOptions {
  uint32_t target_ms = 50;
  uint32_t interval_ms = 200;
  uint32_t pool_target_ms = 500;
  uint32_t retry_after_s = 1;
  std::vector<std::string> exempt;
};

// A Row::Check: the path of a route.
std::string check_exempt(std::string_view called, std::string_view text);

inline constexpr schema::Row kShedRows[] = {
    schema::duration<&ShedOptions::target_ms>(
        "target", 1, 60'000,
        "How long requests may wait for their worker while it has more of them than it can do."),
    schema::duration<&ShedOptions::interval_ms>(
        "interval", 1, 600'000,
        "How long they all must have waited longer than that before one is sent away."),
    schema::duration<&ShedOptions::pool_target_ms>("pool_target", 1, 600'000,
                                                   "In place of `target`, for a thread of the pool."),
    schema::count<&ShedOptions::retry_after_s>("retry_after", 1, 86'400,
                                               "The seconds after which who is sent away may come again."),
    schema::list<&ShedOptions::exempt>("exempt", "paths of routes", check_exempt, 0,
                                       "Routes whose requests are never sent away, by their `path`."),
};

std::unique_ptr<pipeline::Middleware> create_shed(const ShedOptions& options,
                                                  const pipeline::BuildContext& context);

}  // namespace leat::middleware

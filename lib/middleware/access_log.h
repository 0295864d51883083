// access_log: one line for each request, through the daemon's log.
//
// The status is that of the answer; where that was cut half-way, or never came, it is that of the reason,
// which follows as "cut". No header field is in it, so that it cannot leak what Authorization or cookies say.
// The target is the client's: it is escaped, and cut where it is very long.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"
#include "pipeline/options.h"

namespace leat::middleware {

inline constexpr pipeline::Option kAccessLogOptions[] = {
    {"format",
     pipeline::Option::Type::Choice,
     "json",
     "What a line is: an object, or words for people.",
     {"json", "text"}},
};

std::unique_ptr<pipeline::Middleware> create_access_log(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::middleware

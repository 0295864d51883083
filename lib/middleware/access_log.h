// access_log: one line for each request, through the daemon's log.
//
// The status is that of the answer; where that was cut half-way, or never came, it is that of the reason,
// which follows as "cut". No header field is in it, so that it cannot leak what Authorization or cookies say.
// The target is the client's: it is escaped, and cut where it is very long.
#pragma once

#include <memory>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct AccessLogOptions {
  enum class Format : uint8_t { Json, Text };
  Format format = Format::Json;
  bool listener = false;
};
inline constexpr schema::Row kAccessLogRows[] = {
    schema::choice<&AccessLogOptions::format>("format", "json text",
                                              "What a line is: an object, or words for people."),
    schema::boolean<&AccessLogOptions::listener>(
        "listener", "Whether a line tells by which of Leat's addresses the request came."),
};

std::unique_ptr<pipeline::Middleware> create_access_log(const AccessLogOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware

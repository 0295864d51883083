// request_id: a name for each request, in the log, in errors and in the answer.
//
// Behind a proxy that sets X-Request-Id, trusting it ties both logs together; facing clients, it would let
// them choose. Only 1 to 128 token characters are trusted.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"
#include "pipeline/options.h"

namespace leat::middleware {

inline constexpr pipeline::Option kRequestIdOptions[] = {
    {"trust",
     pipeline::Option::Type::Boolean,
     "false",
     "Take the X-Request-Id that the request came with.",
     {}},
};

std::unique_ptr<pipeline::Middleware> create_request_id(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::middleware

// request_id: a name for each request, in the log, in errors and in the answer.
//
// Behind a proxy that sets X-Request-Id, trusting it ties both logs together; facing clients, it would let
// them choose. Only 1 to 128 token characters are trusted.
#pragma once

#include <memory>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct RequestIdOptions {
  bool trust = false;
};
inline constexpr schema::Row kRequestIdRows[] = {
    schema::boolean<&RequestIdOptions::trust>("trust", "Take the X-Request-Id that the request came with."),
};

std::unique_ptr<pipeline::Middleware> create_request_id(const RequestIdOptions& options,
                                                        const pipeline::BuildContext& context);

}  // namespace leat::middleware

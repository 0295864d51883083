// request_id: a name for each request, in the log, in errors and in the answer: a UUID of version 7 (RFC 9562).
//
//   019acf2e-7b1c-7a04-9c3e-5d1f0b7a2e64
//   milliseconds  |    random, by a fast generator that the kernel has seeded: not a secret
//                 counts on within a millisecond, so that the names of a worker are in order
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

// The time of a UUID that is made at `now_ms` (since 1970) after one of `last_ms`: it goes on where the clock was set
// back by a little, and follows where it was set by more.
uint64_t next_uuid_ms(uint64_t last_ms, uint64_t now_ms);

}  // namespace leat::middleware

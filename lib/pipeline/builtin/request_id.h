// request_id: a name for each request, in the log, in errors and in the answer.
//
// Options: trust (default false): take the client's X-Request-Id if it is 1 to 128 token characters. Behind a
// proxy that sets it this ties both logs together; facing clients it would let them choose.
#pragma once

#include <memory>

#include "base/value.h"
#include "pipeline/handler.h"

namespace leat::pipeline {

std::unique_ptr<Middleware> create_request_id(const Value& options, Diagnostics& diagnostics);

}  // namespace leat::pipeline

// trace_context: the place of a request in a trace that goes through several programs (W3C Trace Context, level 2).
//
// A valid traceparent is taken: the request is a part of that trace, under a span of its own, whose parent is the one
// that the field names. Otherwise, or where clients are not believed, a trace begins here. What is asked of upstreams
// for the request's sake is told of the request's span, and tracestate goes on as it came (lib/client).
#pragma once

#include <memory>

#include "base/schema.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct TraceContextOptions {
  bool trust = true;
  bool sampled = true;
};
inline constexpr schema::Row kTraceContextRows[] = {
    schema::boolean<&TraceContextOptions::trust>(
        "trust", "Take the trace that the request came with; otherwise each request begins one."),
    schema::boolean<&TraceContextOptions::sampled>(
        "sampled", "Of traces that begin here others are told that they are recorded."),
};

std::unique_ptr<pipeline::Middleware> create_trace_context(const TraceContextOptions& options,
                                                           const pipeline::BuildContext& context);

}  // namespace leat::middleware

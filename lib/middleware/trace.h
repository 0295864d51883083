// trace: spans of requests, told to a collector by the OpenTelemetry protocol (OTLP over HTTP, Protocol Buffers).
//
// A request has its place in a trace as trace_context makes it, or this one where there is none. Whether its trace is recorded
// says whoever began it; of those that begin here a part is, which is chosen by the trace's identifier, so that all who
// choose by the same part choose the same. A request that is recorded makes a span when it ends, and so does each question to
// an upstream for its sake, which that one is told of as its parent. What they say follows the semantic conventions for HTTP,
// version 1.27.
//
// A span is encoded once, into memory of its worker that was there before, and leaves in a batch (span_lane.h). What is not
// recorded costs the making of its traceparent.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/schema.h"
#include "middleware/upstream_option.h"
#include "pipeline/middleware_kind.h"

namespace leat::middleware {

struct TraceOptions {
  std::string url;
  std::string path = "/v1/traces";
  std::vector<std::string> fields;
  std::string service = "leat";
  std::vector<std::string> resource;
  double ratio = 1;
  bool trust = true;
  bool query = false;
  uint32_t batch = 512;
  uint32_t interval_ms = 5'000;
  uint64_t queue = uint64_t{1} << 20;
  uint32_t value = 1024;
  uint32_t timeout_ms = 10'000;
  uint32_t retry_ms = 60'000;
  uint32_t stop_timeout_ms = 500;
};

// A Row::Check each: "Name: value" of the requests to the collector, and "key=value" of the resource.
std::string check_collector_field(std::string_view called, std::string_view text);
std::string check_resource(std::string_view called, std::string_view text);

inline constexpr schema::Row kTraceRows[] = {
    schema::text<&TraceOptions::url>(
        "url", check_upstream, 0,
        "The collector, which takes OTLP over HTTP: `http://HOST[:PORT]` or `https://...`, most often with "
        "port 4318, or `unix:/PATH`.")
        .as_needed(),
    schema::text<&TraceOptions::path>("path", check_upstream_path, 0, "Where it takes spans."),
    schema::list<&TraceOptions::fields>("fields", "fields", check_collector_field, 0,
                                        "Fields of the requests to it: `Authorization: ${file:token}`."),
    schema::text<&TraceOptions::service>("service", 255, "What this service is called (`service.name`)."),
    schema::list<&TraceOptions::resource>(
        "resource", "attributes", check_resource, 0,
        "What else is said of it: `service.version=1.4`, `deployment.environment.name=production`."),
    schema::real<&TraceOptions::ratio>("ratio", 0, 1,
                                       "Of traces that begin here, the part that is recorded."),
    schema::boolean<&TraceOptions::trust>("trust",
                                          "Take the trace that the request came with, and whether it is "
                                          "recorded; otherwise each request begins one."),
    schema::boolean<&TraceOptions::query>("query", "Record queries, which may hold secrets."),
    schema::count<&TraceOptions::batch>("batch", 1, 65'536, "Spans of a worker that are sent together."),
    schema::duration<&TraceOptions::interval_ms>("interval", 10, 3'600'000,
                                                 "How long the first of them waits for others."),
    schema::size<&TraceOptions::queue>("queue", 16 << 10, 64 << 20,
                                       "Of the spans of a worker that wait, and of those that are on their "
                                       "way, each. What comes beyond them is dropped."),
    schema::size<&TraceOptions::value>("value", 16, 4096,
                                       "Of what a span says of one thing, at most; the rest is cut off."),
    schema::duration<&TraceOptions::timeout_ms>("timeout", 1, 600'000,
                                                "How long the collector may take to answer."),
    schema::duration<&TraceOptions::retry_ms>("retry", 0, 3'600'000,
                                              "How long a batch is tried again which did not get there."),
    schema::duration<&TraceOptions::stop_timeout_ms>("stop_timeout", 0, 1'000,
                                                     "How long the rest may take when the daemon stops."),
};

std::unique_ptr<pipeline::Middleware> create_trace(const TraceOptions& options,
                                                   const pipeline::BuildContext& context);

}  // namespace leat::middleware

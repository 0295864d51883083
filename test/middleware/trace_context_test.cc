// trace_context: what is a traceparent, and what becomes of it.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "http/trace_parent.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";
const std::string kGiven = "00-" + kTrace + "-" + kSpan + "-01";

// The request's place in its trace, and what goes on of tracestate, as a handler finds them.
std::string answered(std::string_view fields, Value::Table options = {}) {
  Stage stage(kinds());
  stage.middleware("trace_context", std::move(options));
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    const http::TraceParent& trace = exchange.request.trace();
    CHECK(trace.id() == trace.text.substr(3, 32));
    CHECK(trace.span() == trace.text.substr(36, 16));
    exchange.send(std::string(trace.text) + " " + std::string(trace.state));
    return Verdict::Done;
  };
  const std::string answer = stage.get("/", fields);
  return body_of(answer);
}

}  // namespace

TEST_CASE("trace_context: what the standard has for a traceparent, and what not") {
  CHECK(http::is_trace_parent(kGiven));
  CHECK(http::is_trace_parent("00-" + kTrace + "-" + kSpan + "-ff"));
  CHECK(http::is_trace_parent("01-" + kTrace + "-" + kSpan + "-01"));  // a later version
  CHECK(http::is_trace_parent("cc-" + kTrace + "-" + kSpan + "-01-what-comes"));
  for (const std::string& bad :
       {std::string(), std::string("00"), kGiven.substr(1), kGiven + "-more", kGiven + "x",
        "ff-" + kTrace + "-" + kSpan + "-01", "01-" + kTrace + "-" + kSpan + "-01.x",
        "00-" + std::string(32, '0') + "-" + kSpan + "-01",
        "00-" + kTrace + "-" + std::string(16, '0') + "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" + kSpan + "-01", "00-" + kTrace + "-" + kSpan + "-0g",
        "0x-" + kTrace + "-" + kSpan + "-01", "00_" + kTrace + "-" + kSpan + "-01",
        "00-" + kTrace.substr(1) + "--" + kSpan + "-01"}) {
    INFO(bad);
    CHECK_FALSE(http::is_trace_parent(bad));
  }
}

TEST_CASE("trace_context: a trace is taken with a span of one's own, or begun") {
  const std::string taken = answered("traceparent: " + kGiven + "\r\ntracestate: a=1,b=2\r\n");
  CHECK(taken.substr(0, 36) == "00-" + kTrace + "-");
  CHECK(taken.substr(36, 16) != kSpan);
  CHECK(taken.substr(52) == "-01 a=1,b=2");
  CHECK(http::is_trace_parent(taken.substr(0, 55)));
  // What a later version says more is not passed on; nor are bits that are not known.
  CHECK(answered("traceparent: 02-" + kTrace + "-" + kSpan + "-ff-x\r\n").substr(52) == "-03 ");
  for (const std::string& fields :
       {std::string(), "traceparent: " + kGiven.substr(1) + "\r\ntracestate: a=1\r\n",
        "traceparent: " + kGiven + "\r\ntraceparent: " + kGiven + "\r\ntracestate: a=1\r\n"}) {
    INFO(fields);
    const std::string begun = answered(fields);
    CHECK(http::is_trace_parent(begun.substr(0, 55)));
    CHECK_FALSE(begun.contains(kTrace));
    CHECK(begun.substr(52) == "-03 ");
    CHECK(answered(fields) != begun);
  }
  CHECK(answered("", {entry("sampled", false)}).substr(52) == "-02 ");
  CHECK_FALSE(answered("traceparent: " + kGiven + "\r\n", {entry("trust", false)}).contains(kTrace));
  CHECK(answered("traceparent: " + kGiven + "\r\ntracestate: " + std::string(513, 'a') + "\r\n")
            .ends_with("-01 "));
}

}  // namespace leat::middleware

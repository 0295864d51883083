// trace: which requests are recorded, what upstreams are told, and how spans get to a collector, or do not.
#include "middleware/trace.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "client/fetch_watch.h"
#include "client/upstream.h"
#include "http/trace_parent.h"
#include "json/allocations.h"
#include "middleware/scripted_fetcher.h"
#include "middleware/span_lane.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using client::FetchStatus;
using Next = client::Errand::Plan::Next;

const std::string kTrace = "0af7651916cd43dd8448eb211c80319c";
const std::string kSpan = "b7ad6b7169203331";

std::string bytes_of(std::string_view digits) {
  std::string bytes;
  for (size_t i = 0; i < digits.size(); i += 2)
    bytes += static_cast<char>(std::stoi(std::string(digits.substr(i, 2)), nullptr, 16));
  return bytes;
}
std::string given(const std::string& flags) {
  return "traceparent: 00-" + kTrace + "-" + kSpan + "-" + flags + "\r\n";
}
Value::Table with_url(Value::Table more = {}) {
  more.push_back(entry("url", std::string("unix:/run/collector.sock")));
  return more;
}

// A route that is traced; its handler tells of its place in the trace.
struct Traced {
  explicit Traced(Value::Table options = {}, const Surroundings& surroundings = {})
      : stage(kinds(), surroundings) {
    stage.middleware("trace", with_url(std::move(options)));
    stage.route("/users/{id}").on_handle = [this](http::Exchange& exchange) {
      trace = exchange.request.trace().text;
      watched = exchange.request.trace().watch != nullptr;
      exchange.response.status = status;
      exchange.send("hello");
      return Verdict::Done;
    };
  }
  // After the last route.
  std::string feed(const std::string& request) {
    stage.harness().worker.asks = &fetcher;
    return stage.feed(request);
  }
  std::string get(const std::string& target, const std::string& fields = "") {
    return feed("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
  }
  // The body of a batch with all that there is; empty where there is nothing.
  std::string batch() {
    if (fetcher.errand == nullptr) return {};
    client::Errand::Plan plan = fetcher.errand->plan(stage.harness().worker.now_ms + 1'000'000, false);
    if (plan.next != Next::Ask) return {};
    CHECK(plan.request.method == "POST");
    CHECK(plan.request.target == "/v1/traces");
    CHECK(plan.request.fields[0].name == "Content-Type");
    CHECK(plan.request.fields[0].value == "application/x-protobuf");
    std::string body(plan.request.body);
    client::Fetch fetch{.status = FetchStatus::Answered, .code = 200};
    fetcher.errand->on_fetched(fetch, 0);
    CHECK(fetcher.errand->plan(0, false).next == Next::Over);
    fetcher.errand.reset();
    return body;
  }

  ScriptedFetcher fetcher;
  Stage stage;
  std::string trace;
  bool watched = false;
  uint16_t status = 200;
};

// A lane with room for a few spans of a hundred bytes.
struct Lane {
  explicit Lane(SpanBatching wanted = {
                    .spans = 3, .interval_ms = 1000, .bytes = 1000, .retry_ms = 10'000, .stop_ms = 500}) {
    auto target = std::make_shared<SpanTarget>();
    target->upstream = *client::Upstream::parse("unix:/run/collector.sock", {});
    target->path = "/v1/traces";
    lane = std::make_shared<SpanLane>(target, wanted,
                                      std::make_shared<const otlp::Envelope>(
                                          otlp::Envelope::Attributes{{"service.name", "s"}}, "leat", "1"),
                                      SpanLane::SpanCounters{.exported = counter("exported"),
                                                             .full = counter("full"),
                                                             .refused = counter("refused"),
                                                             .away = counter("away")});
  }
  std::shared_ptr<metrics::Metric> counter(const std::string& result) {
    return *registry.declare({.name = "spans_total", .help = "", .labels = {{"result", result}}}, 1);
  }
  uint64_t counted(const std::string& result) { return counter(result)->count(); }
  void add(char c, uint64_t now_ms) { lane->add(std::string(100, c), &fetcher, now_ms); }
  void answered(uint16_t code, uint64_t now_ms, std::vector<client::Field> fields = {},
                std::string_view body = {}) {
    client::Fetch fetch{.status = FetchStatus::Answered, .code = code, .fields = fields, .body = body};
    lane->on_fetched(fetch, now_ms);
  }
  void failed(uint64_t now_ms) {
    client::Fetch fetch{.status = FetchStatus::Failed, .message = "it is away"};
    lane->on_fetched(fetch, now_ms);
  }

  metrics::Registry registry;
  ScriptedFetcher fetcher;
  std::shared_ptr<SpanLane> lane;
};

}  // namespace

TEST_CASE("trace: who began a trace says whether it is recorded; of those that begin here a part is") {
  Traced all;
  (void)all.get("/users/7", given("01"));
  CHECK(all.trace.starts_with("00-" + kTrace + "-"));
  CHECK(all.trace.ends_with("-01"));
  CHECK(all.watched);
  std::string batch = all.batch();
  CHECK(batch.contains(bytes_of(kTrace)));
  CHECK(batch.contains(bytes_of(all.trace.substr(36, 16))));
  CHECK(batch.contains("\x22\x08" + bytes_of(kSpan)));  // the parent
  CHECK(batch.contains("GET /users/{id}"));
  (void)all.get("/users/7", given("00"));
  CHECK(all.trace.ends_with("-00"));
  CHECK_FALSE(all.watched);
  CHECK(all.batch().empty());
  (void)all.get("/users/7");
  CHECK(all.trace.ends_with("-03"));
  batch = all.batch();
  CHECK(batch.contains(bytes_of(all.trace.substr(3, 32))));
  CHECK_FALSE(batch.contains("\x22\x08"));  // it has none

  Traced none({entry("ratio", 0.0)});
  (void)none.get("/users/7");
  CHECK(none.trace.ends_with("-02"));
  CHECK(none.batch().empty());
  (void)none.get("/users/7", given("01"));
  CHECK_FALSE(none.batch().empty());

  Traced doubts({entry("trust", false), entry("ratio", 0.0)});
  (void)doubts.get("/users/7", given("01"));
  CHECK_FALSE(doubts.trace.contains(kTrace));
  CHECK(doubts.batch().empty());

  // By the identifier: the same trace is recorded wherever the part is the same, and the larger part has the smaller in it.
  Traced half({entry("ratio", 0.5)});
  int recorded = 0;
  for (int i = 0; i < 200; ++i) {
    (void)half.get("/users/7");
    const bool is_recorded = half.trace.ends_with("-03");
    CHECK(is_recorded == (std::stoul(half.trace.substr(21, 1), nullptr, 16) >= 8));
    CHECK(is_recorded == !half.batch().empty());
    recorded += is_recorded ? 1 : 0;
  }
  CHECK(recorded > 50);
  CHECK(recorded < 150);
}

TEST_CASE("trace: a span says what the request was and what became of it") {
  Traced traced({entry("service", std::string("shop")), texts("resource", {"service.version = 1.4"})});
  traced.status = 503;
  (void)traced.feed("GET /users/7?secret=1 HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: curl/8\r\n\r\n");
  const std::string batch = traced.batch();
  for (const char* text : {"shop", "service.version", "1.4", "http.request.method", "url.path", "/users/7",
                           "http.route", "/users/{id}", "server.address", "::1", "server.port",
                           "client.address", "192.0.2.1", "user_agent.original", "curl/8",
                           "http.response.status_code", "error.type", "503", "telemetry.sdk.name"}) {
    INFO(text);
    CHECK(batch.contains(text));
  }
  CHECK_FALSE(batch.contains("secret"));
  CHECK_FALSE(batch.contains("[::1]"));

  Traced queries({entry("query", true), entry("value", int64_t{16})});
  (void)queries.feed("GET /users/7?shown=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: 0123456789abcdefgh\r\n\r\n");
  const std::string second = queries.batch();
  CHECK(second.contains("shown=1"));
  CHECK(second.contains("0123456789abcdef"));
  CHECK_FALSE(second.contains("0123456789abcdefg"));
  CHECK_FALSE(second.contains("error.type"));
  CHECK_FALSE(second.contains("server.port"));

  Traced unmatched;
  (void)unmatched.feed("PROPFIND /nowhere HTTP/1.1\r\nHost: a\r\n\r\n");
  const std::string third = unmatched.batch();
  CHECK(third.contains("http.request.method_original"));
  CHECK(third.contains("_OTHER"));
  CHECK_FALSE(third.contains("http.route"));

  Traced left;
  left.stage.route("/never").on_handle = [](http::Exchange& exchange) {
    exchange.suspend();
    return Verdict::Pending;
  };
  (void)left.get("/never");
  left.stage.session().disconnect();
  const std::string fourth = left.batch();
  CHECK(fourth.contains("499"));
  CHECK_FALSE(fourth.contains("http.response.status_code"));
}

TEST_CASE("trace: a question to an upstream is a span of its own, which the upstream is told of") {
  Traced traced;
  const auto upstream = *client::Upstream::parse("http://[::1]:81", {});
  std::string told;
  int handled = 0;
  traced.stage.route("/asks").on_handle = [&](http::Exchange& exchange) {
    client::FetchWatch* const watch = exchange.request.trace().watch;
    REQUIRE(watch != nullptr);
    for (const FetchStatus status : {FetchStatus::Answered, FetchStatus::Timeout, FetchStatus::Pending}) {
      client::Fetch fetch{.exchange = &exchange};
      told = watch->on_fetch(fetch, *upstream, {.method = "PUT", .target = "/stock?key=1"});
      CHECK(http::is_trace_parent(told));
      CHECK(told.substr(0, 36) == exchange.request.trace().text.substr(0, 36));
      CHECK(told.substr(36, 16) != exchange.request.trace().span());
      fetch.status = status;
      fetch.code = 404;
      watch->on_fetch_end(fetch);
    }
    ++handled;
    exchange.send("");
    return Verdict::Done;
  };
  (void)traced.get("/asks");
  CHECK(handled == 1);
  const std::string batch = traced.batch();
  CHECK(batch.contains(bytes_of(told.substr(36, 16))));
  for (const char* text : {"PUT", "http://[::1]:81/stock", "404", "timeout", "given_up"})
    CHECK(batch.contains(text));
  CHECK_FALSE(batch.contains("key=1"));
}

TEST_CASE("trace: beside trace_context it tells of the same trace and span, whichever comes first") {
  for (const bool first : {true, false}) {
    ScriptedFetcher fetcher;
    Stage stage(kinds());
    if (first) stage.middleware("trace_context");
    stage.middleware("trace", with_url());
    if (!first) stage.middleware("trace_context");
    std::string trace;
    stage.route("/").on_handle = [&](http::Exchange& exchange) {
      trace = exchange.request.trace().text;
      exchange.send("");
      return Verdict::Done;
    };
    stage.harness().worker.asks = &fetcher;
    (void)stage.get("/", given("01"));
    REQUIRE(fetcher.errand != nullptr);
    const std::string body(fetcher.errand->plan(stage.harness().worker.now_ms + 10'000, false).request.body);
    CHECK(body.contains(bytes_of(trace.substr(36, 16))));
    CHECK(body.contains("\x22\x08" + bytes_of(kSpan)));
  }
}

TEST_CASE("trace: a batch leaves when it is full or old, and the lane goes when nothing is left") {
  Lane lane;
  lane.add('a', 100);
  CHECK(lane.fetcher.errand == lane.lane);
  auto plan = lane.lane->plan(100, false);
  CHECK(plan.next == Next::Wait);
  CHECK(plan.wait_ms == 1000);
  lane.add('b', 600);
  CHECK(lane.lane->plan(600, false).wait_ms == 500);
  CHECK(lane.fetcher.wakes == 0);
  lane.add('c', 700);
  CHECK(lane.fetcher.wakes == 1);
  plan = lane.lane->plan(700, false);
  REQUIRE(plan.next == Next::Ask);
  CHECK(plan.request.body.contains(std::string(100, 'c')));
  // Meanwhile others gather.
  lane.add('d', 800);
  CHECK_FALSE(plan.request.body.contains(std::string(100, 'd')));
  lane.answered(200, 900);
  CHECK(lane.lane->plan(900, false).wait_ms == 900);
  plan = lane.lane->plan(1800, false);
  REQUIRE(plan.next == Next::Ask);
  CHECK(plan.request.body.contains(std::string(100, 'd')));
  CHECK_FALSE(plan.request.body.contains(std::string(100, 'a')));
  lane.answered(202, 1900, {}, "\x0a\x02\x08\x01");
  CHECK(lane.lane->plan(1900, false).next == Next::Over);
  CHECK(lane.counted("exported") == 3);
  CHECK(lane.counted("refused") == 1);
  // The next one begins it anew.
  lane.fetcher.errand.reset();
  lane.add('e', 2000);
  CHECK(lane.fetcher.errand == lane.lane);
}

TEST_CASE("trace: where there is no room spans are dropped, and what waits stays as it is") {
  Lane lane;
  for (int i = 0; i < 20; ++i) lane.add('a', 0);
  CHECK(lane.counted("full") == 11);  // 102 bytes each
  const auto plan = lane.lane->plan(0, false);
  REQUIRE(plan.next == Next::Ask);
  for (int i = 0; i < 20; ++i) lane.add('b', 0);
  CHECK(lane.counted("full") == 22);
  CHECK_FALSE(plan.request.body.contains(std::string(100, 'b')));
  lane.answered(200, 0);
  CHECK(lane.counted("exported") == 9);
  REQUIRE(lane.lane->plan(0, false).next == Next::Ask);
  lane.answered(200, 0);
  CHECK(lane.counted("exported") == 18);
  CHECK(lane.lane->plan(0, false).next == Next::Over);
  // Nobody asks here.
  lane.fetcher.full = true;
  lane.add('c', 0);
  lane.lane->add("d", nullptr, 0);
  CHECK(lane.counted("away") == 2);
}

TEST_CASE("trace: where there is no room for a whole batch those that there are go at once") {
  Lane lane({.spans = 100, .interval_ms = 1000, .bytes = 1000, .retry_ms = 10'000, .stop_ms = 500});
  for (int i = 0; i < 9; ++i) lane.add('a', 0);
  CHECK(lane.fetcher.wakes == 0);
  for (int i = 0; i < 3; ++i) lane.add('a', 0);
  CHECK(lane.fetcher.wakes == 1);
  CHECK(lane.counted("full") == 3);
  REQUIRE(lane.lane->plan(0, false).next == Next::Ask);
  lane.add('b', 0);
  lane.answered(200, 0);
  CHECK(lane.counted("exported") == 9);
  CHECK(lane.lane->plan(0, false).next == Next::Wait);  // the next ones have room again
}

TEST_CASE("trace: a batch that did not get there is tried again as the protocol has it, and not for ever") {
  LogText log;
  {
    Lane lane;
    for (const char c : {'a', 'b', 'c'}) lane.add(c, 0);
    const std::string body(lane.lane->plan(0, false).request.body);
    // What is asked for counts from when it is told.
    lane.answered(503, 100, {{"Retry-After", "3"}});
    CHECK(lane.lane->plan(100, false).wait_ms == 3000);
    CHECK(lane.lane->plan(3099, false).next == Next::Wait);
    auto plan = lane.lane->plan(3100, false);
    REQUIRE(plan.next == Next::Ask);
    CHECK(plan.request.body == body);
    // Without, it doubles: a quarter of it is chance.
    lane.failed(3100);
    plan = lane.lane->plan(3100, false);
    CHECK(plan.wait_ms > 1500);
    CHECK(plan.wait_ms <= 2000);
    REQUIRE(lane.lane->plan(5100, false).next == Next::Ask);
    lane.answered(429, 5100);
    plan = lane.lane->plan(5100, false);
    CHECK(plan.wait_ms > 3000);
    CHECK(plan.wait_ms <= 4000);
    REQUIRE(lane.lane->plan(9100, false).next == Next::Ask);
    // The next try would be later than after ten seconds.
    lane.answered(502, 9100);
    CHECK(lane.lane->plan(9100, false).next == Next::Over);
    CHECK(lane.counted("away") == 3);
    // A time that is longer than it is tried for is none to wait for.
    for (const char c : {'a', 'b', 'c'}) lane.add(c, 20'000);
    REQUIRE(lane.lane->plan(20'000, false).next == Next::Ask);
    lane.answered(503, 20'000, {{"Retry-After", "3600"}});
    CHECK(lane.counted("away") == 6);
    // What is not passing is not tried again.
    for (const int code : {400, 401, 404, 413, 500, 301}) {
      for (const char c : {'a', 'b', 'c'}) lane.add(c, 30'000);
      REQUIRE(lane.lane->plan(30'000, false).next == Next::Ask);
      lane.answered(static_cast<uint16_t>(code), 30'000);
      CHECK(lane.lane->plan(30'000, false).next == Next::Over);
    }
    CHECK(lane.counted("refused") == 18);
    CHECK(lane.counted("exported") == 0);
  }
  const std::string text = log.take();
  CHECK(text.contains("trace: 3 spans are lost: unix:/run/collector.sock answered 502, after 4 tries"));
  CHECK(text.contains("answered 400"));
}

TEST_CASE("trace: at the worker's end the rest is sent at once, within its time") {
  Lane lane;
  lane.add('a', 0);
  auto plan = lane.lane->plan(0, true);
  REQUIRE(plan.next == Next::Ask);
  CHECK(plan.request.timeout_ms == 500);
  lane.add('b', 10);
  lane.answered(200, 100);
  plan = lane.lane->plan(100, true);
  REQUIRE(plan.next == Next::Ask);
  CHECK(plan.request.body.contains('b'));
  CHECK(plan.request.timeout_ms == 400);
  // Nobody tries again then.
  lane.failed(200);
  CHECK(lane.counted("exported") == 1);
  CHECK(lane.counted("away") == 1);
  lane.add('c', 300);
  CHECK(lane.lane->plan(500, true).next == Next::Over);
  CHECK(lane.counted("away") == 2);
}

TEST_CASE("trace: what is recorded asks nothing of the heap, nor does what is not") {
  for (const std::string& fields : {given("01"), given("00")}) {
    Traced traced;
    (void)traced.get("/users/7");
    const std::string request = "GET /users/7 HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    CHECK(leat::test::allocations_of(1000, [&] { traced.stage.serve(request); }) == 0);
  }
}

TEST_CASE("trace: what is wrong with its options") {
  const auto message = [](Value::Table options) {
    const Diagnostics found = mistakes("trace", std::move(options));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  CHECK(message({}) == "`url` is missing");
  CHECK(message(with_url({entry("ratio", 1.5)})).contains("`ratio`"));
  CHECK(message(with_url({texts("resource", {"novalue"})})).contains("is written `key=value`"));
  CHECK(message(with_url({texts("resource", {"service.name=x"})})).contains("what `service` says"));
  CHECK(message(with_url({texts("resource", {"telemetry.sdk.name=x"})})).contains("by Leat itself"));
  CHECK(
      message(with_url({texts("fields", {"Content-Type: application/json"})})).contains("is the protocol's"));
  CHECK(message(with_url({texts("fields", {"Content-Length: 1"})})).contains("says how a message is sent"));
  const std::string secret = message(with_url({texts("fields", {"Authorization: \x01secret"})}));
  CHECK(secret.contains("control character"));
  CHECK_FALSE(secret.contains("secret"));
  CHECK(message(with_url({texts("fields", {"Authorization secret"})})) ==
        "`fields` has a field that is not written `Name: value`");
  CHECK(message(with_url({texts("fields", std::vector<std::string>(17, "X-A: 1"))})).contains("16 at most"));
}

}  // namespace leat::middleware

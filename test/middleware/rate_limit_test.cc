// Who is limited and what it is told, behind a real session whose clock the test sets.
#include "middleware/rate_limit.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "middleware/identified.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/kept_states.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

std::string text(std::string_view value) { return std::string(value); }

// One request a second and no burst, so that the second of a key is limited.
Value::Table once(const std::vector<std::string>& key) {
  return {entry("rate", text("1/s")), texts("key", key)};
}

}  // namespace

TEST_CASE("rate_limit: a burst passes, then it is 429 until the time that it tells") {
  Stage stage(kinds());
  stage.middleware("rate_limit", {entry("rate", text("30/min")), entry("burst", int64_t{3})});
  stage.route("/");
  CHECK(field(stage.get("/"), "RateLimit") == "\"rate_limit\";r=2;t=2");
  CHECK(field(stage.get("/"), "RateLimit") == "\"rate_limit\";r=1;t=4");
  const std::string last = stage.get("/");
  CHECK(status_of(last) == 200);
  CHECK(field(last, "RateLimit") == "\"rate_limit\";r=0;t=6");
  CHECK(field(last, "RateLimit-Policy") == "\"rate_limit\";q=3;w=6");
  CHECK(field(last, "Retry-After") == "(none)");
  calls.clear();
  const std::string limited = stage.get("/");
  CHECK(status_of(limited) == 429);
  CHECK(calls.empty());  // its handler is not asked
  CHECK(field(limited, "Content-Type") == "application/problem+json");
  CHECK(field(limited, "Retry-After") == "2");
  CHECK(field(limited, "RateLimit") == "\"rate_limit\";r=0;t=2");
  CHECK(field(limited, "RateLimit-Policy") == "\"rate_limit\";q=3;w=6");
  CHECK(limited.contains("\"status\":429"));
  CHECK(limited.contains("try again in 2 seconds."));
  CHECK(field(limited, "Connection") == "(none)");  // the connection goes on
  stage.harness().worker.now_ms += 1'000;
  CHECK(field(stage.get("/"), "Retry-After") == "1");
  stage.harness().worker.now_ms += 1'000;
  CHECK(status_of(stage.get("/")) == 200);
  CHECK(status_of(stage.get("/")) == 429);
}

TEST_CASE("rate_limit: by default a client has 100 a second, and what no route answers counts as well") {
  Stage stage(kinds());
  stage.middleware("rate_limit");
  stage.route("/");
  for (int i = 0; i < 50; ++i) {
    REQUIRE(status_of(stage.get("/")) == 200);
    REQUIRE(status_of(stage.get("/nowhere")) == 404);
  }
  CHECK(status_of(stage.get("/")) == 429);
  CHECK(field(stage.get("/nowhere"), "RateLimit-Policy") == "\"rate_limit\";q=100;w=1");
}

TEST_CASE("rate_limit: it says nothing but Retry-After where it shall not") {
  Stage stage(kinds());
  stage.middleware("rate_limit", {entry("rate", text("1/s")), entry("fields", false)});
  stage.route("/");
  CHECK(!stage.get("/").contains("RateLimit"));
  const std::string limited = stage.get("/");
  CHECK(field(limited, "Retry-After") == "1");
  CHECK(!limited.contains("RateLimit"));
}

TEST_CASE(
    "rate_limit: several in a chain say so side by side, beside what a handler says, and the strictest "
    "counts") {
  Stage stage(kinds());
  stage.middleware("rate_limit", {entry("rate", text("2/s"))});
  stage.middleware("rate_limit", {entry("rate", text("3/min"))});
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    (void)exchange.response.add("RateLimit", "\"mine\";r=1;t=1");
    exchange.send("");
    return Verdict::Done;
  };
  const std::string answer = stage.get("/");
  CHECK(answer.contains("RateLimit: \"mine\";r=1;t=1\r\n"));
  CHECK(answer.contains("RateLimit: \"rate_limit\";r=1;t=1\r\n"));
  CHECK(answer.contains("RateLimit: \"rate_limit\";r=2;t=20\r\n"));
  CHECK(status_of(stage.get("/")) == 200);
  CHECK(status_of(stage.get("/")) == 429);
  stage.harness().worker.now_ms += 1'500;
  CHECK(status_of(stage.get("/")) == 200);
  CHECK(field(stage.get("/"), "Retry-After") == "19");
}

TEST_CASE("rate_limit: clients are told apart by their prefixes, however their addresses are written") {
  const auto limited = [](Value::Table options, const std::string& first, const std::string& second) {
    Stage stage(identified_kinds());
    stage.middleware("identified");
    options.push_back(entry("rate", text("1/s")));
    stage.middleware("rate_limit", std::move(options));
    stage.route("/");
    REQUIRE(status_of(stage.get("/", "X-Client: " + first + "\r\n")) == 200);
    return status_of(stage.get("/", "X-Client: " + second + "\r\n")) == 429;
  };
  CHECK(limited({}, "192.0.2.1", "192.0.2.1"));
  CHECK(!limited({}, "192.0.2.1", "192.0.2.2"));
  CHECK(limited({}, "192.0.2.1", "::ffff:192.0.2.1"));
  CHECK(!limited({}, "192.0.2.1", "::192.0.2.1"));
  CHECK(limited({}, "2001:db8:0:1::1", "2001:db8:0:1:ffff::2"));
  CHECK(!limited({}, "2001:db8:0:1::1", "2001:db8:0:2::1"));
  CHECK(limited({entry("ipv4_prefix", int64_t{24})}, "192.0.2.1", "192.0.2.255"));
  CHECK(!limited({entry("ipv4_prefix", int64_t{24})}, "192.0.2.1", "192.0.3.1"));
  CHECK(!limited({entry("ipv6_prefix", int64_t{128})}, "2001:db8::1", "2001:db8::2"));
  CHECK(limited({entry("ipv6_prefix", int64_t{1})}, "2001:db8::1", "3fff::1"));
  CHECK(!limited({entry("ipv4_prefix", int64_t{1}), entry("ipv6_prefix", int64_t{1})}, "1.0.0.0", "::1"));
  CHECK(limited({}, "unix:", "unix:"));
  CHECK(limited({}, "unknown", "unknown"));
  CHECK(!limited({}, "unknown", "_hidden"));
}

TEST_CASE("rate_limit: a key is what it is told to be") {
  const auto statuses = [](const std::vector<std::string>& key, const std::vector<std::string>& requests) {
    Stage stage(identified_kinds());
    stage.middleware("identified");
    stage.middleware("rate_limit", once(key));
    stage.route("/");
    stage.route("/b/{id}");
    std::vector<int> all;
    for (const std::string& request : requests) all.push_back(status_of(stage.feed(request + "\r\n")));
    return all;
  };
  using Statuses = std::vector<int>;
  const auto get = [](const std::string& target, const std::string& host, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields;
  };
  // A host is one, however it is written.
  CHECK(statuses({"host"}, {get("/", "a.example"), get("/", "A.Example:80"), get("/", "a.example."),
                            get("/", "b.example"), get("/", "[::1]:80"), get("/", "[::1]"),
                            get("/", "[::2]")}) == Statuses{200, 429, 429, 200, 200, 429, 200});
  CHECK(statuses({"host"}, {get("/", std::string(300, 'a')), get("/", std::string(301, 'a'))}) ==
        Statuses{200, 429});
  CHECK(statuses({"route"}, {get("/", "a"), get("/b/1", "a"), get("/b/2", "b"), get("/none", "a"),
                             get("/no", "a")}) == Statuses{200, 200, 429, 404, 429});
  // Of a field that the daemon knows and of another one; those without it are their client.
  for (const std::string name : {"Authorization", "X-Key"}) {
    const std::vector<std::string> key = {"header:" + name};
    CHECK(statuses(key, {get("/", "a", name + ": one\r\n"), get("/", "a", name + ": two\r\n"),
                         get("/", "a", name + ": one\r\n"), get("/", "a"), get("/", "a", name + ":\r\n")}) ==
          Statuses{200, 200, 429, 200, 429});
    // Nobody becomes a client by writing its address.
    CHECK(statuses(key, {get("/", "a", name + ": 192.0.2.1\r\n"), get("/", "a")}) == Statuses{200, 200});
  }
  CHECK(statuses({"client", "route"},
                 {get("/", "a", "X-Client: 10.0.0.1\r\n"), get("/", "a", "X-Client: 10.0.0.2\r\n"),
                  get("/b/1", "a", "X-Client: 10.0.0.1\r\n"), get("/", "a", "X-Client: 10.0.0.1\r\n")}) ==
        Statuses{200, 200, 200, 429});
  CHECK(statuses({}, {get("/", "a", "X-Client: 10.0.0.1\r\n"), get("/b/1", "b", "X-Client: 10.0.0.2\r\n")}) ==
        Statuses{200, 429});
}

TEST_CASE(
    "rate_limit: its name is the policy's, as a structured field has it, and a label of what it counts") {
  metrics::Registry registry;
  const auto policy = [&](const std::string& name) {
    SiteBuilder builder(kinds(), {.workers = 1, .metrics = &registry});
    builder.add_middleware({.kind = "rate_limit",
                            .name = name,
                            .options = table({entry("rate", text("1/s")), entry("keys", int64_t{8})}),
                            .place = line(1)});
    Diagnostics diagnostics;
    const auto site = builder.build(diagnostics);
    REQUIRE(site);
    Pipeline pipeline(*site);
    leat::test::HttpHarness harness(pipeline);
    http1::Session session(harness.environment, "192.0.2.1", 0);
    std::string answer;
    for (int i = 0; i < 3; ++i) {
      session.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      answer = leat::test::HttpHarness::take(session);
    }
    CHECK(status_of(answer) == 429);
    if (name == "api") {
      const std::string shown = registry.text();
      CHECK(shown.contains("leat_rate_limit_requests_total{instance=\"api\",result=\"allowed\"} 1\n"));
      CHECK(shown.contains("leat_rate_limit_requests_total{instance=\"api\",result=\"limited\"} 2\n"));
      CHECK(shown.contains("leat_rate_limit_evicted_total{instance=\"api\"} 0\n"));
    }
    return field(answer, "RateLimit-Policy");
  };
  CHECK(policy("api") == "\"api\";q=1;w=1");
  CHECK(policy("a \"b\" \\c") == "\"a \\\"b\\\" \\\\c\";q=1;w=1");
  CHECK(policy("für alle") == "\"rate_limit\";q=1;w=1");
  CHECK(policy("") == "\"rate_limit\";q=1;w=1");
}

TEST_CASE("rate_limit: what was counted stays over a reload where its options do, whatever its name") {
  KeptStates states;
  const auto stage = [&](const std::string& rate) {
    auto made = std::make_unique<Stage>(kinds(), Surroundings{.workers = 1, .states = &states});
    made->middleware("rate_limit", {entry("rate", text(rate))});
    made->route("/");
    (void)made->session();
    return made;
  };
  auto first = stage("1/min");
  CHECK(status_of(first->get("/")) == 200);
  auto second = stage("1/min");
  auto other = stage("2/min");
  first.reset();
  CHECK(status_of(second->get("/")) == 429);
  CHECK(status_of(other->get("/")) == 200);
  second.reset();
  CHECK(status_of(stage("1/min")->get("/")) == 200);  // nobody had it any more
}

TEST_CASE("rate_limit: options that make no sense are mistakes, each with its place") {
  const auto said = [](Value::Table options) {
    const Diagnostics all = mistakes("rate_limit", std::move(options));
    REQUIRE(all.size() == 1);
    CHECK(all[0].code == kBadOption);
    CHECK(all[0].place.line == 1);
    return all[0].message;
  };
  for (const char* rate : {"", "100", "0/s", "10/fortnight", "2000000/s", "1/31d", "1/s\r\nX: y"})
    CHECK(said({entry("rate", text(rate))}).contains("is a number of requests and the time for them"));
  CHECK(said({entry("rate", int64_t{100})}).contains("`rate`"));
  for (const int64_t burst : {-1, 1'000'001}) CHECK(said({entry("burst", burst)}).contains("`burst`"));
  CHECK(said({texts("key", {"client", "ip"})}).contains("`ip`, which is no part of a key"));
  for (const char* key : {"header:", "header:a b", "header:a:", "Client"})
    CHECK(said({texts("key", {key})}).contains("no part of a key"));
  CHECK(said({texts("key", std::vector<std::string>(9, "route"))}) == "a `key` has at most 8 parts");
  CHECK(said({entry("ipv4_prefix", int64_t{33})}).contains("`ipv4_prefix`"));
  CHECK(said({entry("ipv6_prefix", int64_t{0})}).contains("`ipv6_prefix`"));
  CHECK(said({entry("keys", int64_t{7})}).contains("`keys`"));
  CHECK(said({entry("keys", int64_t{1} << 40)}).contains("`keys`"));
  CHECK(said({entry("fields", text("yes"))}).contains("`fields`"));
  CHECK(mistakes("rate_limit", {entry("burst", text("auto"))}).empty());
}

}  // namespace leat::middleware

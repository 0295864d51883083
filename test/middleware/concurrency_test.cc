// Whose requests have a place and whose have not, behind real sessions; and how places come back.
#include "middleware/concurrency.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "json/allocations.h"
#include "middleware/identified.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/kept_states.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

// Sessions of which each may have a request that waits; its answer comes when the test says so.
struct Waits {
  explicit Waits(Value::Table options, const Surroundings& surroundings = {})
      : stage(identified_kinds(), surroundings) {
    stage.middleware("identified");
    stage.middleware("concurrency", std::move(options));
    for (const char* path : {"/", "/b"})
      stage.route(path, {"GET", "POST"}).on_handle = [](http::Exchange& exchange) {
        const http::Ticket ticket = exchange.suspend();
        CHECK(exchange.worker().resume_after(
            ticket, 1, [](http::Exchange& resumed, void*) { resumed.send("done"); }, nullptr));
        return Verdict::Pending;
      };
    stage.session();
  }
  ~Waits() {
    for (auto& each : sessions) leave(*each);
  }
  void leave(http1::Session& session) {
    session.disconnect();
    session.output().clear();
  }
  // Asks on a connection of its own. The answer so far.
  std::string ask(const std::string& fields = "", const std::string& path = "/") {
    auto& session = *sessions.emplace_back(std::make_unique<http1::Session>(
        stage.harness().environment, "192.0.2.1", static_cast<uint32_t>(sessions.size() + 1)));
    session.feed("GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    return leat::test::HttpHarness::take(session);
  }
  [[nodiscard]] bool waits(const std::string& fields = "", const std::string& path = "/") {
    return ask(fields, path).empty();
  }
  std::string taken(size_t number) { return leat::test::HttpHarness::take(*sessions[number]); }

  Stage stage;
  std::vector<std::unique_ptr<http1::Session>> sessions;
};

Value::Table one_of(const std::vector<std::string>& key) {
  return {entry("limit", int64_t{1}), texts("key", key)};
}

}  // namespace

TEST_CASE(
    "concurrency: a client has as many requests under way as it may; one more is 429, and others go on") {
  metrics::Registry registry;
  Waits all({entry("limit", int64_t{2})}, {.workers = 1, .metrics = &registry});
  CHECK(all.waits());
  CHECK(all.waits());
  const std::string third = all.ask();
  CHECK(status_of(third) == 429);
  CHECK(field(third, "Retry-After") == "1");
  CHECK(field(third, "Content-Type") == "application/problem+json");
  CHECK(third.contains("Too many requests of yours are being answered at the same time."));
  CHECK(all.waits("X-Client: 192.0.2.2\r\n"));
  all.stage.harness().resume_all();
  CHECK(status_of(all.taken(0)) == 200);
  CHECK(all.waits());
  CHECK(all.waits());
  CHECK(status_of(all.ask()) == 429);
  const std::string shown = registry.text();
  for (const char* line : {"admitted\"} 5\n", "limited\"} 2\n", "full\"} 0\n"})
    CHECK(shown.contains(std::string("leat_concurrency_requests_total{instance=\"concurrency\",result=\"") +
                         line));
}

TEST_CASE(
    "concurrency: a place comes back when its client leaves, its time is up, or its connection is cut") {
  Waits all({entry("limit", int64_t{1})});
  CHECK(all.waits());
  CHECK(status_of(all.ask()) == 429);
  all.leave(*all.sessions[0]);
  CHECK(all.waits());
  CHECK(status_of(all.ask()) == 429);
  all.stage.harness().worker.now_ms += all.stage.harness().limits.answer_timeout_ms + 1;
  all.sessions[2]->deadline_passed();
  CHECK(status_of(all.taken(2)) == 504);
  CHECK(all.waits());
  // One that is refused has none to give back.
  for (int i = 0; i < 3; ++i) CHECK(status_of(all.ask()) == 429);
  all.stage.harness().resume_all();
  CHECK(all.waits());
  CHECK(status_of(all.ask()) == 429);
}

TEST_CASE("concurrency: an answer in pieces has its place until the last, and a malformed request none") {
  Stage stage(kinds());
  stage.middleware("concurrency", {entry("limit", int64_t{1})});
  http::Exchange* streaming = nullptr;
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    if (exchange.request.header("X-Stream").empty()) {
      exchange.send("short");
    } else {
      (void)exchange.begin(std::nullopt);
      (void)exchange.write("piece");
      streaming = &exchange;
      (void)exchange.suspend();
      return Verdict::Pending;
    }
    return Verdict::Done;
  };
  CHECK(status_of(stage.get("/", "X-Stream: 1\r\n")) == 200);
  http1::Session second(stage.harness().environment, "192.0.2.1", 1);
  second.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(status_of(leat::test::HttpHarness::take(second)) == 429);
  REQUIRE(streaming != nullptr);
  stage.session().resume(*streaming, [](http::Exchange& exchange, void*) { (void)exchange.end(); }, nullptr);
  (void)leat::test::HttpHarness::take(stage.session());
  second.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\nNONSENSE\r\n\r\n");
  CHECK(status_of(leat::test::HttpHarness::take(second)) == 200);
  CHECK(status_of(stage.get("/")) == 200);
  second.disconnect();
  second.output().clear();
}

TEST_CASE("concurrency: a key is what it is told to be, and who leaves it out is counted by client") {
  const auto second_waits = [](const std::vector<std::string>& key, const std::string& first,
                               const std::string& second, const std::string& path = "/") {
    Waits all(one_of(key));
    REQUIRE(all.waits(first));
    return all.waits(second, path);
  };
  CHECK_FALSE(second_waits({"client"}, "", ""));
  CHECK_FALSE(second_waits({"client"}, "X-Client: 2001:db8::1\r\n", "X-Client: 2001:db8::2\r\n"));
  CHECK(second_waits({"client"}, "X-Client: 192.0.2.8\r\n", "X-Client: 192.0.2.9\r\n"));
  CHECK_FALSE(second_waits({"client"}, "", "", "/b"));
  CHECK(second_waits({"client", "route"}, "", "", "/b"));
  CHECK(second_waits({"header:X-Api-Key"}, "X-Api-Key: a\r\n", "X-Api-Key: b\r\n"));
  CHECK_FALSE(
      second_waits({"header:X-Api-Key"}, "X-Api-Key: a\r\n", "x-api-key: a\r\nX-Client: 192.0.2.9\r\n"));
  CHECK_FALSE(second_waits({"header:X-Api-Key"}, "", ""));
  CHECK(second_waits({"header:X-Api-Key"}, "", "X-Client: 192.0.2.9\r\n"));
  CHECK(second_waits({"cookie:session"}, "Cookie: a=1; session=x\r\n", "Cookie: session=y\r\n"));
  CHECK_FALSE(second_waits({"cookie:session"}, "Cookie: a=1; session=x\r\n", "Cookie: session=x\r\n"));
  // What one sends as a field is nobody's address, and no cookie.
  CHECK(second_waits({"header:X-Api-Key"}, "X-Api-Key: 192.0.2.1\r\n", ""));
}

TEST_CASE("concurrency: users and their claims, as a middleware has proved them") {
  Stage stage(kinds());
  stage.middleware("api_key", {texts("keys", {std::string(kOneKey)})});
  stage.middleware("concurrency", one_of({"user"}));
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    (void)exchange.suspend();
    return Verdict::Pending;
  };
  stage.session();
  CHECK(stage.get("/", std::string(kOneKeyField)).empty());
  http1::Session second(stage.harness().environment, "198.51.100.7", 1);
  second.feed("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(kOneKeyField) + "\r\n");
  CHECK(status_of(leat::test::HttpHarness::take(second)) == 429);
  second.disconnect();
  second.output().clear();
}

TEST_CASE("concurrency: where all are one key, or there is no room for keys, it is not a client's fault") {
  Waits all(one_of({}));
  CHECK(all.waits());
  const std::string second = all.ask("X-Client: 192.0.2.9\r\n");
  CHECK(status_of(second) == 503);
  CHECK(field(second, "Retry-After") == "1");

  Waits few({entry("limit", int64_t{1}), entry("keys", int64_t{8})});
  for (int i = 0; i < 8; ++i) CHECK(few.waits("X-Client: 192.0.2." + std::to_string(i) + "\r\n"));
  const std::string ninth = few.ask("X-Client: 192.0.2.9\r\n");
  CHECK(status_of(ninth) == 503);
  CHECK(field(ninth, "Retry-After") == "1");
  CHECK(status_of(few.ask("X-Client: 192.0.2.0\r\n")) == 429);
  few.leave(*few.sessions[3]);
  CHECK(few.waits("X-Client: 192.0.2.9\r\n"));
}

TEST_CASE("concurrency: what is under way stays counted over a reload that leaves the options as they are") {
  KeptStates states;
  Waits former({entry("limit", int64_t{1})}, {.states = &states});
  CHECK(former.waits());
  Waits next({entry("limit", int64_t{1})}, {.states = &states});
  CHECK(status_of(next.ask()) == 429);
  Waits other({entry("limit", int64_t{2})}, {.states = &states});
  CHECK(other.waits());
  former.stage.harness().resume_all();
  CHECK(next.waits());
}

TEST_CASE("concurrency: a request with a place asks nothing of the heap") {
  Stage stage(kinds());
  stage.middleware("concurrency", {texts("key", {"client", "cookie:a", "header:b"})});
  stage.route("/");
  CHECK(leat::test::allocations_of(
            1000, [&] { stage.serve("GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\r\n"); }) == 0);
}

TEST_CASE("concurrency: what is wrong with its options") {
  const auto message = [](Value::Table options) {
    const Diagnostics found = mistakes("concurrency", std::move(options));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  CHECK(message({}) == "0");
  CHECK(message({entry("limit", int64_t{0})}).contains("`limit` is 1 to 65535, not 0"));
  CHECK(message({entry("limit", int64_t{65536})}).contains("1 to 65535"));
  for (const char* part :
       {"ip", "header:", "header:a b", "cookie:", "cookie:a;b", "claim:", "claim: x", "User"})
    CHECK(message({texts("key", {part})}).contains("is no part of a key"));
  CHECK(message({texts("key", {"claim:https://a.example/tenant"})}) == "0");
  CHECK(message({texts("key", std::vector<std::string>(9, "client"))}) == "a `key` has at most 8 parts");
  CHECK(message({entry("ipv4_prefix", int64_t{33})}).contains("1 to 32"));
}

}  // namespace leat::middleware

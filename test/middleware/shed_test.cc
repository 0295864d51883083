// shed: who is sent away while there is more to do than can be done, on a clock that the test moves.
#include "middleware/shed.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "middleware/queue_delay.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

constexpr uint64_t kMs = 1'000'000;

// A worker with one queue: what comes in a turn is served one after the other, each for some time.
struct Turns {
  QueueDelay queue{10 * kMs, 100 * kMs};
  uint64_t now_ns = 1'000'000 * kMs;
  uint64_t longest_ns = 0;  // that one of the last turn had waited which was served

  // How many of a turn's requests are sent away. One that is costs a hundredth of what it costs to serve it.
  int turn(int requests, uint64_t service_ns) {
    const uint64_t begin_ns = now_ns;
    int shed = 0;
    longest_ns = 0;
    for (int i = 0; i < requests; ++i) {
      if (queue.is_late(begin_ns, now_ns - begin_ns)) {
        ++shed;
        now_ns += service_ns / 100;
        continue;
      }
      longest_ns = std::max(longest_ns, now_ns - begin_ns);
      now_ns += service_ns;
    }
    return shed;
  }
};

}  // namespace

TEST_CASE(
    "shed: a burst is served, a queue that stands is cut to its target, and is left alone when it is gone") {
  Turns turns;
  // Long turns now and then, with short ones between them.
  for (int i = 0; i < 50; ++i) {
    CHECK(turns.turn(100, kMs) == 0);
    CHECK(turns.turn(2, kMs) == 0);
  }
  // A hundred in each turn, of a millisecond each: ten times as much as the target. It takes an interval to be sure of it.
  int turns_until = 0;
  while (turns.turn(100, kMs) == 0) REQUIRE(++turns_until < 5);
  CHECK(turns_until >= 1);
  for (int i = 0; i < 100; ++i) {
    const int shed = turns.turn(100, kMs);
    // As many are served as fit into the target.
    CHECK(shed == 89);
    CHECK(turns.longest_ns <= 10 * kMs);
  }
  // As much as can be done: after an interval nobody is sent away.
  for (int i = 0; i < 12; ++i) (void)turns.turn(10, kMs);
  for (int i = 0; i < 100; ++i) CHECK(turns.turn(10, kMs) == 0);
}

TEST_CASE(
    "shed: who comes after a pause finds no queue, and one turn that took long is no queue that stands") {
  Turns turns;
  for (int i = 0; i < 20; ++i) (void)turns.turn(100, kMs);
  CHECK(turns.queue.stands());
  turns.now_ns += 1000 * kMs;
  CHECK(turns.turn(100, kMs) == 0);
  CHECK_FALSE(turns.queue.stands());
  // A turn of seconds, in which one handler was stuck.
  Turns stuck;
  for (int i = 0; i < 10; ++i) (void)stuck.turn(1, kMs);
  CHECK(stuck.turn(2, 3000 * kMs) == 0);
  for (int i = 0; i < 50; ++i) CHECK(stuck.turn(5, kMs) == 0);
}

TEST_CASE("shed: who is late is answered 503 before a handler runs, and told when to come again") {
  metrics::Registry registry;
  Stage stage(kinds(), {.metrics = &registry});
  stage.middleware("shed", {entry("retry_after", int64_t{7}), texts("exempt", {"/health"})});
  int handled = 0;
  for (const char* path : {"/", "/health"})
    stage.route(path).on_handle = [&](http::Exchange& exchange) {
      ++handled;
      exchange.send("");
      return Verdict::Done;
    };
  auto& worker = stage.harness().worker;
  // Each turn has one who has waited for 60 ms, until an interval of 200 ms is over.
  for (int i = 0; i < 3; ++i) {
    worker.turn_ns = 60 * kMs;
    CHECK(status_of(stage.get("/")) == 200);
    worker.now_ms += 70;
  }
  worker.turn_ns = 50 * kMs;  // no more than the target
  CHECK(status_of(stage.get("/")) == 200);
  worker.turn_ns = 51 * kMs;
  const std::string answer = stage.get("/");
  CHECK(status_of(answer) == 503);
  CHECK(field(answer, "Retry-After") == "7");
  CHECK(handled == 4);
  // Not those that shall never be.
  CHECK(status_of(stage.get("/health")) == 200);
  CHECK(status_of(stage.get("/nowhere")) == 503);
  const std::string text = registry.text();
  CHECK(text.contains("leat_shed_requests_total{instance=\"shed\",result=\"admitted\"} 5\n"));
  CHECK(text.contains("leat_shed_requests_total{instance=\"shed\",result=\"shed\"} 2\n"));
}

TEST_CASE("shed: two instances have a target each, so that one route gives way before the other") {
  Stage stage(kinds());
  stage.middleware("shed", {entry("target", std::string("20ms")), texts("exempt", {"/first"})});
  stage.middleware("shed", {entry("target", std::string("100ms"))});
  for (const char* path : {"/first", "/second"}) stage.route(path);
  auto& worker = stage.harness().worker;
  const auto statuses = [&](uint64_t delay_ms) {
    worker.turn_ns = delay_ms * kMs;
    return std::pair(status_of(stage.get("/first")), status_of(stage.get("/second")));
  };
  for (int i = 0; i < 4; ++i) {
    (void)statuses(60);
    worker.now_ms += 70;
  }
  CHECK(statuses(60) == std::pair(200, 503));
  for (int i = 0; i < 4; ++i) {
    (void)statuses(150);
    worker.now_ms += 160;
  }
  CHECK(statuses(150) == std::pair(503, 503));
  CHECK(statuses(90) == std::pair(200, 503));
}

TEST_CASE("shed: a route whose handler waits for a thread has the pool's queue as well") {
  // On the clock of the pool, which is the real one.
  struct Job final : ThreadPool::Job {
    bool run() override { return false; }
  } job;
  struct Pooled final : Handler {
    [[nodiscard]] bool waits_for_thread() const override { return true; }
    [[nodiscard]] Verdict handle(http::Exchange& exchange) override {
      exchange.send("");
      return Verdict::Done;
    }
    [[nodiscard]] std::string_view blame() const override { return "pooled"; }
  };
  struct Stuck final : ThreadPool::Job {
    bool run() override {
      open.wait(false);
      return false;
    }
    std::atomic<bool> open = false;
  } stuck;
  ThreadPool pool({.threads = 1, .queue = 8});
  REQUIRE(pool.submit(stuck));
  while (pool.load().queued != 0) std::this_thread::yield();
  REQUIRE(pool.submit(job));

  Value::Table options = {entry("pool_target", std::string("100ms"))};
  SiteBuilder builder(kinds(), {.pool = &pool});
  builder.add_middleware({.kind = "shed", .options = table(std::move(options)), .place = line(1)});
  const auto add = [&](const char* path, std::unique_ptr<Handler> handler) {
    RouteSpec spec;
    spec.path = path;
    spec.methods = {"GET"};
    spec.handler = std::move(handler);
    builder.add_route(std::move(spec));
  };
  add("/pooled", std::make_unique<Pooled>());
  add("/plain", std::make_unique<ScriptHandler>());
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  Pipeline service(*site);
  leat::test::HttpHarness harness(service);
  http1::Session session(harness.environment, "192.0.2.1", 0);
  const auto get = [&](const std::string& path) {
    session.feed("GET " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    return status_of(leat::test::HttpHarness::take(session));
  };
  // So many milliseconds after the job was queued.
  const auto at = [&](uint64_t ms) { harness.worker.now_ms = pool.waiting_since_ns() / kMs + ms; };
  for (uint64_t ms = 110; ms <= 260; ms += 50) {
    at(ms);
    CHECK(get("/pooled") == 200);
  }
  at(320);
  CHECK(get("/pooled") == 503);
  CHECK(get("/plain") == 200);
  CHECK(pool.withdraw(job));
  harness.worker.now_ms += 1;
  CHECK(get("/pooled") == 200);
  stuck.open = true;
  stuck.open.notify_all();
}

TEST_CASE("shed: what is wrong with its options") {
  const auto message = [](Value::Table options) {
    const Diagnostics found = mistakes("shed", std::move(options));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  CHECK(message({texts("exempt", {"GET /health"})}).contains("no path of a route"));
  CHECK(message({entry("target", std::string("0ms"))}).contains("`target` is 1ms to 1m"));
}

}  // namespace leat::middleware

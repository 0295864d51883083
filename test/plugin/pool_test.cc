// leat.pool/1: work comes back exactly once, on its worker, whenever its request ends, and before its
// instance goes. The plugin's destroy() aborts when something was lost.
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <list>
#include <optional>
#include <random>
#include <string>
#include <thread>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

bool counts_become(Site& site, std::string_view counts) {
  const bool became = turn_until(site, [&] { return ask_at_once(site, "/counts").body == counts; });
  if (!became) UNSCOPED_INFO(ask_at_once(site, "/counts").body);
  return became;
}

}  // namespace

TEST_CASE("pool: work runs on another thread and its request goes on with the result") {
  Site site("pool");
  site.shared().pool.set_limits({.threads = 2, .queue = 8});
  CHECK(site.get("/squares?n=12").body == "144 9");
  CHECK(site.get("/several").body == "all three");
  CHECK(site.get("/counts").body == "alive 0 works 1 delivered 1 without 0 cancels 0");
}

TEST_CASE("pool: a full queue is said, so that the client gets a 503, and the rest is served") {
  Site site("pool");
  site.shared().pool.set_limits({.threads = 1, .queue = 2});
  std::list<http1::Session> waiting;
  for (int i = 0; i < 3; ++i) {
    waiting.emplace_back(site.environment(), "192.0.2.7", 0).feed(request_for("/blocks"));
    // The first has left the queue.
    CHECK(turn_until(site, [&] { return site.shared().pool.load().queued == static_cast<size_t>(i); }));
  }
  CHECK(ask_at_once(site, "/squares?n=1").status == 503);
  CHECK(ask_at_once(site, "/gathers?count=4").status == 503);
  CHECK(ask_at_once(site, "/opens").status == 200);
  for (http1::Session& session : waiting) {
    std::string out;
    CHECK(turn_until(site, [&] { return !(out += take_output(session)).empty(); }));
    CHECK(parse_answer(out).body == "7");
    session.disconnect();
  }
  CHECK(site.get("/squares?n=5").body == "25 9");
}

TEST_CASE("pool: work learns that its client has left, and what waits then is not run") {
  Site site("pool");
  site.shared().pool.set_limits({.threads = 1, .queue = 8});
  http1::Session running(site.environment(), "192.0.2.7", 0);
  http1::Session queued(site.environment(), "192.0.2.7", 0);
  running.feed(request_for("/blocks"));
  CHECK(counts_become(site, "alive 1 works 1 delivered 0 without 0 cancels 0"));
  queued.feed(request_for("/blocks"));
  queued.disconnect();
  running.disconnect();
  CHECK(counts_become(site, "alive 0 works 1 delivered 2 without 2 cancels 1"));
}

TEST_CASE("pool: a request may be answered while its work is out") {
  Site site("pool");
  CHECK(site.get("/answers_early").body == "early");
  CHECK(turn_until(site, [&] { return site.get("/counts").body.starts_with("alive 0"); }));
  CHECK(site.get("/counts").body.contains("delivered 1 without 1"));
}

TEST_CASE("pool: work that throws fails its request, and says so in the log") {
  LogText log;
  {
    Site site("pool");
    CHECK(site.get("/throws").status == 500);
    CHECK(site.get("/gathers?count=5&limit=1&throw=3").body ==
          "5 failed 1 skipped 0 first 2: -2 limit 1 sum 30");
    CHECK(site.get("/squares?n=2").body == "4 9");
  }
  const std::string text = log.take();
  CHECK(text.contains("plugin tested: work on the pool threw an exception: a broken thread"));
  CHECK(text.contains("plugin tested: leat.response/1 send: the request is not that of this callback"));
}

TEST_CASE("pool: a gather runs every index, with no more at once than was asked for") {
  Site site("pool");
  site.shared().pool.set_limits({.threads = 4, .queue = 8});
  CHECK(site.get("/gathers?count=0").body == "0 failed 0 skipped 0 limit 0 sum 0");
  CHECK(site.get("/gathers?count=100&limit=1").body == "100 failed 0 skipped 0 limit 1 sum 328350");
  for (const std::string limit : {"2", "3", "0", "100"}) {
    const std::string body = site.get("/gathers?count=100&us=100&limit=" + limit).body;
    INFO(limit << ": " << body);
    CHECK(body.starts_with("100 failed 0 skipped 0 limit "));
    CHECK(body.ends_with(" sum 328350"));
    const int most = std::stoi(body.substr(body.find("limit ") + 6));
    CHECK(most >= 1);
    CHECK(most <= (limit == "2" ? 2 : limit == "3" ? 3 : 4));
  }
}

TEST_CASE("pool: a gather collects failures, or ends with the first") {
  Site site("pool");
  site.shared().pool.set_limits({.threads = 4, .queue = 8});
  CHECK(site.get("/gathers?count=10&limit=1&fail=4").body ==
        "10 failed 1 skipped 0 first 3: -77 limit 1 sum 285");
  CHECK(site.get("/gathers?count=10&limit=1&fail=4&fast=1").body ==
        "10 failed 1 skipped 6 first 3: -77 limit 1 sum 14");
}

TEST_CASE("pool: past its deadline a gather begins nothing more, and comes back") {
  Site site("pool");
  const std::string body = site.get("/gathers?count=100000&limit=1&us=1000&deadline=20").body;
  INFO(body);
  CHECK(body.starts_with("100000 failed 0 skipped "));
  CHECK_FALSE(body.contains("skipped 0 "));
  CHECK_FALSE(body.contains("still running"));
}

TEST_CASE("pool: misuse is refused") {
  Site site("pool");
  CHECK(site.get("/misuses").body == "-4 -4 -1 -1 -1 -1 -1 0");
}

TEST_CASE("pool: an instance that ends waits for its work, wherever that is") {
  for (int i = 0; i < 20; ++i) {
    Site site("pool");
    site.shared().pool.set_limits({.threads = 2, .queue = 64});
    for (int k = 0; k < 8; ++k) {
      http1::Session session(site.environment(), "192.0.2.7", 0);
      session.feed(request_for(k % 2 == 0 ? "/blocks" : "/gathers?count=50&limit=4&us=100"));
      session.disconnect();
    }
  }
}

TEST_CASE("pool: who would rather not wait is told when the last work has come back") {
  Site site("pool");
  CHECK(site.instance().when_idle(0, [] {}));
  {
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed(request_for("/answers_early"));
    session.disconnect();
  }
  int calls = 0;
  CHECK_FALSE(site.instance().when_idle(0, [&] { ++calls; }));
  CHECK(calls == 0);
  CHECK(turn_until(site, [&] { return calls == 1; }));
  CHECK(site.instance().when_idle(0, [] {}));
}

TEST_CASE("pool: what the last work throws without its request is told before the instance may end") {
  LogText log;
  Site site("pool");
  {
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed(request_for("/throws_late"));
    CHECK(counts_become(site, "alive 1 works 1 delivered 0 without 0 cancels 0"));
    session.disconnect();
  }
  std::optional<std::string> told;
  CHECK_FALSE(site.instance().when_idle(0, [&] { told = log.take(); }));
  REQUIRE(turn_until(site, [&] { return told.has_value(); }));
  INFO(*told);
  CHECK(told->contains(
      "plugin tested: handler throws_late on route route-throws_late: threw an exception for a "
      "completion whose request had ended: too late"));
}

TEST_CASE("pool: with clients that leave at any moment, everything comes back exactly once") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  Site site("pool");
  site.shared().pool.set_limits({.threads = 3, .queue = 16});
  std::list<http1::Session> sessions;
  const std::string targets[] = {"/squares?n=2",
                                 "/squares?n=3&us=50",
                                 "/gathers?count=6&limit=3&us=20",
                                 "/gathers?count=9&limit=2&fail=5&fast=1",
                                 "/several",
                                 "/answers_early"};
  for (int i = 0; i < 30'000; ++i) {
    if (sessions.size() < 24 && random() % 2 == 0)
      sessions.emplace_back(site.environment(), "192.0.2.7", 0).feed(request_for(targets[random() % 6]));
    if (!sessions.empty() && random() % 3 == 0) {
      auto leaving = sessions.begin();
      std::advance(leaving, random() % sessions.size());
      take_output(*leaving);
      leaving->disconnect();
      sessions.erase(leaving);
    }
    if (random() % 4 == 0) site.resume_all();
  }
  for (http1::Session& session : sessions) session.disconnect();
  sessions.clear();
  CHECK(turn_until(site, [&] { return site.get("/counts").body.starts_with("alive 0 "); }));
  CHECK(site.handled == site.ended);
}

}  // namespace leat::plugin::test

// The two that look for stalls, with a clock of the test's own.
#include "worker/stall.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "net/engine_choice.h"
#include "net/loop.h"

namespace leat::worker {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kSecond = 1000 * kMs;
const std::string kSlow = "plugin a: handler slow on route GET /slow";
const std::string kQuick = "plugin a: handler quick on route GET /quick";

}  // namespace

TEST_CASE("stall: a turn is judged by its length, and named by the only handler that ran") {
  StallMeter meter(3, 5);
  const StallMeter::Thread thread(meter);
  {
    const RunningScope running(kSlow);
  }
  CHECK(meter.judge(100 * kMs, 105 * kMs).empty());
  CHECK(meter.stalls() == 0);
  CHECK(meter.judge(100 * kMs, 112 * kMs) == "worker 3 was blocked for 12.0 ms: " + kSlow);
  CHECK(meter.stalls() == 1);
}

TEST_CASE("stall: of several handlers none is blamed, unless it was seen to run") {
  StallMeter meter(0, 5);
  const StallMeter::Thread thread(meter);
  CHECK(meter.judge(1 * kSecond, 2 * kSecond) == "worker 0 was blocked for 1.0 s: no plugin's code ran");
  {
    const RunningScope running(kSlow);
  }
  {
    const RunningScope running(kQuick);
  }
  {
    const RunningScope running(kQuick);
  }
  CHECK(meter.judge(11 * kSecond, 12 * kSecond) ==
        "worker 0 was blocked for 1.0 s: one of several; the last was " + kQuick);
  meter.suspect(21 * kSecond, kSlow);
  CHECK(meter.judge(21 * kSecond, 22 * kSecond).ends_with(" s: " + kSlow));
  // What was seen in another turn says nothing about this one.
  CHECK(meter.judge(31 * kSecond, 32 * kSecond).ends_with("the last was " + kQuick));
}

TEST_CASE("stall: within a second of a warning stalls are counted, and the next warning tells how many") {
  StallMeter meter(0, 5);
  CHECK_FALSE(meter.judge(0, 10 * kMs).empty());
  CHECK(meter.judge(20 * kMs, 30 * kMs).empty());
  CHECK(meter.judge(500 * kMs, 900 * kMs).empty());
  CHECK(meter.judge(1100 * kMs, 1110 * kMs).ends_with("(2 more since the last such line)"));
  CHECK(meter.judge(3000 * kMs, 3010 * kMs).ends_with("ran"));
  CHECK(meter.stalls() == 5);
}

TEST_CASE("stall: a callback within a callback is seen, then the outer one again, then nobody") {
  StallMeter meter(0, 5);
  CHECK(thread_activity == nullptr);
  {
    const StallMeter::Thread thread(meter);
    const RunningScope outer(kSlow);
    CHECK(meter.activity().now() == &kSlow);
    {
      const RunningScope inner(kQuick);
      CHECK(meter.activity().now() == &kQuick);
    }
    CHECK(meter.activity().now() == &kSlow);
  }
  CHECK(meter.activity().now() == nullptr);
  CHECK(thread_activity == nullptr);
}

TEST_CASE("stall: a turn forgets the handlers of the one before") {
  StallMeter meter(0, 5);
  const StallMeter::Thread thread(meter);
  {
    const RunningScope running(kSlow);
  }
  meter.turn_ends(UINT64_MAX);
  {
    const RunningScope running(kQuick);
  }
  CHECK(meter.judge(0, kSecond).ends_with(kQuick));
}

TEST_CASE("stall: without a limit nothing is measured or published") {
  StallMeter meter(0, 0);
  const StallMeter::Thread thread(meter);
  const RunningScope running(kSlow);
  CHECK(meter.activity().now() == nullptr);
  meter.turn_ends(0);
  CHECK(meter.stalls() == 0);
}

TEST_CASE("stall: the watch blames what it saw in most looks in a row") {
  StallMeter meter(0, 5);
  StallWatch watch(meter, 5);
  const auto blamed = [&](uint64_t begin) { return meter.judge(begin, begin + 100 * kMs); };
  CHECK(watch.look(0, nullptr, 1 * kMs).empty());
  const uint64_t begin = 5 * kSecond;
  watch.look(begin, &kQuick, begin + 1 * kMs);
  watch.look(begin, &kSlow, begin + 3 * kMs);
  watch.look(begin, &kSlow, begin + 5 * kMs);
  watch.look(begin, nullptr, begin + 8 * kMs);
  watch.look(begin, &kQuick, begin + 10 * kMs);
  CHECK(blamed(begin).ends_with(kSlow));
  // A new turn begins anew.
  const uint64_t later = 9 * kSecond;
  watch.look(later, &kQuick, later + 1 * kMs);
  CHECK(blamed(later).ends_with(kQuick));
}

TEST_CASE("stall: a turn that does not end is told of after a second, then when that has doubled") {
  StallMeter meter(2, 5);
  StallWatch watch(meter, 5);
  const uint64_t begin = 7 * kSecond;
  CHECK(watch.look(begin, &kSlow, begin + 999 * kMs).empty());
  CHECK(watch.look(begin, &kSlow, begin + 1500 * kMs) ==
        "worker 2 has been blocked for 1.5 s and still is: " + kSlow);
  CHECK(watch.look(begin, &kSlow, begin + 2500 * kMs).empty());
  CHECK(
      watch.look(begin, nullptr, begin + 3 * kSecond).ends_with("3.0 s and still is: no plugin's code runs"));
  CHECK(watch.look(begin, &kSlow, begin + 5 * kSecond).empty());
  CHECK_FALSE(watch.look(begin, &kSlow, begin + 6 * kSecond).empty());
  const uint64_t next = 20 * kSecond;
  CHECK(watch.look(next, &kSlow, next + 10 * kMs).empty());
  CHECK_FALSE(watch.look(next, &kSlow, next + kSecond).empty());
}

TEST_CASE("stall: a loop says since when it turns, and that it does not while it waits") {
  auto chosen = net::create_engine(net::EngineChoice::Auto, {});
  REQUIRE(chosen);
  const auto loop = *net::Loop::create(*chosen->engine);
  struct Client final : net::LoopClient {
    explicit Client(net::Loop& turning) : loop(turning) {}
    void on_completion(const net::Completion&) override {}
    void on_turn_end() override { since_ns = loop.busy_since_ns(); }
    net::Loop& loop;
    uint64_t since_ns = 0;
  } client(*loop);
  const uint64_t turns = loop->turns();
  CHECK(loop->busy_since_ns() == 0);
  loop->turn(client, 0);
  CHECK(client.since_ns == loop->now_ns());
  CHECK(loop->busy_since_ns() == 0);
  CHECK(loop->turns() == turns + 1);
}

}  // namespace leat::worker

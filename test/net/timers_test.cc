#include "net/timers.h"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <random>
#include <vector>

namespace leat::net {

namespace {

// A timer that counts its runs and may do something when it runs.
struct Probe : Timer {
  explicit Probe(void (*action)(Probe&) = nullptr) : Timer(&Probe::on_timer), act(action) {}
  static void on_timer(Timer& timer) {
    auto& self = static_cast<Probe&>(timer);
    ++self.runs;
    if (self.act != nullptr) self.act(self);
  }
  void (*act)(Probe&);
  TimerWheel* wheel = nullptr;
  Probe* other = nullptr;
  uint64_t again_ms = 0;
  int runs = 0;
};

}  // namespace

TEST_CASE("timers: one runs at its deadline and not before") {
  for (const uint64_t delay : {1, 2, 63, 64, 65, 4095, 4096, 4097, 262144, 75'000, 1'000'000'000}) {
    TimerWheel wheel(1000);
    Probe timer;
    wheel.start(timer, 1000 + delay);
    wheel.advance(1000 + delay - 1);
    CHECK(timer.runs == 0);
    CHECK(timer.running());
    wheel.advance(1000 + delay);
    CHECK(timer.runs == 1);
    CHECK_FALSE(timer.running());
    wheel.advance(2000 + delay);
    CHECK(timer.runs == 1);
  }
}

TEST_CASE("timers: a deadline that has passed runs at the next advance") {
  TimerWheel wheel(500);
  Probe timer;
  wheel.start(timer, 10);
  CHECK(wheel.next_ms() <= 500);
  wheel.advance(500);
  CHECK(timer.runs == 1);
}

TEST_CASE("timers: a moved timer runs once, at its last deadline") {
  TimerWheel wheel(0);
  Probe timer;
  wheel.start(timer, 100);
  wheel.start(timer, 10'000);
  wheel.advance(9'999);
  CHECK(timer.runs == 0);
  wheel.start(timer, 10'100);
  wheel.start(timer, 10'050);
  wheel.advance(10'049);
  CHECK(timer.runs == 0);
  wheel.advance(20'000);
  CHECK(timer.runs == 1);
  CHECK(wheel.running() == 0);
}

TEST_CASE("timers: a stopped timer does not run") {
  TimerWheel wheel(0);
  Probe timer;
  wheel.start(timer, 5);
  wheel.stop(timer);
  wheel.stop(timer);
  CHECK(wheel.next_ms() == UINT64_MAX);
  wheel.advance(100);
  CHECK(timer.runs == 0);
}

TEST_CASE("timers: next_ms is exact within 64 ms and never late") {
  TimerWheel wheel(1'000'000);
  Probe near;
  Probe far;
  CHECK(wheel.next_ms() == UINT64_MAX);
  wheel.start(far, 1'000'000 + 75'000);
  CHECK(wheel.next_ms() > 1'000'000);
  CHECK(wheel.next_ms() <= 1'000'000 + 75'000);
  wheel.start(near, 1'000'000 + 17);
  CHECK(wheel.next_ms() == 1'000'017);
  wheel.advance(1'000'017);
  wheel.stop(far);
}

TEST_CASE("timers: a callback may start itself, and stop or move another that is due") {
  TimerWheel wheel(0);
  SECTION("itself, with a deadline already passed: at the next advance") {
    Probe timer([](Probe& self) { self.wheel->start(self, 0); });
    timer.wheel = &wheel;
    wheel.start(timer, 3);
    wheel.advance(10);
    CHECK(timer.runs == 1);
    wheel.advance(10);
    CHECK(timer.runs == 2);
    wheel.stop(timer);
  }
  SECTION("each stops the other: one of the two runs") {
    const auto stop_other = [](Probe& self) { self.wheel->stop(*self.other); };
    Probe a(stop_other);
    Probe b(stop_other);
    a.wheel = b.wheel = &wheel;
    a.other = &b;
    b.other = &a;
    wheel.start(a, 7);
    wheel.start(b, 7);
    wheel.advance(7);
    CHECK(a.runs + b.runs == 1);
    CHECK(wheel.running() == 0);
  }
  SECTION("the earlier one moves the later one") {
    Probe late;
    Probe early([](Probe& self) { self.wheel->start(*self.other, 1000); });
    early.wheel = &wheel;
    early.other = &late;
    wheel.start(early, 5);
    wheel.start(late, 6);
    wheel.advance(50);
    CHECK(late.runs == 0);
    wheel.advance(999);
    CHECK(late.runs == 0);
    wheel.advance(1000);
    CHECK(late.runs == 1);
  }
}

TEST_CASE("timers: behave as a plain list of deadlines would") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto below = [&random](uint64_t bound) { return random() % bound; };

  uint64_t now = below(1 << 20);
  TimerWheel wheel(now);
  std::deque<Probe> timers(64);
  std::vector<uint64_t> deadlines(timers.size(), UINT64_MAX);  // the model; UINT64_MAX: does not run
  std::vector<int> runs(timers.size(), 0);
  constexpr uint64_t kSpans[] = {2, 64, 5000, 300'000, 20'000'000};

  for (int step = 0; step < 20'000; ++step) {
    const size_t which = below(timers.size());
    switch (below(4)) {
      case 0:
      case 1:
        deadlines[which] = now + below(kSpans[below(std::size(kSpans))]);
        wheel.start(timers[which], deadlines[which]);
        break;
      case 2:
        deadlines[which] = UINT64_MAX;
        wheel.stop(timers[which]);
        break;
      default:
        now += below(kSpans[below(std::size(kSpans))]);
        wheel.advance(now);
        for (size_t i = 0; i < timers.size(); ++i) {
          if (deadlines[i] > now) continue;
          deadlines[i] = UINT64_MAX;
          ++runs[i];
        }
    }
    uint64_t earliest = UINT64_MAX;
    size_t running = 0;
    for (size_t i = 0; i < timers.size(); ++i) {
      REQUIRE(timers[i].runs == runs[i]);
      REQUIRE(timers[i].running() == (deadlines[i] != UINT64_MAX));
      earliest = std::min(earliest, deadlines[i]);
      running += timers[i].running();
    }
    REQUIRE(wheel.running() == running);
    REQUIRE(wheel.next_ms() <= std::max(earliest, now));
    REQUIRE((running != 0 || wheel.next_ms() == UINT64_MAX));
  }
  for (Probe& timer : timers) wheel.stop(timer);
}

}  // namespace leat::net

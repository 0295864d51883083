// What keys are let in, against the sums that anybody can do, with as many keys and threads as there may be.
#include "middleware/rate_table.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cmath>
#include <cstdint>
#include <thread>
#include <vector>

#include "base/siphash.h"
#include "middleware/rate_limit.h"

namespace leat::middleware {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr SipKey kKey{1, 2};

uint64_t hash_of(uint64_t key) { return sip_hash({reinterpret_cast<const char*>(&key), sizeof key}, kKey); }

}  // namespace

TEST_CASE("rate table: a burst comes through at once, and then what the rate gives") {
  RateTable table(64, {.count = 10, .period_ns = kSecond, .burst = 3});
  uint64_t now = 5 * kSecond;
  for (uint64_t left = 3; left-- > 0;) {
    const RateTable::Outcome outcome = table.take(hash_of(1), now);
    CHECK(outcome.allowed);
    CHECK(outcome.remaining == left);
    CHECK(outcome.restored_s == 1);
  }
  const RateTable::Outcome limited = table.take(hash_of(1), now);
  CHECK(!limited.allowed);
  CHECK(limited.remaining == 0);
  CHECK(limited.retry_s == 1);
  CHECK(table.take(hash_of(2), now).allowed);  // another key
  now += kSecond / 10;
  CHECK(table.take(hash_of(1), now).allowed);
  CHECK(!table.take(hash_of(1), now).allowed);  // what is refused costs nothing
  now += kSecond / 10;
  CHECK(table.take(hash_of(1), now).allowed);
  now += kSecond;
  CHECK(table.take(hash_of(1), now).remaining == 2);  // never more than the burst
}

TEST_CASE("rate table: who is limited is told when it is allowed, and is allowed then and not before") {
  for (const char* text : {"1/s", "7/s", "1000/min", "5/h", "1/d", "3/30d"}) {
    INFO(text);
    Rate rate = read_rate(text).value();
    rate.burst = 2;
    RateTable table(8, rate);
    const uint64_t now = 1'000 * kSecond;
    while (table.take(hash_of(1), now).allowed) {
    }
    const uint64_t retry_s = table.take(hash_of(1), now).retry_s;
    const double wanted = static_cast<double>(rate.period_ns) / static_cast<double>(rate.count * kSecond);
    CHECK(static_cast<double>(retry_s) >= wanted);
    CHECK(static_cast<double>(retry_s) < wanted + 1.1);
    if (retry_s > 2) CHECK(!table.take(hash_of(1), now + (retry_s - 2) * kSecond).allowed);
    CHECK(table.take(hash_of(1), now + retry_s * kSecond).allowed);
  }
}

TEST_CASE("rate table: what a key gets in the long run is the rate, for slow ones and fast ones") {
  for (const char* text :
       {"1/s", "3/s", "7/s", "100/s", "999999/s", "1000000/s", "1000/min", "11/h", "1/d", "1/30d"}) {
    INFO(text);
    Rate rate = read_rate(text).value();
    rate.burst = 5;
    RateTable table(8, rate);
    const double each_ns = static_cast<double>(rate.period_ns) / static_cast<double>(rate.count);
    const double start_ns = 1e15;
    const int requests = static_cast<int>(std::min(10'000.0, 1e18 / each_ns));  // 30 years at most
    int allowed = 0;
    for (int i = 0; i <= requests * 7; ++i)
      allowed += table.take(hash_of(1), static_cast<uint64_t>(start_ns + each_ns * i / 7)).allowed ? 1 : 0;
    CHECK(std::abs(allowed - (requests + 5)) <= 1);
  }
}

TEST_CASE("rate table: a key that rested for however long has its burst, and no more") {
  for (const char* text : {"1/s", "1000000/s", "1/30d"}) {
    const Rate rate = read_rate(text).value();
    const uint64_t each_ns = rate.period_ns / rate.count;
    RateTable table(8, rate);
    uint64_t now = kSecond;
    // Also over many of the times after which the time of a word comes round.
    for (uint64_t rest = each_ns * (rate.burst + 1); rest < uint64_t{1} << 61; rest *= 3) {
      INFO(text << " " << rest);
      while (table.take(hash_of(1), now).allowed) {
      }
      now += rest;
      if (now >= uint64_t{1} << 62) break;
      CHECK(table.take(hash_of(1), now).remaining == rate.burst - 1);
    }
  }
}

TEST_CASE("rate table: a clock that is a little behind another thread's lets nobody in") {
  RateTable table(8, {.count = 100, .period_ns = kSecond, .burst = 10});
  while (table.take(hash_of(1), 100 * kSecond).allowed) {
  }
  for (const uint64_t behind_ms : {1, 100, 1000, 10'000})
    CHECK(!table.take(hash_of(1), 100 * kSecond - behind_ms * 1'000'000).allowed);
}

TEST_CASE("rate table: a set that is full forgets who has used least, never who is limited") {
  // One set: each key is in it.
  RateTable table(8, {.count = 1, .period_ns = kSecond, .burst = 10});
  const uint64_t now = kSecond;
  while (table.take(hash_of(0), now).allowed) {
  }
  for (uint64_t key = 1; key < 8; ++key) CHECK(!table.take(hash_of(key), now).evicted);
  CHECK(table.used(now) == 8);
  for (uint64_t key = 8; key < 1000; ++key) {
    const RateTable::Outcome outcome = table.take(hash_of(key), now);
    CHECK(outcome.allowed);
    CHECK(outcome.evicted);
    CHECK(outcome.remaining == 9);  // it is not charged for whom it has replaced
  }
  CHECK(!table.take(hash_of(0), now).allowed);
  CHECK(table.used(now) == 8);
  // Who has all of its budget again leaves no trace.
  CHECK(!table.take(hash_of(5000), now + 60 * kSecond).evicted);
}

TEST_CASE("rate table: a million keys neither make it grow nor change what a hot key gets") {
  const size_t keys = GENERATE(65'536, 512);
  INFO(keys);
  constexpr uint64_t kStepNs = 5'000;
  RateTable table(keys, {.count = 100, .period_ns = kSecond, .burst = 100});
  const size_t bytes = table.bytes();
  CHECK(bytes == keys * sizeof(uint64_t));
  constexpr uint64_t kKeys = 1'000'000;
  std::atomic<uint64_t> steps = 0, allowed = 0, evicted = 0;
  const auto ask = [&](uint64_t first) {
    uint64_t mine = 0, gone = 0;
    for (uint64_t key = first; key < kKeys; key += 2) {
      mine += table.take(hash_of(UINT64_MAX), steps.fetch_add(1) * kStepNs).allowed ? 1 : 0;
      gone += table.take(hash_of(key), steps.fetch_add(1) * kStepNs).evicted ? 1 : 0;
    }
    allowed += mine;
    evicted += gone;
  };
  std::thread other([&] { ask(1); });
  ask(0);
  other.join();
  const uint64_t end_ns = steps * kStepNs;
  REQUIRE(end_ns == 10 * kSecond);
  const double wanted = 100 + 100 * 10;
  INFO(allowed << " of " << wanted << ", evicted " << evicted);
  CHECK(std::abs(static_cast<double>(allowed) - wanted) < wanted / 100);
  CHECK(table.bytes() == bytes);
  CHECK(table.used(end_ns) <= keys);
  if (keys == 512) CHECK(evicted > 0);
}

TEST_CASE("rate table: two threads with one key get what one would") {
  constexpr uint64_t kStepNs = 1'000;
  RateTable table(8, {.count = 1000, .period_ns = kSecond, .burst = 1000});
  std::atomic<uint64_t> steps = 0, allowed = 0;
  const auto ask = [&] {
    uint64_t mine = 0;
    for (int i = 0; i < 1'000'000; ++i)
      mine += table.take(hash_of(7), steps.fetch_add(1) * kStepNs).allowed ? 1 : 0;
    allowed += mine;
  };
  std::thread other(ask);
  ask();
  other.join();
  const double wanted = 1000 + 1000 * 2;
  INFO(allowed << " of " << wanted);
  CHECK(std::abs(static_cast<double>(allowed) - wanted) < wanted / 100);
}

TEST_CASE("rate table: rates are read as people write them") {
  const auto is = [](std::string_view text, uint64_t count, uint64_t period_s) {
    INFO(text);
    const auto rate = read_rate(text);
    return rate ==
           Rate{.count = count, .period_ns = period_s * kSecond, .burst = std::min(count, Rate::kMostBurst)};
  };
  CHECK(is("100/s", 100, 1));
  CHECK(is("1000/min", 1000, 60));
  CHECK(is("1000/m", 1000, 60));
  CHECK(is("5/h", 5, 3600));
  CHECK(is("1/d", 1, 86'400));
  CHECK(is("30/10s", 30, 10));
  CHECK(is("1/30d", 1, 30 * 86'400));
  CHECK(is("1000000/s", 1'000'000, 1));
  CHECK(is("60000000/min", 60'000'000, 60));
  for (const std::string_view none :
       {"", "100", "/s", "100/", "0/s", "-1/s", "+1/s", "1.5/s", "100 / s", "100/s ", "100/0s", "100/31d",
        "1000001/s", "1001/ms", "18446744073709551616/d", "100/year", "100/s/s", "100/-1s"}) {
    INFO(none);
    CHECK(!read_rate(none));
  }
}

}  // namespace leat::middleware

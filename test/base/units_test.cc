// Times and sizes: what is read, what is refused, and that what is written can be read.
#include "base/units.h"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <random>
#include <string>

namespace leat::test {
namespace {

constexpr uint64_t kMost = UINT64_MAX;

TEST_CASE("units: times") {
  struct Case {
    const char* text;
    uint64_t ms;
  };
  for (const auto& [text, ms] : {Case{"0ms", 0},
                                 {"0s", 0},
                                 {"1ms", 1},
                                 {"500ms", 500},
                                 {"10s", 10'000},
                                 {"5m", 300'000},
                                 {"2h", 7'200'000},
                                 {"1d", 86'400'000},
                                 {"007s", 7000},
                                 {"18446744073709551615ms", kMost},
                                 {"213503982334d", kMost / 86'400'000 * 86'400'000}}) {
    INFO(text);
    CHECK(parse_duration(text) == ms);
  }
  for (const char* text : {"",
                           "s",
                           "10",
                           "10 s",
                           " 10s",
                           "10s ",
                           "10S",
                           "10sec",
                           "1m30s",
                           "1.5s",
                           "-1s",
                           "+1s",
                           "1e3s",
                           "0x10s",
                           "10w",
                           "10us",
                           "10s\n",
                           "18446744073709551616ms",
                           "18446744073709552s",
                           "213503982335d",
                           "99999999999999999999999999d"}) {
    INFO(text);
    CHECK(!parse_duration(text));
  }
}

TEST_CASE("units: what was meant is suggested where it is plain, and in a form that is read") {
  struct Case {
    const char* text;
    const char* meant;
  };
  for (const auto& [text, meant] : {Case{"75sec", "75s"},
                                    {"1.5s", "1500ms"},
                                    {"10 s", "10s"},
                                    {"10S", "10s"},
                                    {"5 Minutes", "5m"},
                                    {"2hrs", "2h"},
                                    {"0.5d", "12h"},
                                    {"1.0h", "1h"},
                                    {"250 msec", "250ms"},
                                    {"10", "10s"}}) {
    INFO(text);
    REQUIRE(suggest_duration(text) == meant);
    CHECK(parse_duration(meant));
  }
  for (const auto& [text, meant] : {Case{"8m", "8MiB"},
                                    {"8mb", "8MB"},
                                    {"64k", "64KiB"},
                                    {"64 kb", "64KB"},
                                    {"1g", "1GiB"},
                                    {"2Gi", "2GiB"},
                                    {"1.5MiB", "1536KiB"},
                                    {"1.5GB", "1500MB"},
                                    {"0.25 m", "256KiB"},
                                    {"100 bytes", "100B"}}) {
    INFO(text);
    REQUIRE(suggest_size(text) == meant);
    CHECK(parse_size(meant));
  }
  for (const char* text : {"", "s", "ten seconds", "10KiB", "1.23456s", "1.0005s", "-1s", "1e3s",
                           "99999999999999999999s", "9999999.5s"}) {
    INFO(text);
    CHECK(!suggest_duration(text));
  }
  for (const char* text : {"", "10s", "1.3B", "MiB", "1.5", "0x10k"}) {
    INFO(text);
    CHECK(!suggest_size(text));
  }
}

TEST_CASE("units: sizes") {
  struct Case {
    const char* text;
    uint64_t bytes;
  };
  for (const auto& [text, bytes] : {Case{"0", 0},
                                    {"0KiB", 0},
                                    {"4096", 4096},
                                    {"17B", 17},
                                    {"64KiB", 65536},
                                    {"1MiB", 1 << 20},
                                    {"2GiB", uint64_t{2} << 30},
                                    {"10KB", 10'000},
                                    {"10MB", 10'000'000},
                                    {"1GB", 1'000'000'000},
                                    {"18446744073709551615", kMost},
                                    {"18446744073709551615B", kMost},
                                    {"17179869183GiB", uint64_t{17179869183} << 30},
                                    {"18446744073GB", 18446744073000000000U}}) {
    INFO(text);
    CHECK(parse_size(text) == bytes);
  }
  for (const char* text :
       {"", "KiB", "B", "1 KiB", "1kib", "1kB", "1K", "1M", "1TiB", "1.5MiB", "-1", "+1", "0x10", "1KiB ",
        "18446744073709551616", "17179869184GiB", "18446744074GB", "18014398509481984KiB"}) {
    INFO(text);
    CHECK(!parse_size(text));
  }
}

TEST_CASE("units: a quantity is written with the largest unit that is exact") {
  CHECK(duration_text(0) == "0ms");
  CHECK(duration_text(1500) == "1500ms");
  CHECK(duration_text(10'000) == "10s");
  CHECK(duration_text(90'000) == "90s");
  CHECK(duration_text(86'400'000) == "1d");
  CHECK(size_text(0) == "0B");
  CHECK(size_text(1000) == "1000B");
  CHECK(size_text(65536) == "64KiB");
  CHECK(size_text(uint64_t{3} << 30) == "3GiB");
  CHECK(size_text(kMost) == "18446744073709551615B");
}

TEST_CASE("units: what is written reads as the same quantity") {
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto round_trip = [](uint64_t quantity) {
    INFO(quantity);
    CHECK(parse_duration(duration_text(quantity)) == quantity);
    CHECK(parse_size(size_text(quantity)) == quantity);
  };
  round_trip(0);
  round_trip(kMost);
  constexpr uint64_t kFactors[] = {1, 1000, 1024, 60'000, 3'600'000, 86'400'000, 1 << 20, 1 << 30};
  for (int i = 0; i < 2000; ++i) {
    const uint64_t quantity = random() >> (random() % 64);  // small ones as often as large ones
    round_trip(quantity);
    round_trip(quantity * kFactors[random() % std::size(kFactors)]);  // wraps: still a quantity
  }
}

}  // namespace
TEST_CASE("units: one thing is no plural") {
  CHECK(counted(0, "route") == "0 routes");
  CHECK(counted(1, "route") == "1 route");
  CHECK(counted(12, "more line") == "12 more lines");
}

}  // namespace leat::test

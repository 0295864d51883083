// Buckets of latency: which one a time belongs to, and what quantiles say.
#include "base/latency.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <random>

namespace leat {
namespace {

// By looking at all bounds.
size_t searched(uint64_t ns) {
  return static_cast<size_t>(std::ranges::lower_bound(latency::kBounds, ns) - latency::kBounds.begin());
}

TEST_CASE("latency: a time is in the bucket whose bound is the first that is not below it") {
  for (size_t i = 0; i + 1 < latency::kBuckets; ++i) {
    const uint64_t bound = latency::kBounds[i];
    INFO(bound);
    CHECK(latency::bucket_of(bound) == i);
    CHECK(latency::bucket_of(bound + 1) == i + 1);
    CHECK(latency::bucket_of(bound - 1) == searched(bound - 1));
  }
  for (const uint64_t ns : {uint64_t{0}, uint64_t{1}, uint64_t{7}, uint64_t{999}})
    CHECK(latency::bucket_of(ns) == 0);
  CHECK(latency::bucket_of(UINT64_MAX) == latency::kBuckets - 1);
  std::mt19937_64 random(7);
  size_t wrong = 0;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t ns = random() >> (random() % 64);
    wrong += latency::bucket_of(ns) == searched(ns) ? 0 : 1;
  }
  CHECK(wrong == 0);
}

TEST_CASE("latency: bounds are round and cover a microsecond to eighty seconds") {
  CHECK(latency::kBounds[0] == 1'000);
  CHECK(latency::kBounds[4] == 2'500);
  CHECK(latency::kBounds[10] == 10'000);
  CHECK(latency::kBounds[50] == 100'000'000);
  CHECK(latency::kBounds[79] == 80'000'000'000);
}

TEST_CASE("latency: quantiles lie within the bucket that holds them") {
  std::array<uint64_t, latency::kBuckets> counts{};
  CHECK(latency::quantile(counts, 0.5) == 0);
  for (int i = 0; i < 90; ++i) ++counts[latency::bucket_of(1'000'000)];
  for (int i = 0; i < 10; ++i) ++counts[latency::bucket_of(50'000'000)];
  const double half = latency::quantile(counts, 0.5);
  CHECK((half > 800'000 && half <= 1'000'000));
  CHECK(latency::quantile(counts, 0.9) == 1'000'000);
  const double most = latency::quantile(counts, 0.99);
  CHECK((most > 40'000'000 && most <= 50'000'000));
  counts[latency::kBuckets - 1] = 1'000;
  CHECK(latency::quantile(counts, 0.99) == 80'000'000'000);
}

}  // namespace
}  // namespace leat

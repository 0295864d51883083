// Connections of one client address, counted over all workers.
#include "worker/address_counts.h"

#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <thread>
#include <vector>

namespace leat::test {

TEST_CASE("address counts: an address has so many, each for itself, and may have another when one has left") {
  worker::AddressCounts counts(2, 1);
  CHECK(counts.enter(1));
  CHECK(counts.enter(1));
  CHECK_FALSE(counts.enter(1));
  CHECK(counts.enter(2));
  counts.leave(1);
  CHECK(counts.enter(1));
  CHECK_FALSE(counts.enter(1));
}

TEST_CASE("address counts: where it is crowded an address has fewer") {
  worker::AddressCounts counts(4, 2);
  CHECK(counts.enter(1, true));
  CHECK(counts.enter(1, true));
  CHECK_FALSE(counts.enter(1, true));
  CHECK(counts.enter(1, false));
  CHECK(counts.enter(2, true));
}

TEST_CASE("address counts: no address has no limit") {
  worker::AddressCounts counts(1, 1);
  for (int i = 0; i < 10; ++i) CHECK(counts.enter(0));
  counts.leave(0);
}

TEST_CASE("address counts: workers that count at the same time never let in too many") {
  constexpr uint64_t kMost = 100;
  worker::AddressCounts counts(kMost, kMost);
  std::atomic<uint64_t> there = 0;
  std::atomic<bool> too_many = false;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] {
        for (int i = 0; i < 20'000; ++i) {
          if (!counts.enter(7)) continue;
          if (there.fetch_add(1) >= kMost) too_many = true;
          if (i % 3 != 0 || there > kMost / 2) {
            there.fetch_sub(1);
            counts.leave(7);
          }
        }
      });
  }
  CHECK_FALSE(too_many);
  for (; there > 0; --there) counts.leave(7);
  for (uint64_t i = 0; i < kMost; ++i) CHECK(counts.enter(7));
  CHECK_FALSE(counts.enter(7));
}

}  // namespace leat::test

// How busy a thread is, by its waits: of numbers that a test gives.
#include "base/busy_share.h"

#include <catch2/catch_test_macros.hpp>

namespace leat {

TEST_CASE("busy share: the part of the last stretch that was not waited") {
  constexpr uint64_t kMs = 1'000'000;
  BusyShare share;
  CHECK(share.percent() == 0);
  uint64_t now = 5'000'000 * kMs;
  share.waited(now - 3 * kMs, now);  // the first look
  CHECK(share.percent() == 0);
  // Works for three of four milliseconds.
  const auto run = [&](unsigned times, uint64_t works, uint64_t waits) {
    for (unsigned i = 0; i < times; ++i) {
      now += works * kMs;
      share.waited(now, now + waits * kMs);
      now += waits * kMs;
    }
    return share.percent();
  };
  CHECK(run(24, 3, 1) == 0);  // it is not over
  CHECK(run(1, 3, 1) == 75);
  CHECK(run(25, 0, 4) == 0);
  CHECK(run(25, 4, 0) == 100);
  // One long wait, and one long turn.
  CHECK(run(1, 0, 10'000) == 0);
  CHECK(run(1, 10'000, 0) == 100);
  CHECK(run(1, 1, 199) == 1);
}

}  // namespace leat

// QuickClock: it is the kernel's clock, nearly.
#include "base/quick_clock.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <vector>

namespace leat::test {

TEST_CASE("quick clock: it tells what the kernel's clock does, after rests of any length") {
  QuickClock clock;
  std::vector<int64_t> off;
  for (const useconds_t rest : {0U, 1U, 300U, 1500U, 20'000U, 1'100'000U}) {
    for (int i = 0; i < (rest > 100'000 ? 2 : 200); ++i) {
      if (rest != 0) ::usleep(rest);
      // Between two looks at the kernel's clock, of which a thread that is interrupted makes a wide one.
      const uint64_t before = monotonic_ns();
      const uint64_t quick = clock.now_ns();
      const uint64_t after = monotonic_ns();
      const auto early = static_cast<int64_t>(before) - static_cast<int64_t>(quick);
      const auto late = static_cast<int64_t>(quick) - static_cast<int64_t>(after);
      off.push_back(std::max({early, late, int64_t{0}}));
    }
  }
  std::ranges::sort(off);
  // All but a few that were interrupted within a look.
  CHECK(off[off.size() * 9 / 10] < 2'000);
  CHECK(off.back() < 1'000'000'000);
}

TEST_CASE("quick clock: it does not stand still") {
  QuickClock clock;
  const uint64_t begin = clock.now_ns();
  const uint64_t end = monotonic_ns() + 5'000'000;
  uint64_t last = begin;
  size_t different = 0;
  while (monotonic_ns() < end) {
    const uint64_t now = clock.now_ns();
    different += now != last ? 1 : 0;
    last = now;
  }
  CHECK(last > begin);
  CHECK(different > 10);
}

}  // namespace leat::test

// Input: a run of bytes over a worker's blocks.
#include "transport/input.h"

#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>

namespace leat::test {

using transport::Input;

TEST_CASE("input: keeps bytes in order, in one piece, and holds nothing when empty") {
  const uint32_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  BlockPool pool(4096, 8);
  Input input(pool);
  std::string model;
  for (int i = 0; i < 3000; ++i) {
    if (random() % 2 == 0) {
      const std::string bytes(random() % (random() % 8 == 0 ? 50'000 : 500), static_cast<char>('a' + i % 26));
      REQUIRE(input.append(bytes));
      model += bytes;
    } else {
      const size_t size = random() % 4 == 0 ? model.size() : random() % (model.size() + 1);
      input.consume(size);
      model.erase(0, size);
    }
    REQUIRE(input.view() == model);
    CHECK(input.empty() == model.empty());
    if (model.empty()) CHECK(pool.out() == 0);
    CHECK(pool.out() <= 1);
    CHECK(pool.used() == input.footprint());
    CHECK(input.footprint() >= model.size());
  }
  input.clear();
  CHECK(pool.used() == 0);
}

TEST_CASE("input: without memory it says so and is as it was") {
  BlockPool none(0, 0);
  Input nothing(none);
  CHECK(nothing.append(""));
  CHECK_FALSE(nothing.append("abc"));
  CHECK(nothing.empty());
  BlockPool pool(2, 0);
  Input input(pool);
  CHECK(input.append("abc"));
  CHECK_FALSE(input.append(std::string(20'000, 'x')));  // more than a block is memory of its own, and counts
  CHECK(input.view() == "abc");
  input.clear();
  CHECK(input.append(std::string(20'000, 'x')));
  CHECK(pool.used() == 20'000);
}

}  // namespace leat::test

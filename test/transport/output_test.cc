// Output: a queue of bytes over a worker's blocks.
#include "transport/output.h"

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "support/output_memory.h"

namespace leat::test {

namespace {

using transport::Output;
using transport::OutputSegment;

// Bytes that know whether they were let go.
struct Pin {
  std::string bytes;
  int releases = 0;
  transport::Release release() {
    return {[](void* pin) { ++static_cast<Pin*>(pin)->releases; }, this};
  }
};

}  // namespace

TEST_CASE("output: small things follow one another in one piece") {
  Memory memory;
  Output output(memory.both);
  CHECK(output.append("abc"));
  CHECK(output.append("def"));
  std::string_view parts[4];
  REQUIRE(output.gather(parts) == 1);
  CHECK(parts[0] == "abcdef");
  CHECK(memory.pool.out() == 1);
  output.consume(2);
  CHECK(contents(output) == "cdef");
  output.consume(4);
  CHECK(output.empty());
  CHECK(memory.pool.out() == 0);
  CHECK(memory.segments.out() == 0);
}

TEST_CASE("output: bytes under way stay where they are while more are queued") {
  Memory memory;
  Output output(memory.both);
  Pin pin{"pinned"};
  CHECK(output.append("first"));
  CHECK(output.append_pinned(pin.bytes, pin.release()));
  std::string_view parts[2];
  REQUIRE(output.gather(parts) == 2);
  for (int i = 0; i < 2000; ++i) CHECK(output.append("and more and more"));
  CHECK(parts[0] == "first");
  CHECK(parts[1] == "pinned");
  CHECK(pin.releases == 0);
  output.consume(8);
  CHECK(pin.releases == 0);
  output.consume(3);
  CHECK(pin.releases == 1);
  output.clear();
  CHECK(pin.releases == 1);
}

TEST_CASE("output: goes on in the same block behind a pinned piece") {
  Memory memory;
  Output output(memory.both);
  Pin pin{"-pinned-"};
  CHECK(output.append("head"));
  CHECK(output.append_pinned(pin.bytes, pin.release()));
  CHECK(output.append("next"));
  CHECK(memory.pool.out() == 1);
  CHECK(contents(output) == "head-pinned-next");
  output.consume(12);
  CHECK(pin.releases == 1);
  CHECK(memory.pool.out() == 1);
  CHECK(output.append("!"));
  CHECK(contents(output) == "next!");
  output.consume(5);
  CHECK(memory.pool.out() == 0);
}

TEST_CASE("output: without memory it says so, and owes what it has taken") {
  SECTION("blocks") {
    Memory memory(1);
    Output output(memory.both);
    CHECK_FALSE(output.append(std::string(20'000, 'x')));
    CHECK(output.reserve(Block::capacity()) == nullptr);
    CHECK(output.size() <= Block::capacity());
  }
  SECTION("segments") {
    Memory memory(10, 1);
    Output output(memory.both);
    Pin pin{"pinned"};
    CHECK(output.append("x"));
    CHECK_FALSE(output.append_pinned(pin.bytes, pin.release()));
    CHECK(pin.releases == 0);
    CHECK(output.append("y"));
    CHECK(contents(output) == "xy");
    CHECK_FALSE(output.append(std::string(20'000, 'x')));
    CHECK(memory.pool.out() == 1);
  }
}

TEST_CASE("output: behaves like a string, whatever comes when, and lets go of each pin once") {
  const uint32_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 30; ++round) {
    Memory memory;
    std::deque<Pin> pins;
    size_t released_at_most = 0;
    {
      Output output(memory.both);
      std::string model;
      for (int i = 0; i < 300; ++i) {
        const std::string bytes(random() % (random() % 4 == 0 ? 40'000 : 300),
                                static_cast<char>('a' + i % 26));
        switch (random() % 6) {
          case 0:
          case 1:
            CHECK(output.append(bytes));
            model += bytes;
            break;
          case 2:
            pins.push_back({bytes});
            CHECK(output.append_pinned(pins.back().bytes, pins.back().release()));
            model += bytes;
            break;
          case 3: {
            const size_t room = 1 + random() % Block::capacity();
            char* at = output.reserve(room);
            REQUIRE(at != nullptr);
            const size_t used = random() % (room + 1);
            std::fill_n(at, used, '*');
            output.commit(used);
            model.append(used, '*');
            break;
          }
          case 4: {
            const size_t size = random() % (model.size() + 1);
            output.consume(size);
            model.erase(0, size);
            break;
          }
          default:
            if (random() % 10 == 0) {
              output.consume(model.size());
              model.clear();
              CHECK(memory.pool.out() == 0);
              CHECK(memory.segments.out() == 0);
            }
        }
        REQUIRE(output.size() == model.size());
        if (i % 10 == 0) REQUIRE(contents(output) == model);
      }
      CHECK(contents(output) == model);
      for (const Pin& pin : pins) released_at_most += static_cast<size_t>(pin.releases);
      CHECK(released_at_most <= pins.size());
    }
    for (const Pin& pin : pins) CHECK(pin.releases == 1);
  }
}

TEST_CASE("output: what is queued moves to another queue by reference, in parts") {
  Memory memory;
  Pin pin{.bytes = std::string(10'000, 'p')};
  {
    Output from(memory.both);
    Output to(memory.both);
    CHECK(to.append("<"));
    CHECK(from.append("abc"));
    CHECK(from.append_pinned(pin.bytes, pin.release()));
    CHECK(from.append("xyz"));
    CHECK(to.take_front(from, 2) == 2);
    CHECK(to.append("|"));
    CHECK(to.take_front(from, 5'001) == 5'001);
    CHECK(from.append("more"));
    CHECK(from.size() == 5'000 + 3 + 4);
    CHECK(contents(to) == "<ab|c" + std::string(5'000, 'p'));
    std::string_view parts[8];
    REQUIRE(to.gather(parts) >= 3);
    CHECK(std::ranges::any_of(parts, [&](std::string_view part) { return part.data() == pin.bytes.data(); }));
    to.consume(to.size());
    CHECK(pin.releases == 0);
    CHECK(to.take_front(from, 1'000'000) == 5'007);
    CHECK(from.empty());
    CHECK(to.append(">"));
    CHECK(contents(to) == std::string(5'000, 'p') + "xyzmore>");
    to.consume(5'000);
    CHECK(pin.releases == 1);
  }
}

TEST_CASE("output: what is dropped stays for as long as slices of it are on their way") {
  Memory memory;
  Pin pin{.bytes = std::string(10'000, 'p')};
  Pin other{.bytes = std::string(10, 'q')};
  {
    Output from(memory.both);
    Output to(memory.both);
    CHECK(from.append("abc"));
    CHECK(from.append_pinned(pin.bytes, pin.release()));
    CHECK(from.append("xyz"));
    CHECK(from.append_pinned(other.bytes, other.release()));
    CHECK(to.take_front(from, 1'000) == 1'000);
    from.drop_behind(to);
    CHECK(from.empty());
    CHECK(pin.releases + other.releases == 0);
    CHECK(contents(to) == "abc" + std::string(997, 'p'));
    to.consume(999);
    CHECK(pin.releases + other.releases == 0);
    to.consume(1);
    CHECK(pin.releases == 1);
    CHECK(other.releases == 1);
    // Where nothing is on its way it goes at once.
    CHECK(from.append_pinned(pin.bytes, pin.release()));
    from.drop_behind(to);
    CHECK(pin.releases == 2);
  }
}

TEST_CASE("output: without memory a part moves, and no byte is lost") {
  Memory memory(4, 2);
  Pin pin{.bytes = std::string(100, 'p')};
  {
    Output from(memory.both);
    Output to(memory.both);
    CHECK(from.append_pinned(pin.bytes, pin.release()));
    CHECK(to.append_pinned(pin.bytes, pin.release()));
    CHECK(to.take_front(from, 50) == 0);
    CHECK(from.size() == 100);
    CHECK(to.take_front(from, 100) == 100);
  }
  CHECK(pin.releases == 2);
}

}  // namespace leat::test

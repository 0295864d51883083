// Output and Input: queues of bytes over a worker's blocks.
#include "transport/output.h"

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "http/input.h"
#include "http/writer.h"

namespace leat::test {

namespace {

using http::Input;
using transport::Output;
using transport::OutputSegment;

struct Memory {
  explicit Memory(size_t blocks = 1024, size_t nodes = 4096) : pool(blocks, 64), segments(nodes) {}
  ~Memory() {
    CHECK(pool.out() == 0);
    CHECK(segments.out() == 0);
  }
  BlockPool pool;
  NodePool<OutputSegment> segments;
  transport::OutputMemory both{pool, segments};
};

std::string contents(const Output& output) {
  std::vector<std::string_view> parts(10'000);
  std::string text;
  const size_t count = output.gather(parts);
  for (size_t i = 0; i < count; ++i) text += parts[i];
  return text;
}

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

namespace {

std::string written(const http::Response& response, const http::ResponseFraming& framing,
                    std::string_view body = {}) {
  Memory memory;
  Output output(memory.both);
  http::Writer writer("leat");
  writer.set_date("Mon, 23 Nov 2026 12:00:00 GMT");
  bool body_done = false;
  REQUIRE(writer.write_head(output, response, framing, body, body_done));
  CHECK(body_done == (body.size() < 16'000));
  return contents(output);
}

using Kind = http::ResponseFraming::Kind;
constexpr std::string_view kShared = "Server: leat\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\n";

}  // namespace

TEST_CASE("writer: writes heads for every framing") {
  http::Response response;
  const std::string ok = "HTTP/1.1 200 OK\r\n" + std::string(kShared);
  CHECK(written(response, {.kind = Kind::None}) == ok + "\r\n");
  CHECK(written(response, {.kind = Kind::UntilClose, .close = true}) == ok + "Connection: close\r\n\r\n");
  CHECK(written(response, {.kind = Kind::Chunked}) == ok + "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(written(response, {.kind = Kind::Length, .length = 3, .say_keep_alive = true}, "abc") ==
        ok + "Content-Length: 3\r\nConnection: keep-alive\r\n\r\nabc");
  CHECK(written(response, {.kind = Kind::Length, .length = UINT64_MAX}) ==
        ok + "Content-Length: 18446744073709551615\r\n\r\n");
  response.status = 299;
  response.content_type = "text/plain";
  REQUIRE(response.add("X-A", ""));
  REQUIRE(response.add("X-B", "1"));
  CHECK(written(response, {.kind = Kind::Length, .length = 0}) ==
        "HTTP/1.1 299 \r\n" + std::string(kShared) +
            "Content-Type: text/plain\r\nX-A: \r\nX-B: 1\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE("writer: leaves out Server when it has no name, and a body that does not fit beside the head") {
  Memory memory;
  Output output(memory.both);
  http::Writer writer("");
  bool body_done = true;
  const std::string body(Block::capacity(), 'x');
  REQUIRE(writer.write_head(output, {}, {.kind = Kind::Length, .length = body.size()}, body, body_done));
  CHECK_FALSE(body_done);
  CHECK(contents(output).find("Server") == std::string::npos);
  CHECK(contents(output).ends_with("\r\n\r\n"));
}

TEST_CASE("writer: a head larger than a block is refused with nothing queued") {
  Memory memory;
  Output output(memory.both);
  const http::Writer writer("leat");
  http::Response response;
  const std::string large(Block::capacity(), 'x');
  REQUIRE(response.add("X", large));
  bool body_done = false;
  CHECK_FALSE(writer.write_head(output, response, {}, {}, body_done));
  CHECK(output.empty());
}

TEST_CASE("writer: the largest head that is taken fits its block") {
  // Every size around a block's end: what was reserved must hold what is written.
  for (size_t size = Block::capacity() - 400; size < Block::capacity(); ++size) {
    Memory memory;
    Output output(memory.both);
    const http::Writer writer("leat");
    http::Response response;
    response.status = 599;
    response.content_type = "a/b";
    const std::string value(size, 'x');
    REQUIRE(response.add("X", value));
    bool body_done = false;
    const bool fits = writer.write_head(output, response,
                                        {.kind = Kind::Length, .length = UINT64_MAX, .say_keep_alive = true},
                                        "body", body_done);
    CHECK(output.empty() == !fits);
  }
}

}  // namespace leat::test

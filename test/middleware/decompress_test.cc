// decompress: what handlers get of bodies that are packed, whole and as they come, and what is refused; behind real sessions.
#include "middleware/decompress.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "coding/unpack.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/scripted.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using coding::Coding;
using coding::test::pack;

const std::string kPlain = [] {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "{\"n\":" + std::to_string(i * 7919 % 10'007) + "}";
  return text;
}();

std::string coded(std::string_view codings) { return "Content-Encoding: " + std::string(codings) + "\r\n"; }

// A route "/" behind a decompress, whose handler keeps what it gets and says how much that was.
struct Unpacked {
  explicit Unpacked(bool streams, Value::Table options = {}, uint64_t limit = 0) {
    stage.middleware("decompress", std::move(options));
    handler = &stage.route("/", {"POST", "GET"}, limit);
    handler->streams = streams;
    handler->on_handle = [this](http::Exchange& exchange) {
      fields.clear();
      const http::Head& head = exchange.request.head();
      hidden = head.length_hidden;
      for (const http::HeaderSlot& slot : head.headers()) fields += std::string(head.view(slot.name)) + ";";
      body.clear();
      pieces = 0;
      if (!handler->streams) {
        body = exchange.request.body();
        exchange.send("got it");
      }
      return Verdict::Done;
    };
    handler->on_piece = [this](http::Exchange& exchange, std::string_view piece) {
      body += piece;
      ++pieces;
      most = std::max(most, piece.size());
      if (pauses) {
        exchange.pause_body();
        stage.harness().worker.waiting.push_back(
            {exchange.ticket(), [](http::Exchange& waits, void*) { waits.resume_body(); }, nullptr, 0});
      }
      return Verdict::Done;
    };
    handler->on_end = [](http::Exchange& exchange) {
      exchange.send("got it");
      return Verdict::Done;
    };
  }
  std::string post(std::string_view content, std::string_view more) {
    return stage.feed("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(more) + "Content-Length: " +
                      std::to_string(content.size()) + "\r\nX-Last: 1\r\n\r\n" + std::string(content));
  }
  // In chunks of up to so many bytes, each fed by itself.
  std::string post_chunks(std::string_view content, std::string_view more, size_t size) {
    std::string answer = stage.feed("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(more) +
                                    "Transfer-Encoding: chunked\r\n\r\n");
    char line[20];
    while (!content.empty() && answer.empty()) {
      const std::string_view piece = content.substr(0, size);
      std::snprintf(line, sizeof line, "%zx\r\n", piece.size());
      answer += stage.feed(line + std::string(piece) + "\r\n");
      content.remove_prefix(piece.size());
    }
    return answer.empty() ? stage.feed("0\r\n\r\n") : answer;
  }
  [[nodiscard]] std::string count(std::string_view metric) {
    for (const std::string& line : lines(registry.text()))
      if (line.starts_with(metric)) return line.substr(line.rfind(' ') + 1);
    return "(none)";
  }

  metrics::Registry registry;
  Stage stage{kinds(), {.metrics = &registry}};
  ScriptHandler* handler = nullptr;
  std::string body, fields;
  bool hidden = false, pauses = false;
  size_t pieces = 0, most = 0;
};

}  // namespace

TEST_CASE("decompress: handlers get the body plain, and no word of how it came") {
  for (const bool streams : {false, true}) {
    for (const Coding coding : coding::encodable()) {
      Unpacked unpacked(streams);
      const std::string name(coding::name_of(coding));
      const std::string packed = pack(coding, kPlain);
      INFO(name << " " << streams);
      for (const std::string& said : {name, "identity, " + name, " " + name + " ,"}) {
        const std::string answer = unpacked.post(packed, coded(said));
        CHECK(status_of(answer) == 200);
        CHECK(unpacked.body == kPlain);
        CHECK(unpacked.fields == "Host;X-Last;");
        CHECK(unpacked.hidden);
      }
      CHECK(unpacked.count("leat_decompress_requests_total{coding=\"" + name) == "3");
      CHECK(unpacked.count("leat_decompress_in_bytes_total") == std::to_string(3 * packed.size()));
      CHECK(unpacked.count("leat_decompress_out_bytes_total") == std::to_string(3 * kPlain.size()));
      CHECK(status_of(unpacked.post_chunks(packed, coded(name), 100)) == 200);
      CHECK(unpacked.body == kPlain);
      CHECK(unpacked.fields == "Host;Transfer-Encoding;");
      // Byte by byte.
      CHECK(status_of(unpacked.post_chunks(pack(coding, "hello"), coded(name), 1)) == 200);
      CHECK(unpacked.body == "hello");
    }
  }
}

TEST_CASE("decompress: what is not packed passes as it is") {
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams);
    for (const std::string_view more : {"", "Content-Encoding: identity\r\n", "Content-Encoding: \r\n"}) {
      CHECK(status_of(unpacked.post("plain", more)) == 200);
      CHECK(unpacked.body == "plain");
      CHECK_FALSE(unpacked.hidden);
      CHECK(unpacked.fields.contains("Content-Length;"));
    }
    // Without a body there is nothing to unpack, whatever is said of it.
    CHECK(status_of(unpacked.stage.get("/", coded("gzip"))) == 200);
    CHECK(status_of(unpacked.post("", coded("gzip"))) == 200);
    CHECK(unpacked.body.empty());
  }
}

TEST_CASE("decompress: random documents in random pieces, with a handler that pauses") {
  std::random_device device;
  const uint64_t seed = device();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams, {entry("ratio", int64_t{100'000})});
    for (int round = 0; round < 30; ++round) {
      unpacked.pauses = streams && round % 2 == 0;
      std::string plain;
      for (size_t size = random() % 300'000; plain.size() < size;)
        plain += random() % 4 == 0 ? std::string(random() % 20'000, static_cast<char>(random()))
                                   : kPlain.substr(random() % 20'000, random() % 3000);
      const Coding coding = coding::encodable()[round % coding::encodable().size()];
      std::string answer =
          unpacked.post_chunks(pack(coding, plain), coded(coding::name_of(coding)), 1 + random() % 9000);
      while (answer.empty() && !unpacked.stage.harness().worker.waiting.empty()) {
        unpacked.stage.harness().resume_all();
        answer += leat::test::HttpHarness::take(unpacked.stage.session());
      }
      REQUIRE(status_of(answer) == 200);
      const bool same = unpacked.body == plain;
      REQUIRE(same);
      REQUIRE(unpacked.most <= 16'384);
    }
  }
}

TEST_CASE("decompress: a pause holds for what is unpacked") {
  Unpacked unpacked(true);
  unpacked.pauses = true;
  const std::string plain(1'000'000, 'x');
  std::string answer = unpacked.post(pack(Coding::Gzip, plain), coded("gzip"));
  CHECK(answer.empty());
  for (size_t resumed = 1; answer.empty(); ++resumed) {
    // One piece each time.
    REQUIRE(unpacked.pieces == resumed);
    REQUIRE_FALSE(unpacked.stage.harness().worker.waiting.empty());
    unpacked.stage.harness().resume_all();
    answer = leat::test::HttpHarness::take(unpacked.stage.session());
  }
  CHECK(status_of(answer) == 200);
  const bool same = unpacked.body == plain;
  CHECK(same);
  CHECK(unpacked.pieces == (plain.size() + 16'383) / 16'384);
}

TEST_CASE("decompress: the limit of a body is of what is unpacked, too") {
  for (const bool streams : {false, true}) {
    for (const Coding coding : coding::encodable()) {
      const std::string name(coding::name_of(coding));
      Unpacked unpacked(streams, {}, 5000);
      CHECK(status_of(unpacked.post(pack(coding, kPlain.substr(0, 5000)), coded(name))) == 200);
      CHECK(unpacked.body == kPlain.substr(0, 5000));
      const std::string answer = unpacked.post(pack(coding, kPlain.substr(0, 5001)), coded(name));
      CHECK(status_of(answer) == 413);
      CHECK(answer.contains("unpacked, is larger"));
      CHECK(field(answer, "Connection") == "close");
      CHECK(unpacked.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"size") == "1");
    }
  }
}

TEST_CASE("decompress: a bomb is refused where it gets too large, and takes no memory") {
  const std::string plain(size_t{30} << 20, '\0');
  for (const bool streams : {false, true}) {
    for (const Coding coding : coding::encodable()) {
      const std::string name(coding::name_of(coding));
      INFO(name << " " << streams);
      Unpacked unpacked(streams, {}, uint64_t{1} << 30);
      const std::string bomb = pack(coding, plain, coding == Coding::Gzip ? 9 : 3);
      REQUIRE(bomb.size() * 500 < plain.size());
      const std::string answer = unpacked.post(bomb, coded(name));
      CHECK(status_of(answer) == 413);
      CHECK(answer.contains("unpacks to more than is taken of so few bytes"));
      CHECK(unpacked.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"ratio") == "1");
      CHECK(unpacked.body.size() <= (size_t{1} << 20) + 100 * bomb.size() + 16'384);
      CHECK(unpacked.stage.harness().worker.blocks().peak() < (size_t{12} << 20));
    }
  }
  // What is packed well and small is none.
  Unpacked good(false);
  CHECK(status_of(good.post(pack(Coding::Gzip, std::string(1'000'000, ' ')), coded("gzip"))) == 200);
}

TEST_CASE("decompress: a bomb in a bomb is refused as well") {
  const std::string inner = pack(Coding::Gzip, std::string(size_t{60} << 20, '\0'));
  const std::string bomb = pack(Coding::Gzip, inner);
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams, {}, uint64_t{1} << 30);
    CHECK(status_of(unpacked.post(bomb, coded("gzip, gzip"))) == 413);
    // The lower layer alone is one: what lies on it makes nothing of it.
    std::string nothing;
    for (int i = 0; i < 100'000; ++i) nothing += pack(Coding::Gzip, "");
    CHECK(status_of(Unpacked(streams, {entry("free", int64_t{0}), entry("ratio", int64_t{50})})
                        .post(pack(Coding::Gzip, nothing), coded("gzip, gzip"))) == 413);
  }
}

TEST_CASE("decompress: codings on top of each other") {
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams, {entry("layers", int64_t{4})});
    const std::string one = pack(Coding::Gzip, kPlain);
    const std::string two = pack(Coding::Zstd, one);
    const std::string three = pack(Coding::Brotli, two);
    const std::string four = pack(Coding::Gzip, three);
    CHECK(status_of(unpacked.post(two, coded("gzip, zstd"))) == 200);
    CHECK(unpacked.body == kPlain);
    CHECK(status_of(unpacked.post(three, coded("gzip") + coded("zstd, br"))) == 200);
    CHECK(unpacked.body == kPlain);
    CHECK(status_of(unpacked.post_chunks(four, coded("gzip, zstd, br, x-gzip"), 7)) == 200);
    CHECK(unpacked.body == kPlain);
    const std::string answer = unpacked.post(four, coded("gzip, gzip, gzip, gzip, gzip"));
    CHECK(status_of(answer) == 415);
    CHECK(answer.contains("on top of each other"));
    Unpacked few(streams);
    CHECK(status_of(few.post(three, coded("gzip, zstd, br"))) == 415);
    CHECK(few.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"layers") == "1");
    // In the wrong order it is no such coding.
    CHECK(status_of(few.post(two, coded("zstd, gzip"))) == 400);
  }
}

TEST_CASE("decompress: a coding that is not taken is answered 415 with those that are") {
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams, {texts("codings", {"br", "gzip"})});
    for (const std::string_view said :
         {"zstd", "lzma", "gzip, zstd", "zstd, gzip", "*", "gzip;q=1", "compress"}) {
      INFO(said);
      calls.clear();
      const std::string answer = unpacked.post(pack(Coding::Gzip, "x"), coded(said));
      CHECK(status_of(answer) == 415);
      CHECK(field(answer, "Accept-Encoding") == "br, gzip");
      CHECK_FALSE(std::ranges::contains(calls, "handle"));
    }
    CHECK(status_of(unpacked.post(pack(Coding::Gzip, "x"), coded("gzip"))) == 200);
    CHECK(unpacked.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"coding") == "7");
  }
}

TEST_CASE("decompress: what is broken, cut or followed by something else is answered 400") {
  for (const bool streams : {false, true}) {
    for (const Coding coding : coding::encodable()) {
      const std::string name(coding::name_of(coding));
      const std::string packed = pack(coding, kPlain);
      INFO(name << " " << streams);
      const auto status = [&](const std::string& content) {
        Unpacked unpacked(streams);
        const int got = status_of(unpacked.post(content, coded(name)));
        const std::string counted =
            unpacked.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"broken") +
            unpacked.count("leat_decompress_refused_total{instance=\"decompress\",reason=\"truncated");
        CHECK((counted == "10" || counted == "01"));
        return got;
      };
      CHECK(status("this is no such thing") == 400);
      CHECK(status(packed + "x") == 400);
      for (const size_t size : {size_t{1}, size_t{2}, size_t{10}, packed.size() / 2, packed.size() - 1})
        CHECK(status(packed.substr(0, size)) == 400);
    }
    // Of gzip the checksum is looked at.
    std::string packed = pack(Coding::Gzip, kPlain);
    packed[packed.size() - 7] ^= 1;
    Unpacked unpacked(streams);
    CHECK(status_of(unpacked.post(packed, coded("gzip"))) == 400);
  }
}

TEST_CASE("decompress: an answer that has begun is cut where the body turns out to be none") {
  Unpacked unpacked(true);
  unpacked.handler->on_piece = [](http::Exchange& exchange, std::string_view piece) {
    if (!exchange.started()) exchange.begin(std::nullopt);
    exchange.write(piece);
    return Verdict::Done;
  };
  unpacked.handler->on_end = [](http::Exchange& exchange) {
    exchange.end();
    return Verdict::Done;
  };
  const std::string answer = unpacked.post(pack(Coding::Gzip, kPlain) + "x", coded("gzip"));
  CHECK(status_of(answer) == 200);
  CHECK_FALSE(answer.ends_with("0\r\n\r\n"));
  CHECK(unpacked.stage.session().finished());
}

TEST_CASE("decompress: a client that leaves half-way gives everything back") {
  for (const bool streams : {false, true}) {
    for (const Coding coding : coding::encodable()) {
      Unpacked unpacked(streams);
      const std::string packed = pack(coding, kPlain);
      unpacked.pauses = streams;
      CHECK(unpacked.stage
                .feed("POST / HTTP/1.1\r\nHost: a\r\n" + coded(coding::name_of(coding)) + "Content-Length: " +
                      std::to_string(packed.size()) + "\r\n\r\n" + packed.substr(0, packed.size() - 5))
                .empty());
      unpacked.stage.session().disconnect();
      // The stage looks at the rest.
      CHECK(unpacked.stage.harness().exchanges.out() == 0);
    }
  }
}

TEST_CASE("decompress: without memory it is answered 503") {
  for (const bool streams : {false, true}) {
    Unpacked unpacked(streams);
    (void)unpacked.stage.get("/");
    BlockPool& memory = unpacked.stage.harness().worker.blocks();
    memory.set_most(memory.out() + 5);
    const std::string answer = unpacked.post(pack(Coding::Gzip, std::string(900'000, 'x')), coded("gzip"));
    // One that streams needs no more than its decoder.
    CHECK(status_of(answer) == (streams ? 200 : 503));
    // Another, for a connection that was answered so is closed.
    Unpacked small(streams);
    (void)small.stage.get("/");
    BlockPool& little = small.stage.harness().worker.blocks();
    little.set_most(little.out() + 2);
    CHECK(status_of(small.post(pack(Coding::Gzip, "hello"), coded("gzip"))) == 503);
  }
}

TEST_CASE("decompress: who looks at bodies behind it sees them plain, piece by piece") {
  for (const bool streams : {false, true}) {
    pipeline::test::Scripted looks;
    looks.name = "looks";
    std::string seen;
    int lasts = 0;
    looks.body = [&](http::Exchange&, std::string_view& piece, bool last) {
      seen += piece;
      lasts += last ? 1 : 0;
      return Verdict::Next;
    };
    std::vector<MiddlewareKind> all(kinds().begin(), kinds().end());
    all.push_back(looks.kind());
    Stage stage(all);
    stage.middleware("decompress");
    stage.middleware("looks");
    ScriptHandler& handler = stage.route("/", {"POST"});
    handler.streams = streams;
    std::string body;
    handler.on_handle = [&](http::Exchange& exchange) {
      if (!streams) {
        body = exchange.request.body();
        exchange.send("got it");
      }
      return Verdict::Done;
    };
    handler.on_piece = [&](http::Exchange&, std::string_view piece) {
      body += piece;
      return Verdict::Done;
    };
    handler.on_end = [](http::Exchange& exchange) {
      exchange.send("got it");
      return Verdict::Done;
    };
    const std::string plain(100'000, 'p');
    const std::string packed = pack(Coding::Gzip, plain);
    CHECK(status_of(stage.feed("POST / HTTP/1.1\r\nHost: a\r\n" + coded("gzip") + "Content-Length: " +
                               std::to_string(packed.size()) + "\r\n\r\n" + packed)) == 200);
    CHECK(seen == plain);
    CHECK(body == plain);
    CHECK(lasts == 1);
  }
}

TEST_CASE("decompress: what cannot be an option is told") {
  const auto messages = [](Value::Table options) {
    std::string all;
    for (const Diagnostic& each : mistakes("decompress", std::move(options))) all += each.message + "|";
    return all;
  };
  CHECK(messages({}).empty());
  CHECK(messages({texts("codings", {"gzip", "x-gzip"})}) ==
        "`x-gzip` is no content coding: write `gzip`, `deflate`, `br` or `zstd`|");
  CHECK(messages({texts("codings", {"gzip", "gzip"})}) == "`gzip` is named twice|");
  CHECK(messages({texts("codings", {})}) == "`codings` has to name some: no body would be unpacked|");
  CHECK_FALSE(messages({entry("ratio", int64_t{0})}).empty());
  CHECK_FALSE(messages({entry("layers", int64_t{5})}).empty());
}

}  // namespace leat::middleware

// compress: which answers are packed, what is said of them, and that they come out as they were; behind real sessions.
#include "middleware/compress.h"

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <map>
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
using coding::test::unpack;
using coding::test::unpack_begun;
using pipeline::test::unchunked;

// 4 KB that get smaller.
const std::string kText = [] {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "{\"number\":" + std::to_string(i) + ",\"name\":\"something\"},";
  return text;
}();

std::string accept(std::string_view codings) { return "Accept-Encoding: " + std::string(codings) + "\r\n"; }

// What a client reads of an answer.
std::string content(const std::string& answer) {
  const std::string body =
      field(answer, "Transfer-Encoding") == "chunked" ? unchunked(answer) : body_of(answer);
  const std::string coding = field(answer, "Content-Encoding");
  if (coding == "(none)") return body;
  const auto found = coding::find_coding(coding);
  REQUIRE(found);
  const auto text = unpack(*found, body);
  REQUIRE(text);
  return *text;
}

using Fields = std::vector<std::pair<std::string, std::string>>;

// A route "/" behind a compress, whose handler answers as it is told.
struct Packed {
  explicit Packed(Value::Table options = {}, std::string kind = "compress") {
    stage.middleware(std::move(kind), std::move(options));
    handler = &stage.route("/", {"GET", "POST"});
    handler->on_handle = [this](http::Exchange& exchange) { return say(exchange); };
  }
  Verdict say(http::Exchange& exchange) {
    exchange.response.status = status;
    exchange.response.content_type = type;
    for (const auto& [name, value] : fields) REQUIRE(exchange.response.add(name, value));
    seen = exchange.request.header("Accept-Encoding");
    switch (way) {
      case Way::Whole:
        exchange.send(text);
        break;
      case Way::Pinned:
        ++pinned;
        exchange.send_pinned(text, {[](void* count) { --*static_cast<int*>(count); }, &pinned});
        break;
      case Way::Length:
        exchange.begin(text.size());
        write(exchange);
        break;
      case Way::Pieces:
        exchange.begin(std::nullopt);
        write(exchange);
        break;
    }
    return Verdict::Done;
  }
  void write(http::Exchange& exchange) const {
    for (size_t at = 0; at < text.size(); at += 1000) exchange.write(std::string_view(text).substr(at, 1000));
    exchange.end();
  }
  std::string get(std::string_view codings = "gzip", std::string_view more = "") {
    return stage.get("/", accept(codings) + std::string(more));
  }
  std::string head(std::string_view codings = "gzip") {
    return stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n" + accept(codings) + "\r\n");
  }

  enum class Way : uint8_t { Whole, Pinned, Length, Pieces };
  metrics::Registry registry;
  Stage stage{kinds(), {.metrics = &registry}};
  ScriptHandler* handler = nullptr;
  std::string text = kText, type = "application/json", seen;
  uint16_t status = 200;
  Fields fields;
  Way way = Way::Whole;
  int pinned = 0;

  [[nodiscard]] std::string count(std::string_view metric) {
    for (const std::string& line : lines(registry.text()))
      if (line.starts_with(metric)) return line.substr(line.rfind(' ') + 1);
    return "(none)";
  }
};
using Way = Packed::Way;

}  // namespace

TEST_CASE("compress: each coding, each way to answer, comes out as it was") {
  for (const Coding coding : coding::encodable()) {
    for (const Way way : {Way::Whole, Way::Pinned, Way::Length, Way::Pieces}) {
      Packed packed;
      packed.way = way;
      const std::string name(coding::name_of(coding));
      INFO(name << " " << static_cast<int>(way));
      for (int again = 0; again < 3; ++again) {
        const std::string answer = packed.get(name);
        CHECK(status_of(answer) == 200);
        CHECK(field(answer, "Content-Encoding") == name);
        CHECK(field(answer, "Vary") == "Accept-Encoding");
        CHECK(field(answer, "Content-Type") == "application/json");
        CHECK(content(answer) == kText);
        const bool whole = way == Way::Whole || way == Way::Pinned;
        CHECK((field(answer, "Content-Length") == std::to_string(body_of(answer).size())) == whole);
        CHECK(body_of(answer).size() < kText.size() / 2);
      }
      CHECK(packed.pinned == 0);
      CHECK(packed.count("leat_compress_answers_total{coding=\"" + name) == "3");
      CHECK(packed.count("leat_compress_in_bytes_total{coding=\"" + name) ==
            std::to_string(3 * kText.size()));
      const std::string plain = packed.stage.get("/");
      CHECK(field(plain, "Content-Encoding") == "(none)");
      CHECK(field(plain, "Vary") == "Accept-Encoding");
      CHECK(content(plain) == kText);
    }
  }
}

TEST_CASE("compress: random documents in random pieces") {
  std::random_device device;
  const uint64_t seed = device();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  Packed packed({entry("least", int64_t{1})});
  packed.handler->on_handle = [&](http::Exchange& exchange) {
    exchange.response.content_type = "text/plain";
    exchange.begin(std::nullopt);
    for (size_t at = 0; at < packed.text.size();) {
      const size_t size = random() % 3000;
      exchange.write(std::string_view(packed.text).substr(at, size));
      at += size;
    }
    exchange.end();
    return Verdict::Done;
  };
  for (int round = 0; round < 50; ++round) {
    packed.text.clear();
    for (size_t size = random() % 40'000; packed.text.size() < size;)
      packed.text += random() % 4 == 0 ? std::string(random() % 500, static_cast<char>(random()))
                                       : kText.substr(random() % 1000, random() % 3000);
    for (const Coding coding : coding::encodable()) {
      const std::string answer = packed.get(coding::name_of(coding));
      REQUIRE(field(answer, "Content-Encoding") == coding::name_of(coding));
      REQUIRE(content(answer) == packed.text);
    }
  }
}

TEST_CASE("compress: what a handler writes can be read at once") {
  for (const Coding coding : coding::encodable()) {
    Packed packed;
    http::Exchange* under_way = nullptr;
    packed.handler->on_handle = [&](http::Exchange& exchange) {
      exchange.response.content_type = "text/event-stream";
      exchange.begin(std::nullopt);
      exchange.write("data: 1\n\n");
      exchange.suspend();
      under_way = &exchange;
      return Verdict::Pending;
    };
    std::string wire = packed.get(coding::name_of(coding));
    const auto read = [&] { return unpack_begun(coding, unchunked(wire + "0\r\n\r\n")); };
    CHECK(read() == "data: 1\n\n");
    REQUIRE(under_way != nullptr);
    const auto write_events = [&](int from, int to) {
      for (int i = from; i < to; ++i) {
        REQUIRE(under_way->write("data: " + std::to_string(i) + "\n\n"));
        wire += leat::test::HttpHarness::take(packed.stage.session());
        if (i % 10 == 0) REQUIRE(read().ends_with("data: " + std::to_string(i) + "\n\n"));
      }
      return packed.stage.harness().worker.blocks().charged();
    };
    const size_t held = write_events(2, 100);
    CHECK(held < size_t{4} << 20);
    CHECK(write_events(100, 1000) < held + (size_t{64} << 10));
    under_way->end();
    wire += leat::test::HttpHarness::take(packed.stage.session());
    CHECK(unpack(coding, unchunked(wire)));
    // What the stream had is given back.
    CHECK(packed.stage.harness().worker.blocks().charged() < held);
  }
}

TEST_CASE("compress: a client that leaves half-way, and an answer that is cut, give everything back") {
  for (const Coding coding : coding::encodable()) {
    for (const bool cut : {true, false}) {
      Packed packed;
      packed.handler->on_handle = [&](http::Exchange& exchange) {
        exchange.response.content_type = "text/plain";
        exchange.begin(std::nullopt);
        exchange.write(kText);
        if (cut) {
          exchange.abort();
          return Verdict::Done;
        }
        exchange.suspend();
        return Verdict::Pending;
      };
      (void)packed.get(coding::name_of(coding));
      packed.stage.session().disconnect();
      // The stage looks at the rest.
      CHECK(packed.stage.harness().exchanges.out() == 0);
    }
  }
}

TEST_CASE("compress: what is left as it is, and why") {
  struct Case {
    std::string_view what;
    std::function<void(Packed&)> set;
    std::string_view reason;
    bool varies = false;
    std::string_view more = "";
    std::string_view codings = "gzip";
  };
  const auto with = [](std::string name, std::string value) {
    return [name = std::move(name), value = std::move(value)](Packed& packed) {
      packed.fields = {{name, value}};
    };
  };
  const Case cases[] = {
      {"packed already", with("Content-Encoding", "br"), "encoded"},
      {"packed in what nobody knows", with("content-encoding", "x-mine"), "encoded"},
      {"a part", with("Content-Range", "bytes 0-9/100"), "range"},
      {"a part by its status", [](Packed& packed) { packed.status = 206; }, "status"},
      {"not to be changed", with("Cache-Control", "max-age=5, No-Transform"), "no_transform"},
      {"with a digest of its bytes", with("Content-Digest", "sha-256=:AAAA:"), "digest"},
      {"with a digest of its representation", with("Repr-Digest", "sha-256=:AAAA:"), "digest"},
      {"with an old digest", with("Content-MD5", "AAAA"), "digest"},
      {"no content",
       [](Packed& packed) {
         packed.status = 204;
         packed.text.clear();
       },
       "status"},
      {"nothing to see",
       [](Packed& packed) {
         packed.status = 205;
         packed.text.clear();
       },
       "status"},
      {"another type", [](Packed& packed) { packed.type = "image/png"; }, "type"},
      {"no type", [](Packed& packed) { packed.type = ""; }, "type"},
      {"too small", [](Packed& packed) { packed.text.resize(1023); }, "small"},
      {"announced as too small",
       [](Packed& packed) {
         packed.text.resize(1023);
         packed.way = Way::Length;
       },
       "small"},
      {"too large", [](Packed& packed) { packed.text.assign((1 << 20) + 1, 'x'); }, "large"},
      {"noise",
       [](Packed& packed) {
         std::mt19937_64 random(1);
         for (char& c : packed.text) c = static_cast<char>(random());
       },
       "no_gain", true},
      {"a client that takes it plain", [](Packed&) {}, "client", true, "", "identity"},
      {"a client that likes it plain", [](Packed&) {}, "client", true, "", "identity, gzip;q=0.9"},
      {"a client that knows another", [](Packed&) {}, "client", true, "", "compress"},
      {"asked for in part", [](Packed&) {}, "range", false, "Range: bytes=0-9\r\n"},
      {"no room for its fields",
       [](Packed& packed) {
         for (int i = 0; i < 64; ++i) packed.fields.emplace_back("X-" + std::to_string(i), "1");
       },
       "no_room"},
      {"room for one of its fields",
       [](Packed& packed) {
         for (int i = 0; i < 63; ++i) packed.fields.emplace_back("X-" + std::to_string(i), "1");
       },
       "no_room", true},
  };
  for (const Case& each : cases) {
    INFO(each.what);
    Packed packed;
    each.set(packed);
    const std::string answer = packed.get(each.codings, each.more);
    CHECK(status_of(answer) == packed.status);
    CHECK(packed.count("leat_compress_skipped_total{instance=\"compress\",reason=\"" +
                       std::string(each.reason)) == "1");
    CHECK(body_of(answer) == packed.text);
    CHECK((field(answer, "Vary") == "Accept-Encoding") == each.varies);
    for (const Coding coding : coding::encodable())
      CHECK(packed.count("leat_compress_answers_total{coding=\"" + std::string(coding::name_of(coding))) ==
            "0");
  }
}

TEST_CASE("compress: the size and the type from which on it is packed") {
  struct Case {
    std::string_view type;
    bool packed;
  };
  const Case cases[] = {
      {"text/html; charset=utf-8", true},
      {"Text/HTML", true},
      {"text/x-mine ;a=b", true},
      {"text/", false},
      {"textual/html", false},
      {"application/json", true},
      {"application/problem+json", true},
      {"application/+json", false},
      {"application/jsonx", false},
      {"image/svg+xml", true},
      {"image/webp", false},
      {"application/octet-stream", false},
      {"application/zip", false},
      {"application/wasm", true},
      {"json", false},
  };
  for (const Case& each : cases) {
    INFO(each.type);
    Packed packed;
    packed.type = each.type;
    CHECK((field(packed.get(), "Content-Encoding") == "gzip") == each.packed);
  }
  for (const Way way : {Way::Whole, Way::Length}) {
    Packed packed;
    packed.way = way;
    packed.text.resize(1024);
    CHECK(field(packed.get(), "Content-Encoding") == "gzip");
  }
  // Of an answer in pieces nobody knows.
  Packed packed;
  packed.way = Way::Pieces;
  packed.text.resize(10);
  CHECK(field(packed.get(), "Content-Encoding") == "gzip");
  Packed own({texts("types", {"image/*"}), entry("least", int64_t{100})});
  CHECK(field(own.get(), "Content-Encoding") == "(none)");
  own.type = "image/bmp";
  own.text.resize(100);
  CHECK(field(own.get(), "Content-Encoding") == "gzip");
}

TEST_CASE("compress: who refuses it plain gets it packed whatever its size and type") {
  Packed packed;
  packed.text = "hello";
  packed.type = "image/png";
  const std::string answer = packed.get("gzip, identity;q=0");
  CHECK(field(answer, "Content-Encoding") == "gzip");
  CHECK(content(answer) == "hello");
  // In none of the codings that there are: as it is, which section 12.4.1 permits.
  CHECK(content(packed.get("compress, identity;q=0")) == "hello");
  packed.text.clear();
  CHECK(field(packed.get("gzip, *;q=0"), "Content-Encoding") == "(none)");
}

TEST_CASE("compress: the server's order, levels and codings are options") {
  Packed packed({texts("codings", {"gzip", "br"}), entry("gzip_level", int64_t{9})});
  CHECK(field(packed.get("br, gzip"), "Content-Encoding") == "gzip");
  CHECK(field(packed.get("br, gzip;q=0.5"), "Content-Encoding") == "br");
  CHECK(field(packed.get("zstd"), "Content-Encoding") == "(none)");
  CHECK(packed.count("leat_compress_levels_total{coding=\"gzip") == "9");
}

TEST_CASE("compress: HEAD has the fields of GET and no body") {
  for (const Way way : {Way::Whole, Way::Pinned, Way::Length, Way::Pieces}) {
    Packed packed;
    packed.way = way;
    packed.fields = {{"ETag", "\"x\""}};
    INFO(static_cast<int>(way));
    const std::string get = packed.get(), head = packed.head();
    CHECK(body_of(head).empty());
    CHECK(get.substr(0, get.find("\r\n\r\n")) == head.substr(0, head.find("\r\n\r\n")));
    CHECK(field(head, "Content-Encoding") == "gzip");
  }
}

TEST_CASE("compress: an HTTP/1.0 client gets a stream that ends with the connection") {
  Packed packed;
  packed.way = Way::Pieces;
  const std::string answer = packed.stage.feed("GET / HTTP/1.0\r\n" + accept("gzip") + "\r\n");
  CHECK(field(answer, "Connection") == "close");
  CHECK(unpack(Coding::Gzip, body_of(answer)) == kText);
}

TEST_CASE("compress: a strong tag becomes a weak one, and ranges are not offered") {
  Packed packed;
  packed.fields = {{"ETag", "\"v1\""}, {"Accept-Ranges", "bytes"}};
  const std::string answer = packed.get();
  CHECK(field(answer, "ETag") == "W/\"v1\"");
  CHECK(field(answer, "Accept-Ranges") == "(none)");
  CHECK(field(packed.get("identity"), "ETag") == "\"v1\"");
  CHECK(field(packed.get("identity"), "Accept-Ranges") == "bytes");
  packed.fields = {{"ETag", "W/\"v2\""}};
  CHECK(field(packed.get(), "ETag") == "W/\"v2\"");
}

TEST_CASE("compress: conditional requests get their 304") {
  const auto condition = [](std::string_view tags) { return "If-None-Match: " + std::string(tags) + "\r\n"; };
  for (const Way way : {Way::Whole, Way::Pieces}) {
    // A handler that looks at no conditions, or compares byte by byte.
    Packed packed;
    packed.way = way;
    packed.fields = {{"ETag", "\"v1\""}, {"Cache-Control", "max-age=5"}};
    for (const std::string_view tags : {"W/\"v1\"", "\"v1\"", "\"v0\", W/\"v1\""}) {
      INFO(tags);
      const std::string answer = packed.get("gzip", condition(tags));
      CHECK(status_of(answer) == 304);
      CHECK(field(answer, "ETag") == "W/\"v1\"");
      CHECK(field(answer, "Vary") == "Accept-Encoding");
      CHECK(field(answer, "Cache-Control") == "max-age=5");
      CHECK(field(answer, "Content-Encoding") == "(none)");
      CHECK(body_of(answer).empty());
    }
    CHECK(content(packed.get("gzip", condition("W/\"v2\""))) == kText);
    // It is none of its business what is not packed, or not safe.
    CHECK(status_of(packed.get("identity", condition("\"v1\""))) == 200);
    CHECK(status_of(packed.stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n" + accept("gzip") +
                                      condition("\"v1\"") + "\r\n")) == 200);
  }
  // One that answers it itself: the tag is the one that the client has.
  Packed packed;
  packed.status = 304;
  packed.text.clear();
  packed.type.clear();
  packed.fields = {{"ETag", "\"v1\""}};
  CHECK(field(packed.get("gzip", condition("W/\"v1\"")), "ETag") == "W/\"v1\"");
  CHECK(field(packed.get("gzip", condition("\"v1\"")), "ETag") == "\"v1\"");
  CHECK(field(packed.get("gzip", condition("\"v1\"")), "Vary") == "Accept-Encoding");
  CHECK(status_of(packed.get("gzip", condition("W/\"v1\""))) == 304);
}

TEST_CASE("compress: Vary is said once") {
  for (const std::string said : {"Accept-Encoding", "origin, accept-encoding", "*"}) {
    Packed packed;
    packed.fields = {{"Vary", said}};
    CHECK(field(packed.get(), "Vary") == said);
  }
  Packed packed;
  packed.fields = {{"Vary", "Origin"}};
  const std::string answer = packed.get();
  CHECK(answer.contains("\r\nVary: Origin\r\n"));
  CHECK(answer.contains("\r\nVary: Accept-Encoding\r\n"));
}

TEST_CASE("compress: Accept-Encoding has one spelling for each choice") {
  struct Case {
    std::string fields, seen;
  };
  const Case cases[] = {
      {"", ""},
      {accept("gzip"), "gzip"},
      {accept("gzip, deflate"), "gzip"},
      {accept("GZIP;q=0.3"), "gzip"},
      {accept("gzip, deflate, br, zstd"), "zstd"},
      {accept("gzip;q=1.0, identity; q=0.5, *;q=0"), "gzip"},
      {accept("deflate"), "identity"},
      {accept(""), "identity"},
      {accept("identity"), "identity"},
      {accept("*;q=0"), "identity;q=0"},
      {accept("br, *;q=0"), "br, identity;q=0"},
      {accept("zstd, *;q=0"), "zstd, identity;q=0"},
      {accept("gzip, *;q=0"), "gzip, identity;q=0"},
      {accept("*"), "zstd"},
      {accept("deflate") + "X-Between: 1\r\n" + accept("gzip"), "gzip"},
      {accept("gzip") + accept("br"), "br"},
  };
  for (const Case& each : cases) {
    INFO(each.fields);
    Packed packed;
    std::string all;
    packed.handler->on_handle = [&](http::Exchange& exchange) {
      const http::Head& head = exchange.request.head();
      for (const http::HeaderSlot& slot : head.headers())
        all += std::string(head.view(slot.name)) + ":" + std::string(head.view(slot.value)) + ";";
      return packed.say(exchange);
    };
    // Twice, and once more as a head that is known by then.
    for (int i = 0; i < 12; ++i) {
      all.clear();
      const std::string answer = packed.stage.get("/", "X-First: 1\r\n" + each.fields + "X-Last: 2\r\n");
      REQUIRE(status_of(answer) == 200);
      REQUIRE(content(answer) == kText);
      REQUIRE(packed.seen == each.seen);
      const std::string between = each.fields.contains("Between") ? "X-Between:1;" : "";
      REQUIRE(all == "Host:a;X-First:1;" + (each.seen.empty() ? "" : "Accept-Encoding:" + each.seen + ";") +
                         between + "X-Last:2;");
    }
  }
}

TEST_CASE("compress: of two instances one packs, and the other leaves it") {
  for (const bool pieces : {false, true}) {
    Stage stage(kinds());
    stage.middleware("compress");
    stage.middleware("compress", {entry("least", int64_t{10})});
    stage.route("/").on_handle = [pieces](http::Exchange& exchange) {
      exchange.response.content_type = "text/plain";
      if (!pieces) return exchange.send(kText) ? Verdict::Done : Verdict::Error;
      exchange.begin(std::nullopt);
      exchange.write(kText);
      exchange.end();
      return Verdict::Done;
    };
    const std::string answer = stage.get("/", accept("gzip"));
    CHECK(content(answer) == kText);
    CHECK(answer.find("Content-Encoding") == answer.rfind("Content-Encoding"));
  }
}

TEST_CASE("compress: a filter before it, and one behind it") {
  for (const Phase phase : {Phase::Transform, Phase::Content}) {
    auto marked = pipeline::test::marks("marks", '<', '>', '.', phase);
    std::vector<MiddlewareKind> all(kinds().begin(), kinds().end());
    all.push_back(marked.kind());
    Stage stage(all);
    // Declared in this order, so that of one phase the marks are the inner ones.
    stage.middleware("compress");
    stage.middleware("marks");
    stage.route("/").on_handle = [](http::Exchange& exchange) {
      exchange.response.content_type = "text/plain";
      exchange.send(kText);
      return Verdict::Done;
    };
    const std::string answer = stage.get("/", accept("gzip"));
    const std::string body = unchunked(answer);
    if (phase == Phase::Content) {
      CHECK(unpack(Coding::Gzip, body) == "<" + kText + ">.");
    } else {
      CHECK(unpack(Coding::Gzip, body.substr(1, body.size() - 3)) == kText);
    }
  }
}

TEST_CASE("compress: levels fall while the worker is busy") {
  // By hand: from 70 % on, level 9 loses its eight steps in the thirty percent that are left.
  CHECK(level_under_load(9, 1, 0, 70) == 9);
  CHECK(level_under_load(9, 1, 70, 70) == 9);
  CHECK(level_under_load(9, 1, 85, 70) == 5);
  CHECK(level_under_load(9, 1, 100, 70) == 1);
  CHECK(level_under_load(9, 1, 100, 100) == 9);
  CHECK(level_under_load(1, 1, 100, 70) == 1);
  CHECK(level_under_load(4, 1, 95, 1) == 1);
  for (unsigned level = 1; level <= 19; ++level) {
    for (unsigned from = 1; from <= 100; ++from) {
      unsigned before = level;
      for (unsigned busy = 0; busy <= 100; ++busy) {
        const unsigned now = level_under_load(level, 1, busy, from);
        REQUIRE(now <= before);
        REQUIRE(now >= 1);
        before = now;
      }
    }
  }

  Packed packed({entry("gzip_level", int64_t{9}), entry("busy", int64_t{50})});
  uint64_t sum = 0;
  for (const unsigned busy : {0U, 50U, 75U, 100U}) {
    for (const Way way : {Way::Whole, Way::Pieces}) {
      packed.way = way;
      packed.stage.harness().worker.busy = busy;
      CHECK(content(packed.get()) == kText);
      sum += level_under_load(9, 1, busy, 50);
      CHECK(packed.count("leat_compress_levels_total{coding=\"gzip") == std::to_string(sum));
    }
  }
  CHECK(sum == 2 * (9 + 9 + 5 + 1));
}

TEST_CASE("compress: without memory for a stream it goes as it is") {
  Packed packed;
  packed.way = Way::Pieces;
  (void)packed.get();
  BlockPool& memory = packed.stage.harness().worker.blocks();
  memory.set_most(memory.out() + 10);
  const std::string answer = packed.get();
  CHECK(field(answer, "Content-Encoding") == "(none)");
  CHECK(content(answer) == kText);
  CHECK(packed.count("leat_compress_skipped_total{instance=\"compress\",reason=\"memory") == "1");
  // A whole one needs none.
  packed.way = Way::Whole;
  CHECK(field(packed.get(), "Content-Encoding") == "gzip");
}

TEST_CASE("compress: what cannot be an option is told") {
  const auto messages = [](Value::Table options) {
    std::string all;
    for (const Diagnostic& each : mistakes("compress", std::move(options))) all += each.message + "|";
    return all;
  };
  CHECK(messages({}).empty());
  CHECK(messages({texts("codings", {"gzip", "lzma"})}) ==
        "`lzma` is no content coding: write `zstd`, `br` or `gzip`|");
  CHECK(messages({texts("codings", {"deflate"})}).starts_with("`deflate` is not made"));
  CHECK(messages({texts("codings", {"gzip", "gzip"})}) == "`gzip` is named twice|");
  CHECK(messages({texts("codings", {})}) == "`codings` has to name some: nothing would be packed|");
  CHECK(messages({texts("types", {"text"})}).starts_with("`text` is no media type"));
  CHECK(messages({texts("types", {"*/*"})}).starts_with("`*/*` is no media type"));
  CHECK(messages({texts("types", {"text/x*"})}).starts_with("`text/x*` is no media type"));
  CHECK(messages({entry("least", int64_t{5000}), entry("most", int64_t{4000})}) ==
        "`least` is more than `most`: nothing would be packed|");
  CHECK_FALSE(messages({entry("gzip_level", int64_t{10})}).empty());
  CHECK_FALSE(messages({entry("busy", int64_t{101})}).empty());
}

}  // namespace leat::middleware

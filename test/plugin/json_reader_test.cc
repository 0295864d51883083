// leat.json_reader/1, used by a plugin in C: it understands what the C++ wrapper's reader of structs does,
// and refuses the rest at the same byte in the same words.
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "json/corpus.h"
#include "json/valid.h"
#include "plugin/harness.h"
#include "plugin/sdk/plugin_json.hpp"

namespace leat::plugin::test {
namespace {

struct Inner {
  int64_t x;
};
LEAT_JSON(Inner, x);
struct Order {
  std::string item;
  uint8_t count;
  std::optional<double> price;
  bool express;
  std::vector<std::string> tags;
  std::optional<Inner> inner;
};
LEAT_JSON(Order, item, count, price, express, tags, inner);

constexpr std::string_view kOrder =
    R"({"item":"mil\u006cet","count":12,"price":2.5,"express":true,"tags":["a","b\n"],"inner":{"x":-7}})";

class Readers : public Site {
 public:
  Readers() : Site("json_reader") {}
};

// What the body of an answer with a known length says.
std::string body_of(const Answer& answer) { return answer.body; }

std::string with_header(std::string_view path, std::string_view field, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n" + std::string(field) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// A few bytes of it are not what they were.
std::string damaged(std::string text, std::mt19937_64& random) {
  static constexpr std::string_view kPieces[] = {"\"",
                                                 "{",
                                                 "}",
                                                 "[",
                                                 "]",
                                                 ",",
                                                 ":",
                                                 "null",
                                                 "0",
                                                 "-",
                                                 ".",
                                                 "e9",
                                                 "\\u12",
                                                 "\\ud800",
                                                 "\xc3",
                                                 " ",
                                                 "true",
                                                 "\"item\":\"x\",",
                                                 "\"more\":[{\"a/b\":1}],",
                                                 "999999999999999999999"};
  for (uint64_t times = random() % 3; times > 0 && !text.empty(); --times) {
    const size_t at = random() % text.size();
    switch (random() % 4) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + random() % 4);
        break;
      case 2:
        text.resize(at);
        break;
      default:
        text.insert(at, kPieces[random() % std::size(kPieces)]);
    }
  }
  return text;
}

}  // namespace

TEST_CASE("json reader: what is understood of a struct and what is refused is what the C++ reader says") {
  INFO("seed " << Catch::getSeed());
  std::mt19937_64 random(Catch::getSeed());
  Readers site;
  int good = 0, bad = 0;
  for (int round = 0; round < 20'000; ++round) {
    const std::string text = damaged(std::string(kOrder), random);
    const Answer answer = site.post("/order", text);
    INFO(text);
    std::optional<Decoder::Error> expected;
    Order order{};
    try {
      Decoder(text, nullptr, nullptr).read(order);
    } catch (const Decoder::Error& error) {
      expected = error;
    }
    if (!expected) {
      REQUIRE(answer.status == 200);
      // Members come as they were sent: read what was understood once more.
      Order again{};
      Decoder(body_of(answer), nullptr, nullptr).read(again);
      REQUIRE(again.item == order.item);
      REQUIRE(again.count == order.count);
      REQUIRE(again.price == order.price);
      REQUIRE(again.express == order.express);
      REQUIRE(again.tags == order.tags);
      REQUIRE(again.inner.has_value() == order.inner.has_value());
      if (order.inner) REQUIRE(again.inner->x == order.inner->x);
      ++good;
      continue;
    }
    REQUIRE(answer.status == 400);
    char told[4096];
    char* const end = encoding::write_escaped(told, detail::problem_detail(*expected));
    REQUIRE(end != nullptr);
    REQUIRE(answer.body.contains("\"detail\":\"" + std::string(told, end) + "\""));
    REQUIRE(answer.body.contains(detail::problem_members(*expected)));
    ++bad;
  }
  CHECK(good > 1000);
  CHECK(bad > 1000);
}

TEST_CASE("json reader: takes and refuses the corpus as it should, and understands what it takes") {
  Readers site;
  for (const auto& [category, name, text] : leat::test::read_corpus(TEST_CORPUS)) {
    INFO(category << " " << name);
    const Answer answer = site.post("/echo", text);
    // Like the reader of structs: less deep than the grammar, and whole surrogate pairs only.
    if (category[0] != 'i' && !name.starts_with("depth_")) {
      CHECK(answer.status == (category == "y" ? 200 : 400));
    } else {
      CHECK((answer.status == 200 || answer.status == 400));
    }
    if (answer.status != 200) continue;
    CHECK(json::is_json_value(text));
    CHECK(site.post("/echo", body_of(answer)).body == answer.body);
  }
  CHECK(site.post("/echo", kOrder).body ==
        R"({"item":"millet","count":12,"price":2.5,"express":true,"tags":["a","b\n"],"inner":{"x":-7}})");
}

TEST_CASE("json reader: 64 levels are read, and one more is too deep") {
  Readers site;
  const auto nested = [](size_t levels) {
    return "{\"a\":" + std::string(levels - 1, '[') + std::string(levels - 1, ']') + "}";
  };
  CHECK(site.post("/echo", nested(64)).status == 200);
  for (const char* path : {"/echo", "/find"}) {
    const Answer answer = site.post(path, nested(65));
    CHECK(answer.status == 400);
    CHECK(answer.body.contains("is nested too deep"));
    CHECK(answer.body.contains("\"offset\":69,"));
  }
}

TEST_CASE("json reader: what is not read is read over, and must be well-formed") {
  Readers site;
  CHECK(site.post("/find", R"({"a":[{}],"from":["no","yes",{"deep":[1]},"yes"],"b":[1,{"c":2}]})").body ==
        "1");
  CHECK(site.post("/find", R"({"from":["no"],"from":["yes"]})").body == "-1");
  CHECK(site.post("/find", R"({})").body == "-1");
  const auto refused = [&](std::string_view text, std::string_view members) {
    const Answer answer = site.post("/find", text);
    CHECK(answer.status == 400);
    CHECK(answer.body.contains(members));
  };
  refused(R"({"a":[{"b":01}],"from":["yes"]})", R"("offset":12,"pointer":"/a/0/b")");
  refused(R"({"from":["yes",x]})", R"("offset":15,"pointer":"/from/1")");
  refused(R"({"from":["yes"],"b":{"c":nul}})", R"("offset":25,"pointer":"/b/c")");
  refused(R"({"from":["yes"]} x)", R"("offset":17,"pointer":"")");
  refused(R"([])", R"("offset":0,"pointer":"")");
}

TEST_CASE("json reader: the plugin's own rules are answered like the reader's") {
  Readers site;
  CHECK(site.post("/title", R"({"title":"eight by"})").body == R"("eight by")");
  const Answer answer = site.post("/title", R"({"x":[], "title" : ""})");
  CHECK(answer.status == 400);
  CHECK(answer.body.contains("The body's `/title` must be 1 to 8 bytes long."));
  CHECK(answer.body.contains(R"("offset":19,"pointer":"/title")"));
}

TEST_CASE("json reader: a body of another type is a 415") {
  Readers site;
  CHECK(site.ask(with_header("/echo", "Content-Type: application/vnd.x+JSON ; q=1", "[]")).status == 200);
  for (const char* type : {"text/plain", "application/jsonx", "", "application/x-www-form-urlencoded"}) {
    const Answer answer = site.ask(with_header("/echo", "Content-Type: " + std::string(type), "[]"));
    CHECK(answer.status == 415);
    CHECK(answer.body.contains("The body must be application/json."));
  }
}

TEST_CASE("json reader: tells what is wrong with any text") {
  Readers site;
  CHECK(site.get("/error", "Text: {\"a\":[1,}]}\r\n").body ==
        R"({"finish":-1,"error":0,"offset":8,"message":"must be a value","pointer":"/a/1"})");
  CHECK(site.get("/error", "Text: [true]\r\n").body ==
        R"({"finish":0,"error":-5,"offset":0,"message":"","pointer":""})");
}

TEST_CASE("json reader: calls in a wrong order do nothing, and are the plugin's fault") {
  Readers site;
  LogText log;
  for (const char kind : std::string_view("01234567x")) {
    INFO(kind);
    const Answer answer = site.ask(with_header("/misuse", "Kind: " + std::string(1, kind), "[1]"));
    CHECK(answer.body == "refused");
  }
  CHECK(site.ask(with_header("/misuse", "Kind: 8", "[1]")).status == 500);
  const std::string text = log.take();
  for (const char* why :
       {"string: no value comes next", "member: this is not in an object", "integer: no value comes next",
        "element: this is not in an array", "leave: no object or array was entered",
        "object: more than 64 names, or NULL", "finish: an object or array was entered and not left",
        "refuse: nothing is wrong with the text"})
    CHECK(text.contains(why));
}

TEST_CASE("json reader: a lack of memory is no mistake of the client") {
  Readers site;
  site.limits.request_memory_bytes = 32 * 1024;
  // Escapes make a copy in the request's memory.
  const Answer answer = site.post("/order", R"({"item":")" + std::string(60'000, 'x') + R"(\n"})");
  CHECK(answer.status == 503);
  CHECK(site.post("/order", kOrder).status == 200);
}

}  // namespace leat::plugin::test

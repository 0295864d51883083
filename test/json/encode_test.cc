// The encoder of structs, and the strings under it: the same bytes as events give, at every length, offset
// and level of the CPU, and with memory of every size.
#include "plugin/sdk/plugin_encode.hpp"

#include <array>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstring>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <ranges>
#include <string>
#include <vector>

#include "base/arena.h"
#include "json/writer.h"
#include "plugin/sdk/plugin_json.hpp"

namespace leat {

namespace {

// What LEAT_JSON makes of it by events is not linked here: these are the events.
struct Inner {
  std::string name;
  std::optional<double> score;
  std::vector<int64_t> numbers;
};
LEAT_JSON(Inner, name, score, numbers);

struct Outer {
  uint64_t id;
  int8_t small;
  bool good;
  double real;
  float single;
  std::string_view text;
  std::array<bool, 2> pair;
  std::vector<std::string> texts;
  Inner inner;
  std::vector<Inner> many;
  std::optional<Inner> maybe;
  std::vector<std::vector<uint16_t>> nested;
};
LEAT_JSON(Outer, id, small, good, real, single, text, pair, texts, inner, many, maybe, nested);

struct Other {
  int* pointer;
};
static_assert(Encodable<Outer>);
static_assert(!Encodable<Other>);
static_assert(!Encodable<long double>);

void write(json::Writer& json, const std::string& text) { json.string(text); }
void write(json::Writer& json, int64_t number) { json.integer(number); }
void write(json::Writer& json, uint16_t number) { json.unsigned_integer(number); }
void write(json::Writer& json, const Inner& inner);
template <class Item>
void write(json::Writer& json, const std::vector<Item>& items) {
  json.begin_array();
  for (const Item& item : items) write(json, item);
  json.end_array();
}
void write(json::Writer& json, const Inner& inner) {
  json.begin_object();
  json.key("name");
  json.string(inner.name);
  json.key("score");
  inner.score ? json.real(*inner.score) : json.null();
  json.key("numbers");
  write(json, inner.numbers);
  json.end_object();
}
void write(json::Writer& json, const Outer& outer) {
  json.begin_object();
  json.key("id");
  json.unsigned_integer(outer.id);
  json.key("small");
  json.integer(outer.small);
  json.key("good");
  json.boolean(outer.good);
  json.key("real");
  json.real(outer.real);
  json.key("single");
  json.real(static_cast<double>(outer.single));
  json.key("text");
  json.string(outer.text);
  json.key("pair");
  json.begin_array();
  for (const bool each : outer.pair) json.boolean(each);
  json.end_array();
  json.key("texts");
  write(json, outer.texts);
  json.key("inner");
  write(json, outer.inner);
  json.key("many");
  write(json, outer.many);
  json.key("maybe");
  outer.maybe ? write(json, *outer.maybe) : json.null();
  json.key("nested");
  write(json, outer.nested);
  json.end_object();
}

std::string by_events(const Outer& outer, json::Backend backend) {
  BlockPool pool(1024, 8);
  Arena arena(pool, size_t{64} << 20);
  json::Writer json(arena, backend);
  write(json, outer);
  const auto text = json.finish();
  REQUIRE(text);
  return std::string(*text);
}

// Memory that is exactly as large as was asked for, so that a sanitizer sees each byte too many.
struct Exact {
  explicit Exact(size_t first) : bytes(new char[first]), size(first) {}
  static bool grow(void* owner, char*& at, char*& end, size_t more) {
    auto& self = *static_cast<Exact*>(owner);
    const auto used = static_cast<size_t>(at - self.bytes.get());
    if (used + more > self.most) return false;
    std::unique_ptr<char[]> moved(new char[used + more]);
    std::memcpy(moved.get(), self.bytes.get(), used);
    self.bytes = std::move(moved);
    self.size = used + more;
    at = self.bytes.get() + used;
    end = self.bytes.get() + self.size;
    return true;
  }
  std::unique_ptr<char[]> bytes;
  size_t size;
  size_t most = SIZE_MAX;
};

using Cbor = BinaryEncoder<encoding::Cbor>;
using MessagePack = BinaryEncoder<encoding::MessagePack>;

template <class Encode = Encoder, class T>
std::string encoded(const T& value, size_t first = 0) {
  Exact memory(first);
  Encode encoder(memory.bytes.get(), memory.bytes.get() + first, Exact::grow, &memory);
  encoder.value(value);
  return {memory.bytes.get(), encoder.end()};
}

class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  uint64_t below(uint64_t most) { return engine_() % most; }
  std::string text() {
    static const std::string kPieces[] = {"a",
                                          "word ",
                                          "\"",
                                          "\\",
                                          "\n",
                                          std::string(1, '\0'),
                                          "\x1f",
                                          "\x7f",
                                          "\xc3\xa4",
                                          "\xe2\x82\xac",
                                          "\xf0\x9f\x98\x80",
                                          std::string(70, 'x')};
    std::string text;
    for (uint64_t n = below(below(20) == 0 ? 300 : 12); n > 0; --n)
      text += kPieces[below(std::size(kPieces))];
    return text;
  }
  double real() {
    for (;;) {
      double number = 0;
      const uint64_t bits = below(3) == 0 ? below(1'000'000'000) : engine_();
      std::memcpy(&number, &bits, sizeof number);
      if (below(2) == 0) number = static_cast<double>(bits % 1'000'000) / 100;
      if (std::isfinite(number)) return number;
    }
  }
  Inner inner() {
    Inner inner{.name = text()};
    if (below(2) == 0) inner.score = real();
    for (uint64_t n = below(6); n > 0; --n) inner.numbers.push_back(static_cast<int64_t>(engine_()));
    return inner;
  }
  uint64_t bits() { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace

TEST_CASE("encoder: structs give the bytes that events give, on every backend") {
  INFO("seed " << Catch::getSeed());
  Random random(Catch::getSeed());
  for (int round = 0; round < 2000; ++round) {
    const std::string text = random.text();
    Outer outer{.id = random.bits(),
                .small = static_cast<int8_t>(random.bits()),
                .good = random.below(2) == 0,
                .real = random.real(),
                .single = static_cast<float>(random.below(100000)) / 8,
                .text = text,
                .pair = {random.below(2) == 0, true},
                .inner = random.inner()};
    for (uint64_t n = random.below(4); n > 0; --n) outer.texts.push_back(random.text());
    for (uint64_t n = random.below(4); n > 0; --n) outer.many.push_back(random.inner());
    for (uint64_t n = random.below(3); n > 0; --n) outer.nested.emplace_back(random.below(4), uint16_t{7});
    if (random.below(2) == 0) outer.maybe = random.inner();
    const std::string expected = by_events(outer, json::Backend::Direct);
    for (const json::Backend other : json::built_backends()) REQUIRE(by_events(outer, other) == expected);
    REQUIRE(encoded(outer, random.below(3000)) == expected);
    // Text that is not UTF-8 as well.
    if (random.below(4) == 0) outer.inner.name += "\xff\xc3";
    REQUIRE(encoded<Cbor>(outer, random.below(3000)) == by_events(outer, json::Backend::Cbor));
    REQUIRE(encoded<MessagePack>(outer, random.below(3000)) == by_events(outer, json::Backend::MessagePack));
  }
}

TEST_CASE("encoder: in binary forms what has to know its length first knows it") {
  struct {
    std::string operator()(size_t size, const char* text) const { return std::string(size, text[0]); }
  } run;
  for (const size_t size : {0U, 1U, 2U, 3U, 15U, 16U, 23U, 24U, 31U, 32U, 255U, 256U, 257U, 65535U, 65536U}) {
    for (const std::string& text : {run(size, "x"), run(size, "\xff"), run(size, "\xc3")}) {
      if (size > 1000 && !text.starts_with('x')) continue;  // the heads are those of others
      const std::vector<std::string> one = {text};
      const std::vector<bool> many(size, true);
      const int last = 1;
      const auto value = members("text", text, "one", one, "many", many, text, last);
      const auto events = [&](json::Backend backend) {
        BlockPool pool(4096, 8);
        Arena arena(pool, size_t{64} << 20);
        json::Writer json(arena, backend);
        json.begin_object();
        json.key("text");
        json.string(text);
        json.key("one");
        json.begin_array();
        json.string(text);
        json.end_array();
        json.key("many");
        json.begin_array();
        for (size_t i = 0; i < size; ++i) json.boolean(true);
        json.end_array();
        json.key(text);
        json.integer(1);
        json.end_object();
        return std::string(*json.finish());
      };
      REQUIRE(encoded<Cbor>(value) == events(json::Backend::Cbor));
      REQUIRE(encoded<MessagePack>(value) == events(json::Backend::MessagePack));
    }
  }
  // What can be gone through once alone is for events.
  struct Once {
    struct Each {
      using value_type = int;
      using difference_type = std::ptrdiff_t;
      int operator*() const { return 1; }
      Each& operator++() { return *this; }
      void operator++(int) {}
      bool operator==(std::default_sentinel_t) const { return true; }
    };
    Each begin() const { return {}; }
    std::default_sentinel_t end() const { return {}; }
  };
  static_assert(Encodable<Once> && !detail::has_counts<Once>());
  static_assert(!detail::has_counts<Members<const char(&)[2], std::optional<std::vector<Once>>>>());
  static_assert(detail::has_counts<Outer>());
}

TEST_CASE("encoder: values that come whole are events among others") {
  for (const json::Backend backend : {json::Backend::Cbor, json::Backend::MessagePack}) {
    const auto written = [&](bool whole) {
      BlockPool pool(1024, 8);
      Arena arena(pool, size_t{64} << 20);
      json::Writer json(arena, backend);
      json.begin_array();
      for (int i = 0; i < 40; ++i) {
        Inner inner{.name = std::string(static_cast<size_t>(i) * 20, 'n'), .numbers = {i}};
        if (!whole) {
          write(json, inner);
          continue;
        }
        char* end = nullptr;
        char* const at = json.begin_bytes(Encoder::bound(inner), end);
        REQUIRE(at != nullptr);
        const auto grow = [](void* owner, char*& to, char*& until, size_t size) {
          to = static_cast<json::Writer*>(owner)->more_room(to, size, until);
          return to != nullptr;
        };
        const auto encode = [&](auto encoder) {
          encoder.value(inner);
          json.end_text(encoder.end(), "");
        };
        if (backend == json::Backend::Cbor)
          encode(Cbor(at, end, grow, &json));
        else
          encode(MessagePack(at, end, grow, &json));
      }
      json.end_array();
      return std::string(*json.finish());
    };
    CHECK(written(true) == written(false));
  }
  BlockPool pool(1024, 8);
  Arena arena(pool, size_t{1} << 20);
  char* end = nullptr;
  json::Writer text(arena), cbor(arena, json::Backend::Cbor);
  CHECK(text.begin_bytes(10, end) == nullptr);
  CHECK(cbor.begin_text(10, end) == nullptr);
  cbor.begin_object();
  CHECK(cbor.begin_bytes(10, end) == nullptr);  // a name comes
  CHECK(cbor.error() == nullptr);
}

TEST_CASE("encoder: members() gives the bytes of a struct") {
  const std::vector<std::string> texts = {"a", std::string(600, 'b'), ""};
  const Query<std::optional<int>, "limit"> given{7}, absent{};
  // It refers to what it is given, so it is used where it stands.
  CHECK(encoded(members("id", 1, std::string("na\nme"), "x", "inner",
                        members("none", nullptr, "nothing", std::nullopt), "texts", texts, "given", given,
                        "absent", absent, "empty", members())) ==
        R"({"id":1,"na\nme":"x","inner":{"none":null,"nothing":null},"texts":["a",")" + texts[1] +
            R"(",""],"given":7,"absent":null,"empty":{}})");
  const auto halves = std::views::transform(std::views::iota(0, 3), [](int each) { return each / 2.0; });
  CHECK(encoded(members(std::string(300, 'k'), halves)) ==
        "{\"" + std::string(300, 'k') + "\":[0.0,0.5,1.0]}");
  // What only events can show.
  const auto writes = [](Json&) {};
  static_assert(!Encodable<Members<const char(&)[2], decltype(writes)>>);
}

TEST_CASE("encoder: the edges of numbers") {
  CHECK(encoded(std::numeric_limits<int64_t>::min()) == "-9223372036854775808");
  CHECK(encoded(std::numeric_limits<uint64_t>::max()) == "18446744073709551615");
  CHECK(encoded(int8_t{-128}) == "-128");
  CHECK(encoded(0) == "0");
  CHECK(encoded(9) == "9");
  CHECK(encoded(10) == "10");
  CHECK(encoded(-1) == "-1");
  CHECK(encoded(-0.0) == "-0.0");
  CHECK(encoded(5e-324) == "5e-324");
  CHECK(encoded(-std::numeric_limits<double>::max()) == "-1.7976931348623157e+308");
  CHECK(encoded(1748358028.9037342) == "1748358028.9037342");
  CHECK(encoded(nullptr) == "null");
  CHECK(encoded(std::vector<int>{}) == "[]");
  CHECK(encoded(std::vector<double>{95.5, 1.0}) == "[95.5,1.0]");
  CHECK(encoded(std::vector<bool>{true, false}) == "[true,false]");
}

TEST_CASE("encoder: long ranges of numbers take little more memory than their text") {
  for (const size_t size : {63, 64, 65, 127, 128, 129, 100'000}) {
    const std::vector<uint8_t> small(size, 7);
    std::string expected = "[";
    for (size_t i = 0; i < size; ++i) expected += "7,";
    expected.back() = ']';
    Exact memory(0);
    memory.most = expected.size() + 2048;
    Encoder encoder(memory.bytes.get(), memory.bytes.get(), Exact::grow, &memory);
    encoder.value(small);
    REQUIRE(std::string_view(memory.bytes.get(), encoder.end()) == expected);
    REQUIRE(encoded(std::vector<double>(size, -2.2250738585072014e-308)).size() == size * 25 + 1);
  }
}

TEST_CASE("encoder: what has no JSON stops it, and so does a lack of memory") {
  const auto problem = [](const auto& value, size_t most = SIZE_MAX) -> std::optional<Encoder::Problem> {
    Exact memory(0);
    memory.most = most;
    Encoder encoder(memory.bytes.get(), memory.bytes.get(), Exact::grow, &memory);
    try {
      encoder.value(value);
    } catch (const Encoder::Problem why) {
      return why;
    }
    return std::nullopt;
  };
  using enum Encoder::Problem;
  CHECK(problem(std::numeric_limits<double>::quiet_NaN()) == NotFinite);
  CHECK(problem(-std::numeric_limits<double>::infinity()) == NotFinite);
  const Inner inner{.name = std::string(1000, 'n'), .score = {}, .numbers = {1, 2, 3}};
  const size_t size = encoded(inner).size();
  CHECK(problem(inner, size / 2) == Memory);
  CHECK_FALSE(problem(inner));
}

TEST_CASE("strings: every level of the CPU copies the same, at each length and place of what is not plain") {
  std::array<encoding::Scan, 4> scans;
  const size_t count = encoding::scans(scans);
  CHECK(scans[count - 1].name == "scalar");
  CHECK(encoding::scan.name == scans[0].name);
  for (size_t i = 0; i < count; ++i) {
    INFO(scans[i].name);
    for (size_t size = encoding::kLeastLong; size < 200; ++size) {
      const std::string plain(size, 'p');
      std::string to(size, '?');
      REQUIRE(scans[i].copy(to.data(), plain.data(), size) == size);
      REQUIRE(to == plain);
      for (size_t at = 0; at < size; ++at)
        for (const char special : {'"', '\\', '\n', '\0', '\x1f', '\x80', '\xff'}) {
          std::string from = plain;
          from[at] = special;
          std::unique_ptr<char[]> exact(new char[size]);
          REQUIRE(scans[i].copy(exact.get(), from.data(), size) == at);
          REQUIRE(std::string_view(exact.get(), at) == std::string_view(plain).substr(0, at));
        }
      // These are plain.
      for (const char special : {' ', '!', '#', '[', ']', '\x7f'})
        REQUIRE(scans[i].copy(to.data(), std::string(size, special).data(), size) == size);
    }
  }
}

TEST_CASE("strings: all of Unicode, alone and at the border of a piece") {
  for (uint32_t code = 0; code <= 0x10ffff; ++code) {
    if (code >= 0xd800 && code < 0xe000) continue;
    std::string utf8;
    if (code < 0x80) {
      utf8 = {static_cast<char>(code)};
    } else if (code < 0x800) {
      utf8 = {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 63))};
    } else if (code < 0x10000) {
      utf8 = {static_cast<char>(0xe0 | code >> 12), static_cast<char>(0x80 | (code >> 6 & 63)),
              static_cast<char>(0x80 | (code & 63))};
    } else {
      utf8 = {static_cast<char>(0xf0 | code >> 18), static_cast<char>(0x80 | (code >> 12 & 63)),
              static_cast<char>(0x80 | (code >> 6 & 63)), static_cast<char>(0x80 | (code & 63))};
    }
    char text[64];
    char* const end = encoding::write_escaped(text, utf8);
    REQUIRE(end != nullptr);
    if (code >= 0x20 && code != '"' && code != '\\') REQUIRE(std::string_view(text, end) == utf8);
    if (code % 257 != 0 && code > 0x900) continue;
    for (const size_t before : {253, 254, 255, 256}) {
      const std::string long_text = std::string(before, 'x') + utf8 + std::string(200, 'y');
      BlockPool pool(64, 8);
      Arena arena(pool, size_t{1} << 20);
      json::Writer json(arena);
      json.string(long_text);
      const auto events = json.finish();
      REQUIRE(events);
      REQUIRE(encoded(long_text) == *events);
    }
  }
}

}  // namespace leat

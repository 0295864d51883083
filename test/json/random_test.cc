// json::Writer against RapidJSON: the same bytes from both backends, and nothing that its reader refuses.
#include <algorithm>
#include <bit>
#include <catch2/catch_test_macros.hpp>
#include <cmath>
#include <cstdlib>
#include <random>
#include <string>

#include "base/shared/plugin_text.hpp"
#include "json/support.h"
#include "json/writer.h"

namespace leat::test {
namespace {

using json::Backend;
using json::Writer;

std::string utf8(uint32_t code) {
  const auto byte = [](uint32_t value) { return static_cast<char>(value); };
  if (code < 0x80) return {byte(code)};
  if (code < 0x800) return {byte(0xc0 | code >> 6), byte(0x80 | (code & 63))};
  if (code < 0x10000)
    return {byte(0xe0 | code >> 12), byte(0x80 | (code >> 6 & 63)), byte(0x80 | (code & 63))};
  return {byte(0xf0 | code >> 18), byte(0x80 | (code >> 12 & 63)), byte(0x80 | (code >> 6 & 63)),
          byte(0x80 | (code & 63))};
}

class Random {
 public:
  Random() : seed_(std::random_device{}()), engine_(seed_) {}
  [[nodiscard]] uint64_t seed() const { return seed_; }
  uint64_t operator()() { return engine_(); }
  uint64_t below(uint64_t bound) { return engine_() % bound; }

  // Texts with every kind of character, plain runs most of all.
  std::string text() {
    std::string text;
    for (uint64_t pieces = below(5); pieces > 0; --pieces) {
      switch (below(4)) {
        case 0:
          text.append(below(40), static_cast<char>('a' + below(26)));
          break;
        case 1:
          text += static_cast<char>(below(0x80));
          break;
        case 2:
          text += utf8(static_cast<uint32_t>(below(0xd800)));
          break;
        default:
          text += utf8(static_cast<uint32_t>(0xe000 + below(0x110000 - 0xe000)));
      }
    }
    return text;
  }
  double real() {
    switch (below(4)) {
      case 0:
        return static_cast<double>(below(100000)) / 100;
      case 1:
        return static_cast<double>(static_cast<int64_t>(engine_()) >> below(64));
      default: {
        const double number = std::bit_cast<double>(engine_());
        return std::isfinite(number) ? number : 0.5;
      }
    }
  }

 private:
  uint64_t seed_;
  std::mt19937_64 engine_;
};

// Gives the same events to two writers.
class Both {
 public:
  Both(Arena& arena, Backend other) : direct_(arena, Backend::Direct), other_(arena, other) {}
  template <class Event>
  void operator()(Event&& event) {
    event(direct_);
    event(other_);
  }
  Writer direct_, other_;
};

// The backends that are built, in turn, but for Direct.
Backend other_backend(int turn) {
  const auto built = json::built_backends().subspan(1);
  REQUIRE(!built.empty());
  return built[static_cast<size_t>(turn) % built.size()];
}

void write_value(Both& both, Random& random, int depth) {
  switch (random.below(depth < 6 ? 11 : 8)) {
    case 0:
      return both([](Writer& w) { w.null(); });
    case 1:
      return both([truth = random.below(2) == 1](Writer& w) { w.boolean(truth); });
    case 2: {
      const auto number = static_cast<int64_t>(random()) >> random.below(64);
      return both([=](Writer& w) { w.integer(number); });
    }
    case 3:
      return both([number = random() >> random.below(64)](Writer& w) { w.unsigned_integer(number); });
    case 4:
      return both([number = random.real()](Writer& w) { w.real(number); });
    case 5:
    case 6:
      return both([text = random.text()](Writer& w) { w.string(text); });
    case 7:
      return both([](Writer& w) { w.raw(R"( [true, {"x" : 1e2}])"); });
    case 8: {
      both([](Writer& w) { w.begin_array(); });
      for (uint64_t i = random.below(6); i > 0; --i) write_value(both, random, depth + 1);
      return both([](Writer& w) { w.end_array(); });
    }
    default: {
      both([](Writer& w) { w.begin_object(); });
      for (uint64_t i = random.below(6); i > 0; --i) {
        both([name = random.text()](Writer& w) { w.key(name); });
        write_value(both, random, depth + 1);
      }
      return both([](Writer& w) { w.end_object(); });
    }
  }
}

TEST_CASE("json writer: random documents are the same bytes from both backends") {
  Random random;
  INFO("seed " << random.seed());
  JsonMemory memory;
  for (int i = 0; i < 20000; ++i) {
    Both both(memory.arena, other_backend(i));
    write_value(both, random, 0);
    const auto direct = both.direct_.finish();
    const auto rapid = both.other_.finish();
    REQUIRE(direct.has_value());
    REQUIRE(rapid.has_value());
    if (*direct != *rapid) FAIL(*direct << "\n" << *rapid);
    if (!rapidjson_reads(*direct)) FAIL(*direct);
    if (!json::is_json_value(*direct)) FAIL(*direct);
    memory.arena.reset();
  }
}

TEST_CASE("json writer: random events, right or wrong, make valid JSON or none") {
  Random random;
  INFO("seed " << random.seed());
  JsonMemory memory;
  int complete = 0;
  for (int i = 0; i < 50000; ++i) {
    Both both(memory.arena, other_backend(i));
    for (uint64_t events = random.below(9) + 1; events > 0; --events) {
      switch (random.below(9)) {
        case 0:
          both([](Writer& w) { w.begin_object(); });
          break;
        case 1:
          both([](Writer& w) { w.end_object(); });
          break;
        case 2:
          both([](Writer& w) { w.begin_array(); });
          break;
        case 3:
          both([](Writer& w) { w.end_array(); });
          break;
        case 4:
          both([](Writer& w) { w.key("k"); });
          break;
        case 5:
          both([](Writer& w) { w.integer(-5); });
          break;
        case 6:
          both([number = random()](Writer& w) { w.real(std::bit_cast<double>(number)); });
          break;
        case 7:
          both([text = random.text().substr(0, 3)](Writer& w) { w.string(text); });
          break;
        default:
          both([text = random.text()](Writer& w) { w.raw(text); });
      }
    }
    const auto direct = both.direct_.finish();
    REQUIRE(direct == both.other_.finish());
    if (!direct) {
      REQUIRE(both.direct_.error() != nullptr);
      REQUIRE(std::string_view(both.direct_.error()) == both.other_.error());
    } else {
      ++complete;
      if (!rapidjson_reads(*direct)) FAIL(*direct);
    }
    memory.arena.reset();
  }
  CHECK(complete > 100);
}

TEST_CASE("json writer: random bytes as strings make valid JSON, in which what was UTF-8 stays") {
  Random random;
  INFO("seed " << random.seed());
  JsonMemory memory;
  int replaced = 0;
  for (int i = 0; i < 50000; ++i) {
    std::string bytes = random.text();
    for (uint64_t wrong = random.below(3); wrong > 0 && !bytes.empty(); --wrong)
      bytes[random.below(bytes.size())] = static_cast<char>(random());
    Both both(memory.arena, other_backend(i));
    both([](Writer& w) { w.begin_object(); });
    both([&](Writer& w) { w.key(bytes); });
    both([&](Writer& w) { w.string(bytes); });
    both([](Writer& w) { w.end_object(); });
    const auto text = both.direct_.finish();
    REQUIRE(text == both.other_.finish());
    const bool valid = rapidjson_reads('"' + [&] {
      std::string plain = bytes;
      for (char& c : plain)
        if (static_cast<unsigned char>(c) < 0x20 || c == '"' || c == '\\') c = ' ';
      return plain;
    }() + '"');
    REQUIRE(text);
    if (!rapidjson_reads(*text)) FAIL(*text);
    // Replaced or not, none of its own has the character.
    const bool was_replaced = text->find("\xef\xbf\xbd") != std::string_view::npos;
    if (was_replaced == valid && bytes.find("\xef\xbf\xbd") == std::string::npos) FAIL(bytes);
    replaced += was_replaced ? 1 : 0;
    memory.arena.reset();
  }
  CHECK(replaced > 100);
}

TEST_CASE("json writer: every code point is written, every surrogate replaced") {
  JsonMemory memory;
  for (const Backend backend : json::built_backends()) {
    for (uint32_t code = 0; code <= 0x110010; ++code) {
      const bool valid = code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
      const std::string character = utf8(code);
      Writer writer(memory.arena, backend);
      writer.string(character);
      const auto text = writer.finish();
      REQUIRE(text);
      // Each of its bytes.
      std::string replaced;
      for (size_t i = 0; i < character.size(); ++i) replaced += "\xef\xbf\xbd";
      if (!valid && *text != '"' + replaced + '"') FAIL("U+" << std::hex << code);
      const bool escaped = code < 0x20 || code == '"' || code == '\\';
      if (valid && !escaped && *text != '"' + character + '"') FAIL("U+" << std::hex << code);
      if (escaped && (text->size() < 4 || !rapidjson_reads(*text))) FAIL("U+" << std::hex << code);
      memory.arena.reset();
    }
  }
}

TEST_CASE("json writer: overlong and cut sequences are none") {
  using namespace std::string_view_literals;
  for (const auto bytes :
       {"\xc0\x80"sv, "\xc1\xbf"sv, "\xe0\x80\x80"sv, "\xe0\x9f\xbf"sv, "\xf0\x8f\xbf\xbf"sv, "\x80"sv,
        "\xbf"sv, "\xc3"sv, "\xe2\x82"sv, "\xf0\x9f\x8e"sv, "\xc3("sv, "\xe2(\xa1"sv, "\xf0\x9f\x8e("sv,
        "\xf5\x80\x80\x80"sv, "\xfe"sv, "\xff"sv, "\xed\xa0\x80"sv})
    CHECK(encoding::utf8_sequence(bytes) == 0);
}

TEST_CASE("json writer: random doubles read back as the same bits") {
  Random random;
  INFO("seed " << random.seed());
  for (int i = 0; i < 200000; ++i) {
    const double number = random.real();
    char text[json::kLongestReal + 1];
    const size_t size = json::write_real(text, number);
    REQUIRE(size <= json::kLongestReal);
    text[size] = '\0';
    const std::string_view view(text, size);
    if (std::bit_cast<uint64_t>(std::strtod(text, nullptr)) != std::bit_cast<uint64_t>(number)) FAIL(view);
    if (view.find_first_of(".e") == std::string_view::npos || !json::is_json_value(view)) FAIL(view);
    const double magnitude = std::fabs(number);
    const bool plain = magnitude == 0 || (magnitude >= 1e-4 && magnitude < 1e16);
    if (plain != (view.find('e') == std::string_view::npos)) FAIL(view);
  }
}

}  // namespace
}  // namespace leat::test

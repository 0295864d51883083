// Escaping: whatever a client has sent becomes one line of UTF-8.
#include "base/escape.h"

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "json/valid.h"

namespace leat::test {

namespace {

std::string escaped(std::string_view text, Escapes how) {
  std::vector<char> room(text.size() * kMostEscaped + 16);
  return {room.data(), put_escaped(room.data(), text, how)};
}

}  // namespace

TEST_CASE("escape: what is plain stays, at every length and place") {
  for (size_t size = 0; size < 70; ++size) {
    const std::string text(size, 'a');
    for (const Escapes how : {Escapes::Json, Escapes::Plain, Escapes::Spaces})
      REQUIRE(escaped(text, how) == text);
    for (size_t at = 0; at < size; ++at) {
      std::string odd = text;
      odd[at] = '\x1b';
      REQUIRE(escaped(odd, Escapes::Json) == text.substr(0, at) + "\\u001b" + text.substr(at + 1));
    }
  }
}

TEST_CASE("escape: quotes, control characters and what is no UTF-8") {
  struct Case {
    std::string_view text, json, plain, spaces;
  };
  constexpr std::string_view kBad = "\xef\xbf\xbd";
  const Case cases[] = {
      {"say \"hi\"\\", "say \\\"hi\\\"\\\\", "say \\\"hi\\\"\\\\", "say \"hi\"\\"},
      {"a\nb\tc\x7f", "a\\u000ab\\u0009c\\u007f", "a\\x0ab\\x09c\\x7f", "a b c "},
      {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
       "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
      {"\xc2\x9b", "\\u009b", "\\x9b", " "},  // a control sequence, to some terminals
      {"\xff", kBad, kBad, kBad},
      {"\xc3", kBad, kBad, kBad},  // cut
      {"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd",
       "\xef\xbf\xbd\xef\xbf\xbd"},  // too long
      {"\xe0\x9f\xbf", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
      {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd",
       "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},  // a surrogate
  };
  for (const Case& each : cases) {
    INFO(each.json);
    CHECK(escaped(each.text, Escapes::Json) == each.json);
    CHECK(escaped(each.text, Escapes::Plain) == each.plain);
    CHECK(escaped(each.text, Escapes::Spaces) == each.spaces);
  }
}

TEST_CASE("escape: of any bytes the result is the inside of a JSON string, on one line") {
  std::mt19937 random(7);
  std::uniform_int_distribution<size_t> size(0, 80);
  std::uniform_int_distribution<int> byte(0, 255);
  for (int i = 0; i < 20'000; ++i) {
    std::string text(size(random), ' ');
    // Mostly letters, so that runs of 16 are seen, too.
    for (char& c : text) c = i % 2 == 0 || byte(random) < 16 ? static_cast<char>(byte(random)) : 'x';
    const std::string json = '"' + escaped(text, Escapes::Json) + '"';
    REQUIRE(json::is_json_value(json));
    for (const Escapes how : {Escapes::Plain, Escapes::Spaces}) {
      const std::string line = escaped(text, how);
      REQUIRE(line.find('\n') == std::string::npos);
      // UTF-8: a JSON string once its quotes are gone.
      std::string inside;
      for (const char c : line) inside += c == '"' || c == '\\' ? 'q' : c;
      REQUIRE(json::is_json_value('"' + inside + '"'));
    }
  }
}

}  // namespace leat::test

// Text, suggestions and configuration values.
#include "base/text.h"

#include <catch2/catch_test_macros.hpp>
#include <cctype>
#include <cstdint>
#include <string>
#include <vector>

#include "base/sized_text.h"
#include "base/suggest.h"
#include "base/value.h"

namespace leat::test {

TEST_CASE("text: sized texts come back one by one, whatever is in them") {
  const std::string texts[] = {"", "5:abcde", std::string("\0:\n", 3), std::string(1000, ':'), "17"};
  std::string all;
  for (const std::string& each : texts) put_sized(all, each);
  std::string_view rest = all;
  for (const std::string& each : texts) CHECK(take_sized(rest) == each);
  CHECK(rest.empty());
}

TEST_CASE("text: what is no sized text is left as it is") {
  for (const std::string_view broken : {"", ":", "3", "3:ab", ":abc", "-1:a", "+1:a", " 1:a", "1 :a", "0x1:a",
                                        "99999999999999999999:a", "18446744073709551615:a"}) {
    INFO(broken);
    std::string_view rest = broken;
    CHECK_FALSE(take_sized(rest).has_value());
    CHECK(rest == broken);
  }
}

TEST_CASE("text: numbers are taken whole or not at all") {
  CHECK(parse_number<int64_t>("-9223372036854775808") == INT64_MIN);
  CHECK(parse_number<uint8_t>("255") == 255);
  CHECK(parse_number<double>("1e3") == 1000.0);
  for (const char* text : {"", " 1", "1 ", "+1", "1x", "0x1", "256", "-1", "1.0"}) {
    INFO(text);
    CHECK(!parse_number<uint8_t>(text));
  }
}

TEST_CASE("text: tokens and field values of HTTP") {
  for (int c = 0; c < 256; ++c) {
    const char text[] = {static_cast<char>(c)};
    INFO(c);
    const bool token = c < 128 && (std::isalnum(c) != 0 ||
                                   (c != 0 && std::string_view("!#$%&'*+-.^_`|~").contains(text[0])));
    CHECK(is_token({text, 1}) == token);
    CHECK(is_field_value({text, 1}) == (c == '\t' || (c >= 0x20 && c != 0x7f)));
  }
  CHECK(!is_token(""));
  CHECK(is_field_value(""));
  CHECK(trim(" \t a b \t") == "a b");
  CHECK(trim("\t ") == "");
  CHECK(equal_ignoring_case("Content-TYPE", "content-type"));
  CHECK(!equal_ignoring_case("[", "{"));  // they differ by the bit that tells cases apart
  CHECK(!equal_ignoring_case("a", "ab"));
}

TEST_CASE("suggest: the distance counts letters, and swapped neighbours once") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("workers", "wrokers") == 1);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("get", "GET") == 0);
}

TEST_CASE("suggest: names the closest, and nothing where all are far") {
  const std::vector<std::string> known = {"idle_timeout", "head_timeout", "body"};
  CHECK(closest("idel_timeout", known) == "idle_timeout");
  CHECK(closest("bdoy", known) == "body");
  CHECK(closest("zzz", known).empty());
  CHECK(closest("", known).empty());
  CHECK(did_you_mean("had_timeout", known) == "did you mean `head_timeout`?");
  CHECK(did_you_mean("something else", known).empty());
  CHECK(did_you_mean("x", std::vector<std::string>()).empty());
}

TEST_CASE("value: tables are the same whatever the order of their keys and their places") {
  const auto number = [](int64_t value, uint32_t line) { return Value(value, Place{.line = line}); };
  const Value a(Value::Table{{"x", number(1, 1)}, {"y", number(2, 2)}}, Place{.line = 1});
  const Value b(Value::Table{{"y", number(2, 7)}, {"x", number(1, 8)}}, Place{.line = 9});
  CHECK(a.same_as(b));
  CHECK(b.same_as(a));
  CHECK(!a.same_as(Value(Value::Table{{"x", number(1, 1)}}, {})));
  CHECK(!a.same_as(Value(Value::Table{{"x", number(1, 1)}, {"y", number(3, 2)}}, {})));
  CHECK(!number(1, 1).same_as(Value(1.0, {})));
  const Value list(Value::Array{number(1, 1), number(2, 2)}, {});
  CHECK(list.same_as(Value(Value::Array{number(1, 5), number(2, 5)}, {})));
  CHECK(!list.same_as(Value(Value::Array{number(2, 1), number(1, 1)}, {})));
  CHECK(*a.find("y")->integer() == 2);
  CHECK(a.find("z") == nullptr);
  CHECK(list.find("x") == nullptr);
  CHECK(Value().table() != nullptr);
}

}  // namespace leat::test

// json::is_json_value(): a table, and RapidJSON's reader as the other opinion.
#include "json/valid.h"

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <random>
#include <string>

#include "json/support.h"

namespace leat::test {
namespace {

using json::is_json_value;
using namespace std::string_view_literals;

TEST_CASE("json values: what RFC 8259 allows is valid") {
  for (const auto text :
       {"0"sv, "-0"sv, "1.5"sv, "-10.25e+7"sv, "1E5"sv, "1e-5"sv, "true"sv, "false"sv, "null"sv, R"("")"sv,
        R"("a\"\\\/\b\f\n\r\t\u00e9\uD83c")"sv, "\"\xc3\xa9\x7f\""sv, "[]"sv, "{}"sv, " [ ] "sv, "\t{\r}\n"sv,
        "[1,[2,[]],{}]"sv, R"({"a":1,"a":{"b":[null]}})"sv, R"( { "a" : [ 1 , 2 ] } )"sv})
    CHECK(is_json_value(text));
}

TEST_CASE("json values: what RFC 8259 does not allow is not") {
  for (const auto text : {""sv,
                          std::string_view(),
                          " "sv,
                          "01"sv,
                          "-"sv,
                          "+1"sv,
                          ".5"sv,
                          "1."sv,
                          "1e"sv,
                          "1e+"sv,
                          "0x1"sv,
                          "NaN"sv,
                          "Infinity"sv,
                          "tru"sv,
                          "True"sv,
                          "truex"sv,
                          "nul"sv,
                          "1 2"sv,
                          "\""sv,
                          "\"a"sv,
                          "\"\\\""sv,
                          R"("\x")"sv,
                          R"("\u12")"sv,
                          R"("\u12g4")"sv,
                          "\"\n\""sv,
                          "\"\0\""sv,
                          "\"\xff\""sv,
                          "\"\xed\xa0\x80\""sv,
                          "'a'"sv,
                          "["sv,
                          "]"sv,
                          "{"sv,
                          "}"sv,
                          "[1"sv,
                          "[1,"sv,
                          "[1,]"sv,
                          "[,1]"sv,
                          "[1 2]"sv,
                          "[1}"sv,
                          "{]"sv,
                          "{1:2}"sv,
                          R"({"a"})"sv,
                          R"({"a":})"sv,
                          R"({"a":1,})"sv,
                          R"({"a" 1})"sv,
                          R"({,"a":1})"sv,
                          R"({"a":1 "b":2})"sv,
                          "[]]"sv,
                          "[],"sv,
                          "1,"sv,
                          "1\0"sv,
                          "\0"sv,
                          "\v1"sv,
                          "/**/1"sv})
    CHECK_FALSE(is_json_value(text));
}

TEST_CASE("json values: the depth is bounded") {
  const auto nested = [](size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(is_json_value("1", 0));
  CHECK_FALSE(is_json_value("[]", 0));
  CHECK(is_json_value("[[],[]]", 2));
  CHECK_FALSE(is_json_value("[[],[[]]]", 2));
  CHECK(is_json_value(nested(128)));
  CHECK_FALSE(is_json_value(nested(129)));
  CHECK_FALSE(is_json_value(nested(129), UINT32_MAX));
  CHECK_FALSE(is_json_value(std::string(100000, '{')));
}

TEST_CASE("json values: RapidJSON's reader thinks the same of damaged documents") {
  const uint64_t seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const std::string documents[] = {
      R"({"id":12,"name":"Gr\u00fc\u00dfe \n","list":[1.5,-2e3,true,false,null,{}],"deep":[[[{"a":[]}]]]})",
      R"( [ { "a" : "b" , "c" : 0.25E-2 } , "x\\y" , [ ] ] )",
      "[\"\xe4\xb8\x96\xf0\x9f\x8e\x89\",{\"k\":-0}]"};
  const std::string_view alphabet = "{}[]\",:\\ 0123456789eE+-.truefalsn\xc3\xa9\n";
  int valid = 0;
  for (int i = 0; i < 100000; ++i) {
    std::string text = documents[random() % std::size(documents)];
    for (uint64_t changes = 1 + random() % 3; changes > 0 && !text.empty(); --changes) {
      const size_t place = random() % text.size();
      const char other = alphabet[random() % alphabet.size()];
      switch (random() % 4) {
        case 0:
          text.erase(place, 1);
          break;
        case 1:
          text.insert(place, 1, other);
          break;
        case 2:
          text[place] = other;
          break;
        default:
          text.resize(place);
      }
    }
    // At the end of its memory, so that a sanitizer sees a read past it.
    const auto exact = std::make_unique<char[]>(text.size());
    text.copy(exact.get(), text.size());
    const bool ours = is_json_value({exact.get(), text.size()});
    // They would differ about escaped surrogates, of which no change here makes one, and about numbers that
    // no double holds, at which the reader stops.
    const rapidjson::ParseErrorCode theirs = rapidjson_judges(text);
    if (theirs == rapidjson::kParseErrorNumberTooBig) continue;
    if (ours != (theirs == rapidjson::kParseErrorNone)) FAIL(text);
    valid += ours ? 1 : 0;
  }
  CHECK(valid > 1000);
}

}  // namespace
}  // namespace leat::test

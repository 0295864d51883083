// Reading a few values of what others wrote.
#include "json/members.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace leat::json {

TEST_CASE("members: of an object in its order, each value as it stands") {
  const auto members = read_object(
      " {\"a\":1 , \"b\" : \"x,}y\\\"\", \"c\": [1,{\"d\":\"]\"}],\"e\":{} ,\"f\":null,\"\\u0067\":-1.5e3, "
      "\"h\":[ ]} ");
  REQUIRE(members);
  std::vector<std::string> told;
  for (const Member& each : *members) told.push_back(each.name + "=" + std::string(each.value));
  CHECK(told == std::vector<std::string>{"a=1", "b=\"x,}y\\\"\"", "c=[1,{\"d\":\"]\"}]", "e={}", "f=null",
                                         "g=-1.5e3", "h=[ ]"});
  CHECK(find_member(*members, "f") == "null");
  CHECK(find_member(*members, "z").data() == nullptr);
  CHECK(read_object("{}").value().empty());
  CHECK(read_object(" { \n } ").value().empty());
}

TEST_CASE("members: of an array") {
  const auto elements = read_array("[ \"a\", 2 ,[3, [4]],{\"b\":5},true ]");
  REQUIRE(elements);
  CHECK(*elements == std::vector<std::string_view>{"\"a\"", "2", "[3, [4]]", "{\"b\":5}", "true"});
  CHECK(read_array("[]").value().empty());
}

TEST_CASE("members: what is not well-formed is nothing, nor is a name that is there twice") {
  for (const char* text : {"", " ", "1", "[]", "{", "}", "{]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{a:1}",
                           "{\"a\":1}x", "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":2}", "{\"\\ud800\":1}",
                           "{\"a\":\"\xff\"}", "{\"a\":[[[[[[[[1]]]]]]]]}"}) {
    INFO(text);
    CHECK_FALSE(read_object(text));
  }
  for (const char* text : {"", "{}", "[", "[1,]", "[1 2]", "[1]]"}) CHECK_FALSE(read_array(text));
}

TEST_CASE("members: texts are read without their escapes, numbers as they are meant") {
  CHECK(read_string(R"("a\"\\\/\b\f\n\r\tb")") == "a\"\\/\b\f\n\r\tb");
  CHECK(read_string(R"("\u00fc\u20ac\ud83d\ude00")") == "ü€😀");
  CHECK(read_string(R"("\u0000")") == std::string(1, '\0'));
  CHECK(read_string("\"\"") == "");
  for (const char* none : {"", "a", "1", "null", "\"", "\"a", R"("\ud83d")", R"("\ud83dx")", R"("\ude00")",
                           R"("\ud83d\u0041")", "[\"a\"]"})
    CHECK_FALSE(read_string(none));
  CHECK(read_number("1300819380") == 1300819380.0);
  CHECK(read_number("-1.5e3") == -1500.0);
  for (const char* none : {"", "\"1\"", "01", "1.", "+1", "nan", "null", "true", "1x"})
    CHECK_FALSE(read_number(none));
}

}  // namespace leat::json

// An instance's options: what is read, what is refused, and where the blame points.
#include <catch2/catch_test_macros.hpp>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

Diagnostics create(const Value& options) {
  static auto library = load("wrapper");
  REQUIRE(library);
  auto instance = PluginInstance::create(**library, "tested", options);
  return instance ? Diagnostics() : instance.error();
}

void check_error(const Value& options, std::string_view message, uint32_t line, std::string_view hint = "") {
  const Diagnostics found = create(options);
  REQUIRE(found.size() == 1);
  INFO(found[0].message);
  CHECK(found[0].message.contains(message));
  CHECK(found[0].place.line == line);
  CHECK(found[0].hint == hint);
}

}  // namespace

TEST_CASE("plugin options: defaults hold for what is absent") {
  Site site("wrapper");
  CHECK(
      site.get("/settings").body ==
      R"({"greeting":"hello","factor":1.5,"loud":false,"count":3,"depth":0,"worker":100,"worker_greeting":"hello"})");
}

TEST_CASE("plugin options: values reach the plugin and its workers") {
  Site site("wrapper", table({entry("greeting", std::string("hi"), 1), entry("factor", 2.25, 2),
                              entry("loud", true, 3), entry("count", int64_t{9}, 4),
                              entry("nested", Value::Table{entry("depth", int64_t{4}, 6)}, 5)}));
  CHECK(
      site.get("/settings").body ==
      R"({"greeting":"hi","factor":2.25,"loud":true,"count":9,"depth":4,"worker":100,"worker_greeting":"hi"})");
}

TEST_CASE("plugin options: lists reach the plugin, and where there is none their defaults") {
  CHECK(Site("wrapper").get("/lists").body ==
        R"({"names":["nobody"],"ports":[80],"ratios":[],"flags":"","places":[]})");
  const auto list = [](auto... items) { return Value::Array{Value(std::move(items), Place{.line = 1})...}; };
  const Value::Table here{entry("name", std::string("here"), 6)};
  Site site("wrapper", table({entry("names", list(std::string("ann"), std::string("")), 1),
                              entry("ports", list(int64_t{1}, int64_t{65'535}), 2),
                              entry("ratios", list(0.5, int64_t{1}), 3), entry("flags", list(true, false), 4),
                              entry("places", list(here, Value::Table{}), 5)}));
  CHECK(
      site.get("/lists").body ==
      R"({"names":["ann",""],"ports":[1,65535],"ratios":[0.5,1.0],"flags":"10","places":["here","nowhere"]})");
  CHECK(Site("wrapper", table({entry("names", Value::Array{}, 1)}))
            .get("/lists")
            .body.contains(R"("names":[])"));
}

TEST_CASE("plugin options: what is wrong with an item of a list is reported at that") {
  const auto at = [](auto item, uint32_t line) { return Value(std::move(item), Place{.line = line}); };
  const auto ports = [&](auto... items) {
    return table({entry("ports", Value::Array{std::move(items)...}, 1)});
  };
  check_error(ports(at(int64_t{1}, 2), at(std::string("http"), 3)),
              "item 2 of `ports` is a whole number, not a string", 3);
  check_error(ports(at(int64_t{0}, 2), at(int64_t{1}, 3)), "item 1 of `ports` is 1 to 65535, not 0", 2);
  check_error(table({entry("ports", int64_t{80}, 4)}), "`ports` is a list, not an integer", 4);
  check_error(table({entry("names", Value::Array{at(int64_t{1}, 5)}, 4)}),
              "item 1 of `names` is text in quotes, not an integer", 5);
  check_error(table({entry("ratios", Value::Array{at(1.5, 5)}, 4)}), "item 1 of `ratios` is 0 to 1, not 1.5",
              5);
  check_error(table({entry("flags", Value::Array{at(int64_t{1}, 5)}, 4)}),
              "item 1 of `flags` is true or false, not an integer", 5);
  check_error(table({entry("places", Value::Array{at(true, 5)}, 4)}),
              "item 1 of `places` is a table, not a boolean", 5);
  check_error(table({entry("places", Value::Array{at(Value::Table{entry("nam", true, 6)}, 5)}, 4)}),
              "unknown key `nam`", 6, "did you mean `name`?");
}

TEST_CASE("plugin options: a wrong type or range is reported at its line") {
  check_error(table({entry("count", std::string("three"), 7)}), "`count` is a whole number, not a string", 7);
  check_error(table({entry("count", int64_t{10}, 8)}), "`count` is 1 to 9, not 10", 8);
  check_error(table({entry("factor", true, 9)}), "`factor` is a number, not a boolean", 9);
  check_error(table({entry("factor", 10.5, 9)}), "`factor` is 0 to 10, not 10.5", 9);
  check_error(table({entry("loud", int64_t{1}, 10)}), "`loud` is true or false, not an integer", 10);
  check_error(table({entry("greeting", int64_t{1}, 11)}), "`greeting` is text in quotes, not an integer", 11);
  check_error(table({entry("nested", int64_t{1}, 12)}), "`nested` is a table, not an integer", 12);
  check_error(table({entry("nested", Value::Table{entry("depth", int64_t{6}, 14)}, 13)}),
              "`depth` is 1 to 5, not 6", 14);
}

TEST_CASE("plugin options: an unknown key is reported with the closest one") {
  check_error(table({entry("greating", std::string("hi"), 3)}), "unknown key `greating`", 3,
              "did you mean `greeting`?");
  check_error(table({entry("nested", Value::Table{entry("dept", int64_t{1}, 5)}, 4)}), "unknown key `dept`",
              5, "did you mean `depth`?");
  check_error(table({entry("zzzzzz", int64_t{1}, 3)}), "unknown key `zzzzzz`", 3);
}

TEST_CASE("plugin options: all mistakes are reported at once") {
  CHECK(create(table({entry("count", int64_t{0}, 1), entry("loud", int64_t{0}, 2),
                      entry("extra", int64_t{0}, 3)}))
            .size() == 3);
}

TEST_CASE("plugin options: what the plugin objects to is reported at the key it names") {
  check_error(table({entry("greeting", std::string("forbidden"), 5)}), "plugin tested: is not a greeting", 5);
  // An exception has no key: the blame is the table's.
  check_error(table({entry("greeting", std::string("throw"), 5)}), "plugin tested: no such greeting", 100);
}

}  // namespace leat::plugin::test

// Names that are looked up by what they stand in.
#include "pipeline/name_table.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <random>
#include <string>
#include <utility>

namespace leat::pipeline {

TEST_CASE("name_table: a name is found where it was added, and nowhere else") {
  NameTable names;
  CHECK(names.find(0, "") == NameTable::kNone);
  names.add(1, "a", 10);
  names.add(2, "a", 20);
  names.add(1, "", 30);
  names.add(1, "a", 40);
  CHECK(names.find(1, "a") == 10);
  CHECK(names.find(2, "a") == 20);
  CHECK(names.find(1, "") == 30);
  CHECK(names.find(2, "") == NameTable::kNone);
  CHECK(names.find(3, "a") == NameTable::kNone);
  CHECK(names.find(1, "b") == NameTable::kNone);
  CHECK(names.find(1, std::string(1000, 'a')) == NameTable::kNone);
  CHECK(names.find(1, std::string_view("a\0", 2)) == NameTable::kNone);
}

TEST_CASE("name_table: as a map says it, of many names") {
  std::mt19937 random(7);
  const auto name = [&] { return "n" + std::to_string(random() % 2000); };
  NameTable names;
  std::map<std::pair<uint32_t, std::string>, uint32_t> expected;
  for (uint32_t i = 0; i < 3000; ++i) {
    const auto within = static_cast<uint32_t>(random() % 4);
    const std::string text = name();
    names.add(within, text, i);
    expected.emplace(std::pair(within, text), i);
  }
  for (uint32_t i = 0; i < 20'000; ++i) {
    const auto within = static_cast<uint32_t>(random() % 5);
    const std::string text = name();
    const auto found = expected.find({within, text});
    REQUIRE(names.find(within, text) == (found == expected.end() ? NameTable::kNone : found->second));
    // In another writing.
    NameTable::Hash hash(within);
    for (const char c : text) hash.add(c);
    REQUIRE(names.find(within, hash.value(), [&](std::string_view each) { return each == text; }) ==
            names.find(within, text));
  }
}

}  // namespace leat::pipeline

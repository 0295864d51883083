// Configurations damaged at random: whatever is left, the loader ends, says at least one thing of each file
// it refuses, and points into it.
#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>

#include "config/diagnostics.h"
#include "config/folder.h"

namespace leat::test {
namespace {

constexpr std::string_view kPieces[] = {"[",     "]",   "[[",   "]]",    "{",        "}",
                                        "\"",    "'''", "=",    ".",     ",",        "\n",
                                        "#",     "$",   "${",   "0x",    "-1",       "9999999999999999999",
                                        "1e999", "nan", "true", "route", "[server]", "include = '*'",
                                        "\t",    "\r",  "\\u",  "\x80",  "é"};

std::string damaged(std::string text, std::mt19937_64& random) {
  const auto below = [&](size_t limit) { return static_cast<size_t>(random() % std::max<size_t>(limit, 1)); };
  for (size_t times = 1 + below(4); times > 0; --times) {
    const size_t at = below(text.size());
    const size_t length = std::min(below(40), text.size() - at);
    switch (below(5)) {
      case 0:
        text.erase(at, length);
        break;
      case 1:
        text.insert(at, kPieces[below(std::size(kPieces))]);
        break;
      case 2:
        text.insert(below(text.size()), text.substr(at, length));
        break;
      case 3:
        if (at < text.size()) text[at] = static_cast<char>(below(256));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

TEST_CASE("random: no damage to a configuration is met without words, or with a crash") {
  const std::string whole = read_text(SOURCE_ROOT "/config/leat.toml");
  const auto lines = static_cast<uint32_t>(std::ranges::count(whole, '\n'));
  const uint64_t seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const Folder folder;
  size_t refused = 0;
  for (int i = 0; i < 500; ++i) {
    const std::string text = damaged(whole, random);
    folder.write("leat.toml", text);
    const config::LoadResult result = folder.load();
    INFO(text);
    CHECK(result.config.has_value() == !config::any_error(result.diagnostics));
    refused += result.config ? 0 : 1;
    for (const Diagnostic& each : result.diagnostics) {
      REQUIRE(each.place.file);
      CHECK(each.place.line <= lines + 200);
      CHECK(!each.message.empty());
    }
    const std::string rendered = config::render(result.diagnostics);
    CHECK(std::ranges::none_of(rendered, [](char c) { return c == '\r' || c == '\033' || c == '\0'; }));
  }
  // Most damage is a mistake; were none, the test would not reach what it is for.
  CHECK(refused > 100);
}

}  // namespace
}  // namespace leat::test

// The grammar of JSON by examples: corpus.txt, each judged by its category.
#include <catch2/catch_test_macros.hpp>
#include <charconv>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "json/support.h"
#include "json/valid.h"
#include "plugin/sdk/plugin_json.hpp"

namespace leat::test {
namespace {

// The text that a line stands for.
std::string expand(std::string_view text) {
  std::string bytes;
  while (!text.empty()) {
    if (text.starts_with("\\x") && text.size() >= 4) {
      unsigned value = 0;
      const auto [end, error] = std::from_chars(text.data() + 2, text.data() + 4, value, 16);
      REQUIRE(error == std::errc{});
      REQUIRE(end == text.data() + 4);
      bytes += static_cast<char>(value);
      text.remove_prefix(4);
      continue;
    }
    unsigned times = 0;
    const char* const last = text.data() + text.size();
    const auto [star, error] =
        text[0] == '{' ? std::from_chars(text.data() + 1, last, times) : std::from_chars_result{};
    if (text[0] == '{' && error == std::errc{} && star != last && *star == '*') {
      const auto begin = static_cast<size_t>(star + 1 - text.data());
      const size_t end = text.find('}', begin + 1);
      REQUIRE(end != std::string_view::npos);
      const std::string part = expand(text.substr(begin, end - begin));
      for (unsigned i = 0; i < times; ++i) bytes += part;
      text.remove_prefix(end + 1);
      continue;
    }
    bytes += text[0];
    text.remove_prefix(1);
  }
  return bytes;
}

struct Any {
  std::optional<int> none;
};
LEAT_JSON(Any, none);

// Whether a struct is read beside it.
bool decodes(const std::string& text) {
  const std::string body = "{\"other\":" + text + "}";
  try {
    Any any;
    Decoder(body, nullptr, nullptr).read(any);
    return true;
  } catch (const Decoder::Error& error) {
    CHECK(error.offset <= body.size());
    CHECK(!error.message.empty());
    return false;
  }
}

}  // namespace

TEST_CASE("json corpus: what must be taken is, what must be refused is, the rest as it says") {
  std::ifstream file(TEST_CORPUS);
  REQUIRE(file.is_open());
  std::map<std::string, int> counts;
  std::set<std::string> names;
  for (std::string line; std::getline(file, line);) {
    if (line.empty() || line[0] == '#') continue;
    const size_t first = line.find(' '), second = line.find(' ', first + 1);
    REQUIRE(second != std::string::npos);
    const std::string category = line.substr(0, first), name = line.substr(first + 1, second - first - 1);
    INFO(line.substr(0, 200));
    const std::string text = expand(std::string_view(line).substr(second + 1));
    REQUIRE((category == "y" || category == "n" || category == "i+" || category == "i-"));
    CHECK(json::is_json_value(text) == (category == "y" || category == "i+"));
    // The reader of structs keeps to the same grammar, less deep and without halves of surrogate pairs.
    if (category[0] != 'i' && !name.starts_with("depth_")) CHECK(decodes(text) == (category == "y"));
    // Another reader agrees about what is JSON.
    if (category == "y") CHECK(rapidjson_reads(text));
    CHECK(names.insert(name).second);
    ++counts[category];
  }
  CHECK(counts["y"] >= 80);
  CHECK(counts["n"] >= 150);
  CHECK(counts["i+"] + counts["i-"] >= 15);
}

TEST_CASE("json corpus: a text cut anywhere is refused, or was whole") {
  const std::string text = R"( {"a\u00e4" : [1.5e+3, true, false, null, "\ud83d\ude00 ä"], "b" : {} } )";
  const size_t end = text.find_last_of('}') + 1;
  for (size_t size = 0; size < text.size(); ++size)
    CHECK(json::is_json_value(text.substr(0, size)) == (size >= end));
}

}  // namespace leat::test

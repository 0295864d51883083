// The grammar of JSON by examples: corpus.txt, each judged by its category.
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "json/corpus.h"
#include "json/support.h"
#include "json/valid.h"
#include "plugin/sdk/plugin_json.hpp"

namespace leat::test {
namespace {

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
  std::map<std::string, int> counts;
  std::set<std::string> names;
  for (const auto& [category, name, text] : read_corpus(TEST_CORPUS)) {
    INFO(category << " " << name);
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

// Every kind of mistake with the words that Leat has for it. The cases stand in mistakes.txt, which explains
// its form; they go through the loader and the assembly with the demo plugin, as with `leat check`.
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "config/codes.h"
#include "config/diagnostics.h"
#include "config/folder.h"
#include "config/tls.h"
#include "pipeline/codes.h"
#include "server/assemble.h"

namespace leat::test {
namespace {

struct File {
  std::string name;
  std::string text;
};

struct Mistake {
  std::string name;
  std::vector<File> files;
  std::string rendered;
};

std::vector<Mistake> read_mistakes() {
  std::vector<Mistake> mistakes;
  std::istringstream input(read_text(CONFIG_TEST_DIR "/mistakes.txt"));
  std::string* into = nullptr;  // nowhere before the first case
  for (std::string line; std::getline(input, line);) {
    if (line.starts_with("=== ")) {
      mistakes.push_back({line.substr(4), {{"leat.toml", {}}}, {}});
      into = &mistakes.back().files.back().text;
    } else if (line.starts_with("@@@ ") && into != nullptr) {
      mistakes.back().files.push_back({line.substr(4), {}});
      into = &mistakes.back().files.back().text;
    } else if (line == "---" && into != nullptr) {
      into = &mistakes.back().rendered;
    } else if (into != nullptr) {
      *into += line + "\n";
    }
  }
  return mistakes;
}

std::string said_of(const Mistake& mistake) {
  const Folder folder;
  for (const File& file : mistake.files) folder.write(file.name, file.text);
  config::Config draft;
  config::LoadResult result = config::load(folder.path("leat.toml"), {}, nullptr, &draft);
  CHECK(result.config.has_value() == !config::any_error(result.diagnostics));
  config::load_certificates(result.config ? *result.config : draft, nullptr, false, result.diagnostics);
  plugin::PluginLibraries libraries;
  (void)server::assemble(result.config ? *result.config : draft, libraries, {DEMO_PLUGIN_DIR}, 1,
                         result.diagnostics);
  return folder.rendered(result.diagnostics);
}

TEST_CASE("mistakes: each is told in these words, at this place") {
  const Variable set("LEAT_TEST_SET", "something");
  const Variable empty("LEAT_TEST_EMPTY", "");
  const std::vector<Mistake> mistakes = read_mistakes();
  REQUIRE(mistakes.size() > 50);
  for (const Mistake& mistake : mistakes) {
    INFO("=== " << mistake.name);
    CHECK(said_of(mistake) == mistake.rendered);
  }
}

TEST_CASE("mistakes: the corpus has 150 configurations, no two of which are alike") {
  const std::vector<Mistake> mistakes = read_mistakes();
  CHECK(mistakes.size() >= 150);
  std::set<std::string> names, texts, said;
  for (const Mistake& mistake : mistakes) {
    INFO("=== " << mistake.name);
    std::string text;
    for (const File& file : mistake.files) text += "@@@ " + file.name + "\n" + file.text;
    CHECK(names.insert(mistake.name).second);
    CHECK(texts.insert(text).second);
    CHECK(said.insert(mistake.rendered).second);
  }
}

TEST_CASE("mistakes: each code of a configuration, a route and a middleware has a case") {
  std::string all;
  for (const Mistake& mistake : read_mistakes()) all += mistake.rendered;
  // Files that a text cannot hold: files_test.cc makes them. What takes middleware that is not Leat's own, or a
  // great deal of it, is with the tests of filters.
  // What is deprecated has no row of its own at times: the test of rows makes one.
  // What `leat check` and a reload find around the configuration is with the end-to-end tests.
  const std::set<int> elsewhere = {config::kNotText,       config::kTooLarge,        config::kCannotListen,
                                   config::kLogFile,       config::kPluginFolder,    config::kDeprecated,
                                   pipeline::kInsideCache, pipeline::kTooManyFilters};
  for (const config::Explanation& each : config::explanations()) {
    INFO(each.code << " " << each.title);
    if (each.code < 300 && !elsewhere.contains(each.code))
      CHECK(all.contains("[" + config::code_text(each.code) + "]"));
  }
}

}  // namespace
}  // namespace leat::test

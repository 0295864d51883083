// `leat explain` on the requests of explained.txt: exactly what is said of each. LEAT_EXPLAINED_OUT, if it is set, is a file that
// gets the same text with what is said now.
#include <catch2/catch_test_macros.hpp>
#include <cstdlib>
#include <fstream>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "config/folder.h"
#include "server/assemble.h"
#include "server/commands/explain.h"

namespace leat::test {
namespace {

// A site of one configuration.
struct ExplainedSite {
  explicit ExplainedSite(const std::string& text) {
    folder.write("leat.toml", text);
    config::LoadResult result = folder.load();
    INFO(folder.rendered(result.diagnostics));
    REQUIRE(result.config.has_value());
    settings = result.config->settings;
    auto made = server::assemble(*result.config, libraries, {}, 1, result.diagnostics);
    INFO(folder.rendered(result.diagnostics));
    REQUIRE(made.has_value());
    assembly.emplace(std::move(*made));
  }
  Folder folder;
  plugin::PluginLibraries libraries;
  config::Settings settings;
  std::optional<server::Assembly> assembly;
};

server::Question question_of(const std::string& line) {
  server::Question question;
  const size_t method = line.find(' ');
  question.method = line.substr(0, method);
  std::string rest = line.substr(method + 1);
  const auto cut = [&rest](std::string_view word) {
    const size_t at = rest.rfind(word);
    if (at == std::string::npos) return std::string();
    std::string value = rest.substr(at + word.size());
    rest.resize(at);
    return value;
  };
  for (std::string field = cut(" with "); !field.empty(); field = cut(" with "))
    question.fields.insert(question.fields.begin(), field);
  question.listener = cut(" by ");
  if (std::string from = cut(" from "); !from.empty()) question.from = from;
  question.url = rest;
  return question;
}

TEST_CASE("explain: each request is explained in these words") {
  std::istringstream input(read_text(CONFIG_TEST_DIR "/explained.txt"));
  std::string out, configuration, request, said;
  std::optional<ExplainedSite> site;
  size_t count = 0;
  const auto end_case = [&] {
    if (request.empty()) return;
    if (!site) site.emplace(configuration);
    const server::Question question = question_of(request);
    const auto told = server::explain(*site->assembly->site, site->settings, question);
    const std::string text = told ? *told : "error: " + told.error() + "\n";
    INFO(request);
    CHECK(said == text);
    out += "=== " + request + "\n" + text;
    // What is asked over the admin socket is the same.
    const auto again = server::Question::from_line(question.line());
    REQUIRE(again);
    CHECK(server::explain(*site->assembly->site, site->settings, *again) == told);
    ++count;
    request.clear();
    said.clear();
  };
  for (std::string line; std::getline(input, line);) {
    if (line.starts_with("### ")) {
      end_case();
      site.reset();
      configuration.clear();
      out += (site || count != 0 ? "\n" : "") + line + "\n";
    } else if (line.starts_with("=== ")) {
      end_case();
      request = line.substr(4);
    } else if (!request.empty()) {
      if (!line.empty()) said += line + "\n";
    } else {
      configuration += line + "\n";
      out += line + "\n";
      if (out.ends_with("up to the next.\n\n")) configuration.clear();
    }
  }
  end_case();
  CHECK(count >= 40);
  if (const char* file = std::getenv("LEAT_EXPLAINED_OUT")) std::ofstream(file) << out;
}

}  // namespace
}  // namespace leat::test

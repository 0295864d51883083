// The configurations that docs/middleware.md and docs/routes.md show: each is loaded and made as the daemon would, and has no mistake.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>
#include <vector>

#include "config/folder.h"
#include "middleware/kinds.h"
#include "server/assemble.h"

namespace leat::test {
namespace {

constexpr const char* kPage = SOURCE_ROOT "/docs/middleware.md";
constexpr const char* kRoutesPage = SOURCE_ROOT "/docs/routes.md";

// What stands between "```toml" and "```".
std::vector<std::string> blocks(const std::string& page) {
  constexpr std::string_view kBegin = "\n```toml\n", kEnd = "\n```\n";
  std::vector<std::string> all;
  for (size_t at = page.find(kBegin); at != std::string::npos; at = page.find(kBegin, at)) {
    at += kBegin.size();
    const size_t end = page.find(kEnd, at);
    REQUIRE(end != std::string::npos);
    all.push_back(page.substr(at, end - at) + "\n");
    at = end;
  }
  return all;
}

TEST_CASE("pages of middleware and routes: the configurations that they show have no mistakes") {
  const std::vector<std::string> all = blocks(read_text(GENERATE(kPage, kRoutesPage)));
  REQUIRE(!all.empty());
  for (const std::string& text : all) {
    INFO(text);
    const Folder folder;
    folder.write("leat.toml", text);
    config::LoadResult result = folder.load();
    REQUIRE(result.config.has_value());
    CHECK(!result.config->routes.empty());
    plugin::PluginLibraries libraries;
    const auto assembly =
        server::assemble(*result.config, libraries, {DEMO_PLUGIN_DIR}, 1, result.diagnostics);
    CHECK(folder.rendered(result.diagnostics).empty());
  }
}

TEST_CASE("middleware page: its sections are of kinds that there are") {
  const std::string page = read_text(kPage);
  for (size_t at = page.find("\n## `"); at != std::string::npos; at = page.find("\n## `", at + 1)) {
    const size_t from = at + 5;
    const std::string name = page.substr(from, page.find('`', from) - from);
    INFO(name);
    CHECK(std::ranges::contains(middleware::kinds(), name, &pipeline::MiddlewareKind::name));
  }
}

}  // namespace
}  // namespace leat::test

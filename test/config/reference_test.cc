// What people read: the reference page, the explanations, and the example configurations.
#include "config/reference.h"

#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>

#include "config/codes.h"
#include "config/folder.h"
#include "config/settings.h"
#include "pipeline/codes.h"
#include "plugin/codes.h"

namespace leat::test {
namespace {

TEST_CASE("reference: docs/configuration.md is what the tables say") {
  INFO("run: leat settings --markdown > docs/configuration.md");
  CHECK(read_text(SOURCE_ROOT "/docs/configuration.md") == config::reference_markdown());
}

TEST_CASE("reference: the page and the list for a terminal name every setting") {
  const std::string list = config::reference_text();
  for (const schema::Row& setting : config::settings()) {
    INFO(setting.name);
    CHECK(list.contains(std::string(setting.name) + " = " + schema::default_text(setting) + "\n"));
    CHECK(!setting.sentence.empty());
  }
}

TEST_CASE("codes: each has one explanation, with a title and a text") {
  std::set<int> known;
  for (const config::Explanation& each : config::explanations()) {
    INFO(each.code);
    CHECK(known.insert(each.code).second);
    CHECK(config::explain(each.code) == &each);
    CHECK(!each.title.empty());
    CHECK(each.text.ends_with('.'));
  }
  for (int code = config::kUnreadable; code <= config::kBadName; ++code) CHECK(known.contains(code));
  for (const int code :
       {pipeline::kBadPattern, pipeline::kDuplicateRoute, pipeline::kUnknownMethod, pipeline::kUnknownKind,
        pipeline::kUnknownMiddleware, pipeline::kOrderCycle, pipeline::kBadOption, pipeline::kDuplicateName})
    CHECK(known.contains(code));
  for (const int code : {plugin::kCannotLoad, plugin::kBadOption, plugin::kUnknownOption, plugin::kRefused,
                         plugin::kCannotBind})
    CHECK(known.contains(code));
  CHECK(config::explain(0) == nullptr);
  CHECK(config::code_text(config::kUnknownKey) == "LT0107");
}

TEST_CASE("examples: the configurations in the source tree have no mistakes") {
  const std::pair<const char*, size_t> files[] = {{SOURCE_ROOT "/config/leat.toml", 15},
                                                  {SOURCE_ROOT "/bench/leat.toml", 12}};
  for (const auto& [path, routes] : files) {
    const config::LoadResult result = config::load(path);
    INFO(path);
    CHECK(result.diagnostics.empty());
    REQUIRE(result.config.has_value());
    CHECK(result.config->plugins.size() == 1);
    CHECK(result.config->routes.size() == routes);
  }
}

}  // namespace
}  // namespace leat::test

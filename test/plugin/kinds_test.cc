// Kinds of middleware as a plugin declares them: what is wrong with one is said, and the plugin not loaded.
#include <catch2/catch_test_macros.hpp>

#include "plugin/harness.h"

namespace leat::plugin::test {

TEST_CASE("kinds: what a plugin declares is known, and copied") {
  const auto library = load("kind_0");
  REQUIRE(library);
  REQUIRE((*library)->middleware().size() == 2);
  CHECK((*library)->middleware()[1].name == "two");
  CHECK((*library)->middleware()[1].table.phase == LEAT_PHASE_LIMIT);
  CHECK((*library)->handlers().empty());
}

TEST_CASE("kinds: names, phases, sizes and callbacks that are none refuse the plugin") {
  for (const auto& [plugin, said] : std::vector<std::pair<std::string, std::string>>{
           {"kind_1", "number 2, `one`: there are two of that name"},
           {"kind_2", "`a:b` is not a name"},
           {"kind_3", "is not a name"},
           {"kind_4", "6 is not a phase"},
           {"kind_5", "number 2 lacks its struct_size"},
           {"kind_6", "lacks its struct_size"},
           {"kind_7", "larger than 64 KiB"},
           {"kind_8", "it has no callback"},
           {"kind_9", "sees no requests"},
           {"kind_10", "flags that this daemon does not know"},
           {"kind_11", "more than 256 kinds"},
           {"kind_12", "holds a control character"}}) {
    INFO(plugin);
    const auto library = load(plugin);
    REQUIRE_FALSE(library);
    CHECK(library.error().message.contains("its load() refused"));
    CHECK(library.error().message.contains(said));
  }
}

}  // namespace leat::plugin::test

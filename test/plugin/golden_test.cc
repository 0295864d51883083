// A plugin that was built when an interface version was new, on the host of today.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "plugin/harness.h"

namespace leat::plugin::test {

TEST_CASE("golden: a plugin built for version 1.0 answers as ever, and so does its source built today") {
  const bool kept = GENERATE(true, false);
#if !defined(__x86_64__)
  if (kept) SKIP("the binary that was kept is for x86-64");
#endif
  Site site(kept ? GOLDEN_PLUGIN : "golden", table({entry("size", int64_t{7}, 1)}));
  REQUIRE(site.route("tell", {"m", "n"}));
  const Answer told = site.get("/tell/1/two?q=a%2Bb", "Accept: text/html\r\n");
  CHECK(told.status == 200);
  CHECK(told.head.contains("X-Golden: 1.0\r\n"));
  CHECK(
      told.body ==
      R"({"method":"GET","n":"two","q":"a+b","accept":"text/html","size":7,"workers":1,"more":[0.5,true,null,{}]})");
  CHECK(site.post("/count", "0123456789").body == "10 bytes");
  CHECK(site.post("/count", std::string(1001, 'x')).status == 413);
  LogText log;
  CHECK(site.get("/chain").body == "waited, worked, completed");
  CHECK(log.take().contains("this host has no client"));
}

TEST_CASE("golden: what its configuration has wrong is said") {
  auto library = load("golden");
  REQUIRE(library);
  const auto refused = PluginInstance::create(**library, "golden", table({entry("size", int64_t{11}, 1)}));
  REQUIRE(!refused);
  CHECK(refused.error().front().message.contains("size"));
}

}  // namespace leat::plugin::test

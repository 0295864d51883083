// The test host as a plugin's author uses it.
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::testing {

TEST_CASE("test host: a plugin answers without a socket") {
  Host host(DEMO_PLUGIN, {.routes = {{"GET", "/json", "json"}}});
  const Reply reply = host.request("GET", "/json").send();
  CHECK(reply.status == 200);
  CHECK(reply.header("content-type") == "application/json");
  CHECK(reply.body == R"({"message":"Hello, World!"})");
  host.close();
  CHECK(host.problems().empty());
}

}  // namespace leat::testing

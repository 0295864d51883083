// Failing allocations, of the request's memory and of the heap, which takes a malloc of the program's own.
#include <leat/plugin.h>
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>
#include <leat/testhost_heap.hpp>

#include <map>

namespace leat::testing {

TEST_CASE("test host: each allocation of a request fails once, and the request is answered") {
  Host host(leat_plugin);
  const Request request = host.request("GET", "/allocate");
  CHECK(request.send().body == R"({"texts":4})");
  std::map<int, size_t> statuses;
  const size_t allocations = host.for_each_allocation(request, [&](const Reply& reply) {
    ++statuses[reply.status];
    CHECK_FALSE(reply.cut);
  });
  // The frame, four timers, four texts with what the vector grows by, the JSON and its sending.
  CHECK(allocations >= 12);
  CHECK(statuses[500] + statuses[503] == 2 * allocations);
  host.close();
  CHECK(host.problems() == std::vector<std::string>{});
}

TEST_CASE("test host: allocations fail from one on, until they are allowed again") {
  Host host(leat_plugin);
  const Request request = host.request("GET", "/allocate");
  host.fail_allocations_after(3);
  CHECK(request.send().status >= 500);
  CHECK(host.request("GET", "/allocate").send().status >= 500);
  host.allow_allocations();
  CHECK(request.send().status == 200);
  CHECK_FALSE(host.problems().empty());  // the log tells of both
}

TEST_CASE("test host: what the host allocates itself does not fail") {
  Host host(leat_plugin);
  host.fail_allocations_after(0);
  const std::string copy(1000, 'x');  // nor what the test does
  CHECK(host.request("GET", "/nowhere").send().status == 404);
  CHECK(copy.size() == 1000);
}

}  // namespace leat::testing

// Tests the plugin @NAME@ in this process, without a daemon or a socket. leat/testhost.hpp says what else a test can do:
// move the clock, have the client leave wherever a request waits.
//
//   test PLUGIN.so @NAME@.toml
#include <leat/testhost.hpp>

#include <cstdio>
#include <string>

namespace {

int failures = 0;

void check(bool holds, const char* what) {
  if (holds) return;
  std::printf("this does not hold: %s\n", what);
  ++failures;
}
#define CHECK(condition) check(condition, #condition)

}  // namespace

int main(int, char** arguments) {
  // Behind it every request is answered with its own body; {.behind = ...} is a function that answers otherwise.
  leat::testing::Host host(arguments[1], {.middleware = {{"key", "key = \"sesame\""}}});

  CHECK(host.request("GET", "/").send().status == 401);
  CHECK(host.request("GET", "/").send().header("X-Guarded-By") == "@NAME@");
  const auto with_key = host.request("POST", "/").header("X-API-Key", "sesame").body("hello");
  CHECK(with_key.send().body == "hello");
  CHECK(with_key.send().header("X-Guarded-By") == "@NAME@");

  // Wherever memory runs out, there is an answer.
  CHECK(host.for_each_allocation(with_key) > 0);
  host.close();
  for (const std::string& problem : host.problems()) check(false, problem.c_str());

  // As it is served.
  leat::testing::Host served(arguments[1], {.file = arguments[2]});
  CHECK(served.request("GET", "/metrics").send().status == 401);
  CHECK(served.request("GET", "/metrics").header("X-API-Key", "sesame").send().status == 200);
  return failures == 0 ? 0 : 1;
}

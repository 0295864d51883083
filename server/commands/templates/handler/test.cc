// Tests the plugin @NAME@ in this process, without a daemon or a socket. leat/testhost.hpp says what else a test can do:
// move the clock, answer for other servers, have the client leave wherever a handler waits.
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
  leat::testing::Host host(arguments[1], {.file = arguments[2]});

  CHECK(host.request("GET", "/hello/Ada").send().body == R"({"greeting":"Hello","name":"Ada","times":1})");
  CHECK(host.request("GET", "/hello/Ada?times=11").send().status == 400);

  // Wherever memory runs out, there is an answer.
  CHECK(host.for_each_allocation(host.request("GET", "/hello/Ada?times=3")) > 0);

  host.close();
  for (const std::string& problem : host.problems()) check(false, problem.c_str());
  return failures == 0 ? 0 : 1;
}

// A handler that keeps its worker's loop from turning is named in the log; others are not.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

std::string with_blocking(std::string_view warning) {
  Wanted wanted;
  wanted.server = "stall_warning = " + std::string(warning) + "\n";
  wanted.more = misuse_tables({"blocks"});
  return demo_configuration(wanted);
}

constexpr std::string_view kBlamed = "plugin misuse: handler blocks on route GET /blocks";

}  // namespace

TEST_CASE("stall: a handler that blocks is named with its plugin and route, a quick one is not") {
  // Longer than a busy machine keeps a thread waiting.
  Daemon daemon(with_blocking("\"400ms\""));
  Client client(daemon.address());
  for (int i = 0; i < 100; ++i) CHECK(client.ask(get("/json")).status == 200);
  CHECK(client.ask(get("/blocks?ms=1")).body == "at last");
  CHECK(client.ask(get("/blocks?ms=600")).body == "at last");
  CHECK(client.ask(get("/json")).status == 200);
  CHECK(daemon.logs(kBlamed));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  const std::string log = daemon.log();
  const size_t found = log.find("worker 0 was blocked for ");
  REQUIRE(found != std::string::npos);
  CHECK(log.substr(found, log.find('\n', found) - found).ends_with(std::string(" ms: ").append(kBlamed)));
  CHECK_FALSE(log.contains("has been blocked"));
  CHECK(log.find("was blocked", found + 20) == std::string::npos);
}

TEST_CASE("stall: a handler that does not come back is named while it hangs") {
  Daemon daemon(with_blocking("\"5ms\""));
  Client client(daemon.address());
  client.send(get("/blocks?ms=2500"));
  CHECK(daemon.logs(std::string(" s and still is: ").append(kBlamed)));
  CHECK(client.read_response().body == "at last");
  CHECK(daemon.logs("worker 0 was blocked for 2.5 s: " + std::string(kBlamed)));
}

TEST_CASE("stall: 0 turns the warnings off") {
  Daemon daemon(with_blocking("0"));
  Client client(daemon.address());
  CHECK(client.ask(get("/blocks?ms=100")).body == "at last");
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  CHECK_FALSE(daemon.log().contains("was blocked"));
}

}  // namespace leat::e2e

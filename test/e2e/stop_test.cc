// How the daemon ends: TERM drains, a second one stops at once, and the exit status tells what happened.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// An idle keep-alive connection is closed as soon as the daemon drains: how a peer can tell that it does.
class Canary {
 public:
  explicit Canary(const Daemon& daemon) : client_(daemon.address()) {
    REQUIRE(client_.ask(get("/json")).status == 200);
  }
  [[nodiscard]] bool saw_drain() { return client_.hung_up(); }

 private:
  Client client_;
};

// Sends a request that is still asleep when this returns.
void start_sleeping(Client& client, const Daemon& daemon, const std::string& ms) {
  client.send(get("/sleep/" + ms));
  // The daemon's one worker reads in order of arrival: what is answered now came after the sleeper.
  REQUIRE(Client(daemon.address()).ask(get("/json")).status == 200);
}

}  // namespace

TEST_CASE("stop: an idle daemon ends at TERM and at INT with status 0") {
  for (const int number : {SIGTERM, SIGINT, SIGQUIT}) {
    Daemon daemon(demo_configuration());
    Canary canary(daemon);
    daemon.signal(number);
    CHECK(canary.saw_drain());
    CHECK(daemon.wait() == 0);
    CHECK(Client::refused(daemon.address()));
  }
}

TEST_CASE("stop: a request in flight is finished, answered with Connection: close") {
  Daemon daemon(demo_configuration());
  Canary canary(daemon);
  Client sleeper(daemon.address());
  start_sleeping(sleeper, daemon, "700");
  daemon.signal(SIGTERM);
  CHECK(canary.saw_drain());
  CHECK(wait_until([&] { return Client::refused(daemon.address()); }));
  CHECK(daemon.running());
  const Response response = sleeper.read_response();
  CHECK(response.status == 200);
  CHECK(response.field("connection") == "close");
  CHECK(sleeper.hung_up());
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: an answer half sent is sent to its end") {
  Daemon daemon(demo_configuration());
  Canary canary(daemon);
  Client reader(daemon.address(), 16 * 1024);
  reader.send(get("/bytes/8388608"));
  REQUIRE_FALSE(reader.read_up_to(1).empty());
  daemon.signal(SIGTERM);
  CHECK(canary.saw_drain());
  CHECK(reader.read_to_end().size() > 8'388'608);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: a second TERM waits for nobody") {
  Daemon daemon(demo_configuration());
  Canary canary(daemon);
  Client sleeper(daemon.address());
  start_sleeping(sleeper, daemon, "60000");
  daemon.signal(SIGTERM);
  CHECK(canary.saw_drain());
  CHECK(daemon.running());
  daemon.signal(SIGTERM);
  CHECK(sleeper.hung_up());
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: draining ends at its deadline") {
  Daemon daemon(demo_configuration({.server = "drain_timeout = \"300ms\"\n"}));
  Client sleeper(daemon.address());
  start_sleeping(sleeper, daemon, "60000");
  daemon.signal(SIGTERM);
  CHECK(sleeper.hung_up());
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: HUP and USR1 do not end the daemon") {
  Daemon daemon(demo_configuration());
  Canary canary(daemon);
  daemon.signal(SIGUSR1);
  daemon.signal(SIGPIPE);
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  CHECK(daemon.running());
}

}  // namespace leat::e2e

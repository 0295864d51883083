// How the daemon ends: TERM drains, a second one stops at once, and the exit status tells what happened.
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <chrono>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

// A daemon that keeps no idle connection when it drains: a peer can tell by one that it does.
std::string at_once(const std::string& server = "") {
  return demo_configuration({.server = "drain_idle = \"0ms\"\n" + server});
}

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
    Daemon daemon(at_once());
    Canary canary(daemon);
    daemon.signal(number);
    CHECK(canary.saw_drain());
    CHECK(daemon.wait() == 0);
    CHECK(Client::refused(daemon.address()));
  }
}

TEST_CASE("stop: a request in flight is finished, answered with Connection: close") {
  Daemon daemon(at_once());
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
  Daemon daemon(at_once());
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
  Daemon daemon(at_once());
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
  Daemon daemon(at_once());
  Canary canary(daemon);
  daemon.signal(SIGUSR1);
  daemon.signal(SIGPIPE);
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  CHECK(daemon.running());
}

TEST_CASE("stop: a client that goes on asking while the daemon drains loses nothing and is told of the end") {
  for (const char* engine : kEngines) {
    Daemon daemon(demo_configuration({.server = std::string("engine = \"") + engine + "\"\n"}));
    std::vector<Client> clients;
    for (int i = 0; i < 16; ++i)
      CHECK(clients.emplace_back(daemon.address()).ask(get("/json")).status == 200);
    daemon.signal(SIGTERM);
    CHECK(daemon.logs("draining"));
    for (Client& client : clients) {
      // Plugins are told before the workers are: until then all goes on as before.
      std::string connection;
      CHECK(wait_until([&] {
        const Response response = client.ask(get("/json"));
        REQUIRE(response.status == 200);
        connection = response.field("connection").value_or("");
        return !connection.empty();
      }));
      CHECK(connection == "close");
      CHECK(client.hung_up());
    }
    CHECK(daemon.wait() == 0);
  }
}

TEST_CASE("stop: an idle connection is kept for drain_idle, and no longer") {
  Daemon daemon(demo_configuration({.server = "drain_idle = \"300ms\"\n"}));
  Client idle(daemon.address());
  CHECK(idle.ask(get("/json")).status == 200);
  const auto begin = std::chrono::steady_clock::now();
  daemon.signal(SIGTERM);
  CHECK(idle.hung_up());
  CHECK(std::chrono::steady_clock::now() - begin >= std::chrono::milliseconds(250));
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: who has connected and was not accepted yet is answered") {
  Wanted wanted;
  wanted.more = misuse_tables({"blocks"});
  Daemon daemon(demo_configuration(wanted));
  Client blocking(daemon.address());
  blocking.send(get("/blocks?ms=600"));
  CHECK(wait_until([&] { return blocking.read_some(0).empty(); }));
  std::vector<Client> waiting;  // in the kernel's backlog, with their requests
  for (int i = 0; i < 8; ++i) waiting.emplace_back(daemon.address()).send(get("/json"));
  daemon.signal(SIGTERM);
  CHECK(blocking.read_response().body == "at last");
  for (Client& client : waiting) CHECK(client.read_response().status == 200);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("stop: plugins are told of it, with the time that they have") {
  Wanted wanted;
  wanted.more = "[[plugin]]\nname = \"provider\"\nfile = \"" TEST_PLUGINS "/provider.so\"\n";
  Daemon daemon(demo_configuration(wanted));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  INFO(daemon.log());
  CHECK(daemon.log().contains("provider ann drains"));
}

TEST_CASE("stop: a handler that does not come back is ended, and named") {
  Wanted wanted{.server =
                    "drain_timeout = \"" + std::string(GENERATE("300ms", "60s")) + "\"\nstall_warning = 0\n"};
  wanted.more = misuse_tables({"blocks"});
  Daemon daemon(demo_configuration(wanted));
  Client client(daemon.address());
  Client other(daemon.address());
  CHECK(other.ask(get("/json")).status == 200);
  client.send(get("/blocks?ms=60000"));
  other.send(get("/json"));
  CHECK(other.read_some(200).empty());  // the only worker is kept from its loop
  daemon.signal(SIGTERM);
  if (wanted.server.contains("60s")) {
    CHECK(daemon.logs("draining"));
    daemon.signal(SIGTERM);
  }
  CHECK(daemon.wait() == 1);
  CHECK(daemon.log().contains("did not end in time in plugin misuse"));
}

TEST_CASE("stop: a log on stderr that nobody reads holds up neither requests nor the end") {
  const TempFolder folder;
  const std::string pipe = folder.path("pipe"), socket = folder.path("http");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const int reader = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  REQUIRE(reader >= 0);
  REQUIRE(::fcntl(reader, F_SETPIPE_SZ, 4096) >= 4096);
  Daemon::Options options{.listeners = 0};
  options.program = folder.write("run", "#!/bin/sh\nexec \"$LEAT_BINARY\" \"$@\" 2>" + pipe + "\n");
  REQUIRE(::chmod(options.program.c_str(), 0700) == 0);
  Daemon daemon(demo_configuration({.listen = {"unix:" + socket}}), options);
  REQUIRE(wait_until([&] { return !Client::refused("unix:" + socket); }));
  int queued = 0;
  REQUIRE(wait_until([&] {
    daemon.signal(SIGHUP);
    const int before = std::exchange(queued, 0);
    return ::ioctl(reader, FIONREAD, &queued) == 0 && queued == before && queued > 0;
  }));
  CHECK(Client("unix:" + socket).ask(get("/json")).status == 200);
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
  ::close(reader);
}

}  // namespace leat::e2e

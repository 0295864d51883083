// Crashes of the process that serves: nobody else is refused, the report names the culprit, and a plugin that
// crashes again and again is left out.
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

Wanted with_crashes(std::string server = {}) {
  Wanted wanted;
  wanted.server = std::move(server);
  wanted.more = "[[plugin]]\nname = \"broken\"\nfile = \"" TEST_PLUGINS
                "/crash.so\"\n"
                "[[route]]\npath = \"/segv\"\nhandler = \"broken:segv\"\n"
                "[[route]]\npath = \"/abort\"\nhandler = \"broken:aborts\"\n";
  return wanted;
}

void crash(const Daemon& daemon, const std::string& target) {
  Client client(daemon.address());
  client.send(get(target));
  CHECK(client.hung_up());
}

bool serves(const Daemon& daemon) { return Client(daemon.address()).ask(get("/json")).status == 200; }

}  // namespace

TEST_CASE("supervisor: after SIGKILL of the serving process the next connections are served") {
  Daemon daemon(demo_configuration());
  for (int i = 0; i < 3; ++i) {
    CHECK(serves(daemon));
    const int former = daemon.serving_pid();
    REQUIRE(former > 0);
    REQUIRE(kill(former, SIGKILL) == 0);
    CHECK_FALSE(Client::refused(daemon.address()));
    CHECK(serves(daemon));
    CHECK(wait_until([&] { return daemon.serving_pid() != former; }));
  }
  daemon.signal(SIGTERM);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("supervisor: a crash in a handler is reported with plugin, build id and route, and survived") {
  for (const std::string target : {"/segv", "/abort"}) {
    Daemon daemon(demo_configuration(with_crashes()));
    REQUIRE(serves(daemon));
    crash(daemon, target + "?secret=1");
    CHECK_FALSE(Client::refused(daemon.address()));
    CHECK(serves(daemon));
    INFO(daemon.log());
    CHECK(daemon.logs(target == "/segv" ? "crash: SIGSEGV at 0x0" : "crash: SIGABRT"));
    CHECK(daemon.logs("in plugin broken 1.0, build id "));
    CHECK(daemon.logs("on route GET " + target));
    CHECK(daemon.logs("for path " + target + "\n"));
    CHECK_FALSE(daemon.log().contains("secret"));
    CHECK_FALSE(daemon.log().contains("build id none"));
    CHECK(daemon.log().contains("leat-crash-"));  // a frame in the plugin's object
  }
}

TEST_CASE("supervisor: a plugin that crashes too often is quarantined, the rest serves") {
  Daemon daemon(demo_configuration(with_crashes("crash_limit = 2\n")));
  crash(daemon, "/segv");
  CHECK(serves(daemon));
  crash(daemon, "/abort");
  CHECK(serves(daemon));
  const Response response = Client(daemon.address()).ask(get("/segv"));
  CHECK(response.is_problem(503));
  CHECK(response.field("retry-after") == "60");
  CHECK(daemon.logs("plugin broken is quarantined"));
  CHECK(serves(daemon));
}

TEST_CASE("supervisor: a reload takes a quarantined plugin up again") {
  Daemon daemon(demo_configuration(with_crashes("crash_limit = 1\n")));
  crash(daemon, "/segv");
  REQUIRE(Client(daemon.address()).ask(get("/segv")).status == 503);
  daemon.signal(SIGHUP);
  REQUIRE(daemon.logs("generation 2 serves"));
  crash(daemon, "/segv");
  CHECK(serves(daemon));
  CHECK(Client(daemon.address()).ask(get("/segv")).status == 503);
}

TEST_CASE("supervisor: when it dies the process that serves is gone too") {
  Daemon daemon(demo_configuration());
  const int serving = daemon.serving_pid();
  REQUIRE(serving > 0);
  daemon.signal(SIGKILL);
  CHECK(daemon.wait() == 128 + SIGKILL);
  CHECK(wait_until([&] { return Client::refused(daemon.address()); }));
}

TEST_CASE("supervisor: without one, a crash ends the daemon by that signal") {
  Daemon daemon(demo_configuration(with_crashes("supervise = false\n")));
  CHECK(daemon.serving_pid() == 0);
  crash(daemon, "/segv");
  CHECK(daemon.wait() == 128 + SIGSEGV);
  CHECK(daemon.log().contains("in plugin broken 1.0"));
}

}  // namespace leat::e2e

// Bounds on how many requests a handler has at the same time, on the real daemon.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

std::string configuration(std::string_view plugin, std::string_view route) {
  return fmt::format(
      "[server]\nlisten = \"127.0.0.1:0\"\n[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS
      "/responses.so\"\n{}\n[[route]]\npath = \"/a\"\nhandler = \"r:make\"\n{}\n[[route]]\npath = \"/b\"\n"
      "handler = \"r:make\"\n[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n",
      plugin, route);
}

// How many of `count` clients are refused, each on a connection of its own, while all ask for `target`, which
// takes a while.
int refused(const Daemon& daemon, size_t count, std::string_view target) {
  int refusals = 0;
  for (Client& client : send_all(daemon.address(), count, get(target))) {
    const Response response = client.read_response();
    if (response.status == 200) continue;
    CHECK(response.is_problem(503));
    CHECK(response.field("retry-after") == "1");
    ++refusals;
  }
  return refusals;
}

}  // namespace

TEST_CASE("concurrency: a route's handler has no more requests than it may, on all workers together") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(configuration("", "concurrency = 3"),
                  {.arguments = {"--workers", "4", "--engine", engine}});
    for (int round = 0; round < 2; ++round) CHECK(refused(daemon, 10, "/a?wait=300") == 7);
    CHECK(refused(daemon, 10, "/b?wait=100") == 0);
    CHECK(Client(daemon.address()).ask(get("/a")).status == 200);
    CHECK(Client(daemon.address())
              .ask(get("/metrics"))
              .body.contains("leat_concurrency_refused_total{route=\"GET /a\"} 14\n"));
  }
}

TEST_CASE("concurrency: a plugin's handlers share its bound") {
  Daemon daemon(configuration("concurrency = 4", "concurrency = 2"), {.arguments = {"--workers", "2"}});
  CHECK(refused(daemon, 6, "/b?wait=1000") == 2);
  CHECK(refused(daemon, 6, "/a?wait=1000") == 4);
  CHECK(Client(daemon.address()).ask(get("/b")).status == 200);
}

TEST_CASE("concurrency: places come back however a request ends") {
  Daemon daemon(configuration("", "concurrency = 2"), {.arguments = {"--workers", "2"}});
  for (int round = 0; round < 20; ++round) {
    Client reset(daemon.address()), closed(daemon.address());
    reset.send(get("/a?wait=5000"));
    closed.send(get("/a?wait=20"));
    reset.reset();
    CHECK(closed.read_response().status == 200);
    REQUIRE(wait_until([&] { return refused(daemon, 2, "/a?wait=20") == 0; }));  // both
  }
  CHECK(refused(daemon, 5, "/a?wait=200") == 3);
}

TEST_CASE("concurrency: what the cache answers does not count") {
  Daemon daemon(configuration("", "concurrency = 1\n[route.cache]\nttl = \"1h\""),
                {.arguments = {"--workers", "2"}});
  CHECK(refused(daemon, 20, "/a?wait=100") == 0);
  CHECK(refused(daemon, 20, "/a?wait=100") == 0);
}

namespace {

std::string by_key(std::string_view options, std::string_view server = "") {
  return fmt::format(
      "[server]\nlisten = \"127.0.0.1:0\"\n{}\n[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS
      "/responses.so\"\n[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n[[route]]\npath = "
      "\"/a\"\nhandler = \"r:make\"\n[[route.middleware]]\nkind = \"concurrency\"\n{}\n",
      server, options);
}
std::string of_key(std::string_view key, std::string_view target) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: a\r\nX-Key: {}\r\n\r\n", target, key);
}
// How many of `count` that ask at once with that key are answered, and that the others are told so.
int admitted(const Daemon& daemon, size_t count, std::string_view key, std::string_view target) {
  int answered = 0;
  for (Client& client : send_all(daemon.address(), count, of_key(key, target))) {
    const Response response = client.read_response();
    if (response.status == 200) {
      ++answered;
      continue;
    }
    CHECK(response.is_problem(429));
    CHECK(response.field("retry-after") == "1");
  }
  return answered;
}
// So many that wait for a while, each with a place.
std::vector<Client> holding(const Daemon& daemon, size_t count, std::string_view key,
                            std::string_view target) {
  const auto given = [&] {
    return number_after(Client(daemon.address()).ask(get("/metrics")).body,
                        "\nleat_concurrency_requests_total{instance=\"concurrency\",result=\"admitted\"} ");
  };
  const int64_t before = given();
  std::vector<Client> clients = send_all(daemon.address(), count, of_key(key, target));
  REQUIRE(wait_until([&] { return given() == before + static_cast<int64_t>(count); }));
  return clients;
}
constexpr std::string_view kThreeOfAKey = "limit = 3\nkey = [\"header:X-Key\"]";

}  // namespace

TEST_CASE("concurrency by key: each has as many requests as it may, on all workers together") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(by_key(kThreeOfAKey), {.arguments = {"--workers", "2", "--engine", engine}});
    for (int round = 0; round < 2; ++round) CHECK(admitted(daemon, 10, "one", "/a?wait=500") == 3);
    std::vector<Client> others = holding(daemon, 3, "other", "/a?wait=2000");
    CHECK(admitted(daemon, 10, "one", "/a?wait=500") == 3);
    for (Client& each : others) CHECK(each.read_response().status == 200);
    CHECK(Client(daemon.address())
              .ask(get("/metrics"))
              .body.contains(
                  "leat_concurrency_requests_total{instance=\"concurrency\",result=\"limited\"} 21\n"));
  }
}

TEST_CASE("concurrency by key: places come back from who leaves while it waits, in good order or not") {
  Daemon daemon(by_key(kThreeOfAKey), {.arguments = {"--workers", "2"}});
  for (int round = 0; round < 10; ++round) {
    {
      std::vector<Client> leaving = holding(daemon, 3, "one", "/a?wait=60000");
      CHECK(admitted(daemon, 2, "one", "/a") == 0);
      leaving[0].reset();
    }
    REQUIRE(wait_until([&] { return admitted(daemon, 3, "one", "/a?wait=20") == 3; }));
  }
  CHECK(admitted(daemon, 8, "one", "/a?wait=500") == 3);
}

TEST_CASE("concurrency by key: what is under way stays counted over a reload, and is given back after it") {
  const TempFolder folder;
  const std::string admin = folder.path("admin");
  Daemon daemon(by_key(kThreeOfAKey, "admin_socket = \"" + admin + "\""), {.arguments = {"--workers", "2"}});
  std::vector<Client> before = holding(daemon, 2, "one", "/a?wait=5000");
  REQUIRE(run_leat({"reload", "--socket", admin}).status == 0);
  CHECK(admitted(daemon, 8, "one", "/a?wait=300") == 1);
  for (Client& each : before) CHECK(each.read_response().status == 200);
  CHECK(admitted(daemon, 8, "one", "/a?wait=300") == 3);
}

TEST_CASE("concurrency: what is wrong with it is said") {
  TempFolder folder;
  for (const char* bad :
       {"concurrency = 0", "concurrency = -1", "concurrency = \"many\"", "concurrency = 1.5"}) {
    INFO(bad);
    const Outcome route = run_leat({"check", "-c", folder.write("leat.toml", configuration("", bad))});
    CHECK(route.status == 78);
    CHECK(route.errors.contains("`concurrency`"));
    const Outcome plugin = run_leat({"check", "-c", folder.write("leat.toml", configuration(bad, ""))});
    CHECK(plugin.status == 78);
  }
}

}  // namespace leat::e2e

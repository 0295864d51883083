// More clients than there is room for: who gets a place, what the others are told, and that no client and no
// worker takes it all.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

Daemon::Options with_engine(const char* engine, const char* workers) {
  return {.arguments = {"--workers", workers, "--engine", engine}};
}

// A handler that tells on which worker it runs, one that keeps its worker from turning, and the counters.
std::string who_configuration(const std::string& listen) {
  Wanted wanted;
  wanted.listen = {listen};
  wanted.more = "[[plugin]]\nname = \"wrapper\"\nfile = \"" TEST_PLUGINS
                "/wrapper.so\"\n[[route]]\npath = \"/who\"\nhandler = \"wrapper:settings\"\n" +
                misuse_tables({"blocks"});
  return demo_configuration(wanted);
}

std::string worker_of(Client& client) {
  const std::string body = client.ask(get("/who")).body;
  const size_t at = body.find("\"worker\":");
  REQUIRE(at != std::string::npos);
  return body.substr(at + 9, 3);
}

// A 503 has come, which stays to be read.
bool is_refused(const Client& client) { return client.peek().starts_with("HTTP/1.1 503 "); }

}  // namespace

TEST_CASE("crowds: the clients of a unix socket are spread over the workers") {
  for (const char* engine : kEngines) {
    INFO(engine);
    const TempFolder folder;
    const std::string address = "unix:" + folder.path("leat.sock");
    Daemon daemon(who_configuration(address), with_engine(engine, "2"));
    REQUIRE((daemon.logs("worker 0: ") && daemon.logs("worker 1: ")));
    std::map<std::string, int> clients_of;
    std::vector<Client> clients;
    // One after the other, and many at once.
    for (int i = 0; i < 50; ++i) {
      clients.emplace_back(address);
      ++clients_of[worker_of(clients.back())];
    }
    for (int i = 0; i < 150; ++i) clients.emplace_back(address);
    for (size_t i = 50; i < clients.size(); ++i) ++clients_of[worker_of(clients[i])];
    CHECK(clients_of["100"] >= 80);
    CHECK(clients_of["101"] >= 80);
    CHECK(clients_of["100"] + clients_of["101"] == 200);
  }
}

TEST_CASE("crowds: a unix socket is served by more workers than wait for its clients") {
  const TempFolder folder;
  Wanted wanted{.listen = {"unix:" + folder.path("leat.sock")}};
  Daemon daemon(demo_configuration(wanted), with_engine("auto", "6"));
  const int serving = daemon.serving_pid();
  std::vector<Client> clients = send_all(daemon.address(), 12, get("/sleep/1500"));
  // Meanwhile the watchdog has looked whether the workers' sockets are still there.
  for (Client& client : clients) CHECK(client.read_response().status == 200);
  CHECK(daemon.serving_pid() == serving);
}

TEST_CASE("crowds: a worker that does not turn keeps no client of a unix socket waiting") {
  for (const char* engine : kEngines) {
    INFO(engine);
    const TempFolder folder;
    const std::string address = "unix:" + folder.path("leat.sock");
    Daemon daemon(who_configuration(address), with_engine(engine, "2"));
    REQUIRE((daemon.logs("worker 0: ") && daemon.logs("worker 1: ")));
    Client blocking(address);
    const std::string blocked = worker_of(blocking);
    blocking.send(get("/blocks?ms=1500"));
    // Long enough for it to be passed over.
    CHECK(blocking.read_some(300).empty());
    for (int i = 0; i < 20; ++i) {
      Client client(address);
      CHECK(worker_of(client) != blocked);
    }
    CHECK(blocking.read_some(0).empty());  // it still blocks
    CHECK(blocking.read_response().body == "at last");
  }
}

TEST_CASE("crowds: at the limit idle connections make room, and everyone gets an answer") {
  for (const char* engine : kEngines) {
    INFO(engine);
    const TempFolder folder;
    Wanted wanted;
    wanted.server = "admin_socket = \"" + folder.path("admin") + "\"";
    wanted.limits = "connections = 50\nconnections_per_address = 1000";
    Daemon daemon(demo_configuration(wanted), with_engine(engine, "1"));
    std::vector<Client> clients;
    for (int i = 0; i < 80; ++i) {
      clients.emplace_back(daemon.address());
      CHECK(clients.back().ask(get("/json")).status == 200);
    }
    // Who came first has been idle for the longest.
    CHECK(clients[0].hung_up());
    CHECK(clients[20].hung_up());
    CHECK(clients[79].ask(get("/json")).status == 200);
    const std::string text = run_leat({"metrics", "--socket", folder.path("admin")}).output;
    CHECK(number_after(text, "\nleat_connections_given_up_total ") == 30);
    CHECK(number_after(text, "\nleat_connections_turned_away_total ") == 0);
    CHECK(daemon.logs("limits.connections (50) is reached: 1 idle connection was closed"));
  }
}

TEST_CASE("crowds: at the limit with nobody idle those who come are answered 503, all of them") {
  for (const char* engine : kEngines) {
    INFO(engine);
    const TempFolder folder;
    Wanted wanted;
    wanted.server = "admin_socket = \"" + folder.path("admin") + "\"";
    wanted.limits = "connections = 50\nconnections_per_address = 1000";
    Daemon daemon(demo_configuration(wanted), with_engine(engine, "1"));
    std::vector<Client> busy = send_all(daemon.address(), 50, get("/sleep/3000"));
    std::vector<Client> late =
        send_all(daemon.address(), 80, with_body("POST", "/echo", std::string(5000, 'x')));
    for (Client& client : late) {
      const Response response = client.read_response();
      CHECK(response.status == 503);
      CHECK(response.field("retry-after") == "1");
    }
    const std::string text = run_leat({"metrics", "--socket", folder.path("admin")}).output;
    CHECK(number_after(text, "\nleat_connections_turned_away_total ") == 80);
    CHECK(daemon.logs("limits.connections (50) is reached and none is idle: a new one is answered 503"));
    for (Client& client : busy) CHECK(client.read_response().status == 200);
    CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
  }
}

TEST_CASE("crowds: one address leaves room for others, on all workers together") {
  Wanted wanted;
  wanted.listen = {"127.0.0.1:0"};
  wanted.limits = "connections = 20";  // of each of two: 30 for one address
  Daemon daemon(demo_configuration(wanted), with_engine("auto", "2"));
  const std::vector<Client> greedy = send_all(daemon.address(), 60, get("/sleep/4000"));
  const auto refused = [&] { return std::ranges::count_if(greedy, is_refused); };
  CHECK(wait_until([&] { return refused() >= 30; }));
  CHECK(refused() < 50);
  for (int i = 0; i < 5; ++i) {
    Client other(daemon.address(), 0, "127.0.0.2");
    CHECK(other.ask(get("/json")).status == 200);
  }
  CHECK(daemon.logs("127.0.0.1 has as many connections as one address may"));
}

TEST_CASE("crowds: an address that has all it may gets a new place for one that is idle") {
  Wanted wanted;
  wanted.limits = "connections_per_address = 4";
  Daemon daemon(demo_configuration(wanted));
  std::vector<Client> clients;
  for (int i = 0; i < 6; ++i) {
    clients.emplace_back(daemon.address());
    CHECK(clients.back().ask(get("/json")).status == 200);
  }
  CHECK(clients[0].hung_up());
  CHECK(clients[1].hung_up());
  CHECK(daemon.logs("an idle one was closed"));
  for (size_t i = 2; i < 6; ++i) CHECK(clients[i].ask(get("/json")).status == 200);
}

TEST_CASE("crowds: without descriptors idle connections make room, and where none is idle clients are told") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon::Options options = with_engine(engine, "1");
    options.descriptors = 100;
    Daemon daemon(demo_configuration(), options);
    std::vector<Client> idle;
    for (int i = 0; i < 150; ++i) {
      idle.emplace_back(daemon.address());
      CHECK(idle.back().ask(get("/json")).status == 200);
    }
    CHECK(daemon.logs("is reached: "));
    std::vector<Client> busy = send_all(daemon.address(), 110, get("/sleep/3000"));
    CHECK(wait_until([&] { return std::ranges::count_if(busy, is_refused) >= 8; }));
    CHECK(daemon.logs("answered 503"));
    busy.clear();
    idle.clear();
    CHECK(wait_until([&] {
      Client client(daemon.address());
      client.send(get("/json"));
      return client.read_some(2000).starts_with("HTTP/1.1 200 ");
    }));
  }
}

TEST_CASE(
    "crowds: a handler that fails a thousand times has a few lines in the log, and one that counts the "
    "rest") {
  Wanted wanted;
  wanted.more = misuse_tables({"throws"}) + "[log]\ncause_period = \"1s\"\n";
  Daemon daemon(demo_configuration(wanted));
  Client client(daemon.address());
  for (int i = 0; i < 1000; ++i) CHECK(client.ask(get("/throws")).status == 500);
  CHECK(daemon.logs(" more lines like this were left out: "));
  const std::string log = daemon.log();
  CHECK(std::count(log.begin(), log.end(), '\n') < 100);
}

}  // namespace leat::e2e

// executor = "pool" on the real daemon: handlers that block keep nobody waiting who does not need them.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <csignal>
#include <set>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

std::string route(std::string_view name, std::string_view more = "executor = \"pool\"\n") {
  return fmt::format("[[route]]\npath = \"/{0}\"\nmethods = [\"GET\", \"POST\"]\nhandler = \"b:{0}\"\n{1}",
                     name, more);
}

std::string configuration(std::string_view routes, std::string_view pool = "threads = 4\nqueue = 8") {
  return fmt::format(
      "[server]\nlisten = \"127.0.0.1:0\"\n[pool]\n{}\n[[middleware]]\nkind = \"request_id\"\n"
      "[[plugin]]\nname = \"b\"\nfile = \"" TEST_PLUGINS
      "/blocking.so\"\n{}{}{}[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n",
      pool, route("counts", ""), route("open", ""), routes);
}

int64_t count(const Daemon& daemon, std::string_view name) {
  return number_after(Client(daemon.address()).ask(get("/counts")).body, fmt::format("\"{}\":", name));
}

std::vector<Client> ask(const Daemon& daemon, size_t clients, std::string_view target) {
  return send_all(daemon.address(), clients, get(target));
}

}  // namespace

TEST_CASE("executor: handlers on the pool block, and their worker serves the others") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(configuration(route("wait")), {.arguments = {"--workers", "1", "--engine", engine}});
    std::vector<Client> clients = ask(daemon, 4, "/wait");
    CHECK(wait_until([&] { return count(daemon, "begun") == 4; }));
    for (int i = 0; i < 20; ++i) CHECK(Client(daemon.address()).ask(get("/counts")).status == 200);
    CHECK(count(daemon, "ended") == 0);
    CHECK(Client(daemon.address()).ask(get("/open")).status == 204);
    for (Client& client : clients) CHECK(client.read_response().body == "through");
  }
}

TEST_CASE("executor: when threads and queue are full clients are told to come again") {
  Daemon daemon(configuration(route("wait"), "threads = 2\nqueue = 3"), {.arguments = {"--workers", "2"}});
  std::vector<Client> running = ask(daemon, 2, "/wait");
  CHECK(wait_until([&] { return count(daemon, "begun") == 2; }));
  std::vector<Client> waiting = ask(daemon, 3, "/wait");
  const auto metric = [&](std::string_view line) {
    return Client(daemon.address()).ask(get("/metrics")).body.contains(line);
  };
  CHECK(wait_until([&] { return metric("leat_pool_queued 3\n"); }));
  for (int i = 0; i < 5; ++i) {
    const Response refused = Client(daemon.address()).ask(get("/wait"));
    CHECK(refused.is_problem(503));
    CHECK(refused.field("retry-after") == "1");
  }
  CHECK(metric("leat_executor_refused_total{route=\"GET,POST /wait\"} 5\n"));
  // Those that wait leave, and make room.
  for (Client& client : waiting) client.reset();
  CHECK(wait_until([&] { return metric("leat_pool_queued 0\n"); }));
  std::vector<Client> next = ask(daemon, 3, "/wait");
  CHECK(wait_until([&] { return metric("leat_pool_queued 3\n"); }));
  // Those that run leave, and learn it.
  for (Client& client : running) client.reset();
  CHECK(wait_until([&] { return count(daemon, "cancels_seen") == 2; }));
  CHECK(Client(daemon.address()).ask(get("/open")).status == 204);
  for (Client& client : next) CHECK(client.read_response().body == "through");
}

TEST_CASE("executor: an answer in pieces goes as fast as its client reads, and stops when it leaves") {
  for (const char* engine : kEngines) {
    INFO(engine);
    Daemon daemon(configuration(route("pieces")), {.arguments = {"--workers", "1", "--engine", engine}});
    const Response all =
        Client(daemon.address()).ask(get("/pieces?pieces=500&size=10000&length=false&cut=false"));
    CHECK(all.body.size() == 5'000'000);
    CHECK(all.body.ends_with(std::string(10'000, 'f')));  // the 500th
    CHECK(all.field("x-request-id").has_value());
    Client slow(daemon.address(), 4096);
    slow.send(get("/pieces?pieces=10000&size=10000&length=true&cut=false"));
    CHECK(slow.read_up_to(10'000).starts_with("HTTP/1.1 200"));
    slow.reset();
    CHECK(wait_until([&] { return count(daemon, "failed_writes") == 1; }));
    Client cut(daemon.address());
    cut.send(get("/pieces?pieces=3&size=10&length=false&cut=true"));
    CHECK_FALSE(cut.read_to_end().ends_with("0\r\n\r\n"));
  }
}

TEST_CASE("executor: the cache before a handler on the pool has it run once, and knows its tags") {
  Daemon daemon(configuration(route("count", "executor = \"pool\"\n[route.cache]\n") + route("purge")),
                {.arguments = {"--workers", "2"}});
  std::vector<Client> clients = ask(daemon, 20, "/count");
  std::set<std::string> ids;
  for (Client& client : clients) {
    const Response response = client.read_response();
    CHECK(response.body == "run 1");
    ids.insert(response.field("x-request-id").value_or(""));
  }
  CHECK(ids.size() == 20);  // what middleware has set is not stored
  const Response hit = Client(daemon.address()).ask(get("/count"));
  CHECK(hit.field("cache-status")->starts_with("leat; hit; ttl="));
  CHECK(Client(daemon.address()).ask(get("/purge")).status == 204);
  CHECK(Client(daemon.address()).ask(get("/count")).body == "run 2");
  CHECK(Client(daemon.address()).ask(get("/count")).body == "run 2");
  // What is stored is invalid once the handler has changed it, whether its client waits for that or not.
  Client gone(daemon.address());
  gone.send(with_body("POST", "/count?ms=200", ""));
  CHECK(gone.read_some(50).empty());
  gone.reset();
  CHECK(wait_until([&] { return Client(daemon.address()).ask(get("/count")).body == "run 4"; }));
}

TEST_CASE("executor: a reload waits for nobody, and what is on the pool ends with what it began with") {
  TempFolder folder;
  const auto write = [&](std::string_view routes) {
    std::string text = configuration(routes);
    text.insert(text.find('\n') + 1, "admin_socket = \"" + folder.path("admin") + "\"\n");
    return folder.write("leat.toml", text);
  };
  Daemon daemon(std::vector<std::string>{"run", "-c", write(route("sleep")), "--workers", "1"});
  std::vector<Client> clients = ask(daemon, 2, "/sleep?ms=1000");
  CHECK(wait_until([&] { return count(daemon, "begun") == 2; }));
  write(route("sleep") + route("nothing"));
  CHECK(run_leat({"reload", "--socket", folder.path("admin")}).status == 0);
  CHECK(Client(daemon.address()).ask(get("/nothing")).status == 204);
  for (Client& client : clients) CHECK(client.read_response().body == "slept");
}

TEST_CASE("executor: a place among those of `concurrency` is taken until the thread is through") {
  Daemon daemon(configuration(route("sleep", "executor = \"pool\"\nconcurrency = 1\n")),
                {.arguments = {"--workers", "1"}});
  Client first(daemon.address());
  first.send(get("/sleep?ms=2500"));
  CHECK(wait_until([&] { return count(daemon, "begun") == 1; }));
  first.reset();
  int refused = 0;
  const bool let_in = wait_until([&] {
    const int status = Client(daemon.address()).ask(get("/sleep?ms=0")).status;
    if (status == 503) ++refused;
    return status == 200;
  });
  CHECK(let_in);
  CHECK(refused > 0);
  CHECK(count(daemon, "ended") == 2);
}

TEST_CASE("executor: a stop waits for what is on the pool") {
  Daemon daemon(configuration(route("sleep")), {.arguments = {"--workers", "1"}});
  std::vector<Client> clients = ask(daemon, 3, "/sleep?ms=300");
  CHECK(wait_until([&] { return count(daemon, "begun") == 3; }));
  daemon.signal(SIGTERM);
  for (Client& client : clients) CHECK(client.read_response().body == "slept");
  CHECK(daemon.wait() == 0);
}

TEST_CASE("executor: what stands before a handler is listed with its route") {
  TempFolder folder;
  const std::string routes = route("count", "executor = \"pool\"\nconcurrency = 2\n[route.cache]\n");
  const Outcome listed = run_leat({"routes", "-c", folder.write("leat.toml", configuration(routes))});
  CHECK(listed.status == 0);
  CHECK(listed.output.contains("request_id > cache > concurrency > pool > b:count\n"));
}

TEST_CASE("executor: what is wrong with it is said") {
  TempFolder folder;
  const auto check = [&](std::string_view routes) {
    return run_leat({"check", "-c", folder.write("leat.toml", configuration(routes))});
  };
  CHECK(check(route("sleep")).status == 0);
  CHECK(check(route("sleep", "executor = \"worker\"\n")).status == 0);
  const Outcome unknown = check(route("sleep", "executor = \"thread\"\n"));
  CHECK(unknown.status == 78);
  CHECK(unknown.errors.contains("`executor` is \"worker\" or \"pool\""));
  CHECK(check(route("sleep", "executor = 1\n")).status == 78);
  const Outcome own = check("[[route]]\npath = \"/m\"\nhandler = \"leat:metrics\"\nexecutor = \"pool\"\n");
  CHECK(own.status == 78);
  CHECK(own.errors.contains("`executor` is for handlers of plugins"));
  for (const char* handler : {"task", "per_worker", "stream"}) {
    const Outcome refused = check(route(handler));
    CHECK(refused.status == 78);
    CHECK(refused.errors.contains("cannot run on the pool"));
  }
}

}  // namespace leat::e2e

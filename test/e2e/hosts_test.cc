// Hosts, groups and routes without a handler, on the daemon as it ships: by name and by listener, with the limits of a group, over
// a reload, and as metrics and the log tell of them.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

std::string ask(std::string_view host, std::string_view target, std::string_view fields = "") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n{}\r\n", target, host, fields);
}

constexpr std::string_view kHosts = R"(
[[host]]
names = ["example.org", "*.example.org"]

  [[host.route]]
  path = "/who"
  answer = {body = "org"}

  [[host.route]]
  path = "/old/{id}"
  redirect = "https://{host}/users/{id}{query}"
  status = 301

  [[host.route]]
  path = "/u/{id}"
  rewrite = "/users/{id}?limit=3"

  [[host.route]]
  path = "/users/{id}"
  handler = "demo:users"

[[host]]
names = ["example.net"]

  [[host.route]]
  path = "/who"
  answer = {status = 451, headers = ["Link: <https://example.net/why>; rel=blocked-by"]}
)";

}  // namespace

TEST_CASE("hosts: requests go by their name, and metrics tell hosts apart") {
  Daemon daemon(demo_configuration(
      {.more = std::string(kHosts) + "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n"}));
  Client client(daemon.address());
  CHECK(client.ask(ask("example.org", "/who")).body == "org");
  CHECK(client.ask(ask("www.EXAMPLE.org:8080", "/who")).body == "org");
  const Response blocked = client.ask(ask("example.net", "/who"));
  CHECK(blocked.is_problem(451));
  CHECK(blocked.field("link") == "<https://example.net/why>; rel=blocked-by");
  CHECK(client.ask(ask("example.com", "/who")).is_problem(404));
  CHECK(client.ask(ask("example.org", "/json")).is_problem(404));
  CHECK(client.ask(ask("example.com", "/json")).status == 200);

  const Response moved = client.ask(ask("www.example.org", "/old/7%2f8?a=b"));
  CHECK(moved.status == 301);
  CHECK(moved.field("location") == "https://www.example.org/users/7%2F8?a=b");
  const Response user = client.ask(ask("example.org", "/u/42?limit=9"));
  CHECK(user.status == 200);
  CHECK((user.body.contains("\"id\":42") && user.body.contains("\"limit\":3")));

  const std::string metrics = client.ask(ask("example.com", "/metrics")).body;
  CHECK(metrics.contains(R"(route="* example.org/who")"));
  CHECK(metrics.contains(R"(route="* example.net/who")"));
  CHECK(metrics.contains(R"(route="GET example.org/users/{id}")"));
}

TEST_CASE("hosts: the daemon that runs explains requests, and counts nothing for it") {
  const TempFolder folder;
  const std::string admin = folder.path("admin.sock");
  Daemon daemon(demo_configuration(
      {.server = fmt::format("admin_socket = \"{}\"\n", admin),
       .more = std::string(kHosts) + "[[middleware]]\nkind = \"rate_limit\"\nname = \"all\"\nrate = \"1/h\"\n"
                                     "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n"}));
  const auto explain = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "explain");
    arguments.insert(arguments.end(), {"--running", "--socket", admin});
    return run_leat(arguments);
  };
  for (int i = 0; i < 3; ++i) {
    const Outcome told =
        explain({"GET", "https://example.org/u/7", "-H", "Name: value", "--from", "192.0.2.1"});
    CHECK(told.status == 0);
    CHECK(told.output.contains("rewritten   /users/7?limit=3\n"));
    CHECK(told.output.contains("route       GET example.org/users/{id}\n"));
    CHECK(told.output.contains("counts it for 192.0.2.1"));
    CHECK(told.output.contains("handler     demo:users\n"));
  }
  CHECK(explain({"/json", "--json"}).output.contains(R"("route":"GET /json")"));
  CHECK(explain({"/nowhere"}).output.contains("404: no route leads there"));
  const Outcome refused = explain({"nowhere"});
  CHECK(refused.status == 1);
  CHECK(refused.errors.contains("neither a URL nor a path"));
  // Nothing was counted, so that the first request is let in.
  CHECK(Client(daemon.address())
            .ask(get("/metrics"))
            .body.contains("leat_rate_limit_requests_total{instance=\"all\",result=\"allowed\"} 1\n"));
}

TEST_CASE("hosts: one is kept to a listener") {
  const TempFolder folder;
  const std::string inner = "unix:" + folder.path("inner.sock");
  Daemon daemon(demo_configuration(
                    {.listen = {"127.0.0.1:0", inner},
                     .more = fmt::format("[[host]]\nlisteners = [\"{}\"]\n[[host.route]]\npath = \"/json\"\n"
                                         "answer = {{body = \"inner\"}}\n",
                                         inner)}),
                {.listeners = 2});
  Client outside(daemon.address());
  Client inside(inner);
  for (int i = 0; i < 20; ++i) {
    CHECK(outside.ask(get("/json")).body.contains("Hello"));
    CHECK(inside.ask(get("/json")).body == "inner");
    CHECK(inside.ask(get("/plaintext")).is_problem(404));
  }
}

TEST_CASE("hosts: a group's limits are for all of its routes") {
  Daemon daemon(demo_configuration({.more = R"(
[[group]]
prefix = "/g"
concurrency = 2
timeout = "300ms"
body_limit = 10

  [[group.route]]
  path = "/sleep/{ms}"
  handler = "demo:sleep"

  [[group.group]]
  prefix = "/deep"

    [[group.group.route]]
    path = "/sleep/{ms}"
    timeout = "1m"
    handler = "demo:sleep"

    [[group.group.route]]
    path = "/echo"
    method = "POST"
    handler = "demo:echo"
)"}));
  Client one(daemon.address()), other(daemon.address()), third(daemon.address());
  one.send(get("/g/deep/sleep/700"));
  other.send(get("/g/sleep/60000"));
  CHECK(other.read_response().is_problem(504));
  CHECK(one.read_response().status == 200);
  one.send(get("/g/deep/sleep/2000"));
  other.send(get("/g/deep/sleep/2000"));
  CHECK(wait_until([&] { return third.ask(get("/g/sleep/0")).status == 503; }));
  CHECK(one.read_response().status == 200);
  CHECK(other.read_response().status == 200);
  CHECK(third.ask(get("/g/sleep/0")).status == 200);
  CHECK(third.ask(with_body("POST", "/g/deep/echo", "0123456789")).body == "0123456789");
  CHECK(third.ask(with_body("POST", "/g/deep/echo", "01234567890")).is_problem(413));
}

TEST_CASE("hosts: a reload takes up hosts, and the file of an answer") {
  const TempFolder folder;
  const std::string admin = folder.path("admin.sock");
  const auto configuration = [&](std::string_view more) {
    return demo_configuration(
        {.server = fmt::format("admin_socket = \"{}\"\n", admin), .more = std::string(more)});
  };
  folder.write("page.txt", "first");
  constexpr std::string_view kPage =
      "[[host]]\nnames = [\"a.example\"]\n[[host.route]]\npath = \"/page\"\nanswer = "
      "{file = \"page.txt\", type = \"text/x-page\"}\n";
  const std::string file = folder.write("leat.toml", configuration(kPage));
  Daemon daemon({"run", "-c", file, "--workers", "1"});
  Client client(daemon.address());
  const Response first = client.ask(ask("a.example", "/page"));
  CHECK(first.body == "first");
  CHECK(first.field("content-type") == "text/x-page");
  folder.write("page.txt", "second");
  CHECK(client.ask(ask("a.example", "/page")).body == "first");
  CHECK(run_leat({"reload", "-c", file}).status == 0);
  CHECK(client.ask(ask("a.example", "/page")).body == "second");
  folder.write("leat.toml", configuration(std::string(kPage) + "[[host]]\nnames = [\"A.EXAMPLE\"]\n"));
  const Outcome refused = run_leat({"reload", "-c", file});
  CHECK(refused.status == 1);
  CHECK((refused.output + refused.errors).contains("two hosts have the name `A.EXAMPLE`"));
  CHECK(client.ask(ask("a.example", "/page")).body == "second");
}

TEST_CASE("hosts: a rewrite may give the parameter that a middleware takes away") {
  constexpr std::string_view kHash =
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";  // of "abc"
  Daemon daemon(demo_configuration(
      {.more =
           fmt::format("[[middleware]]\nkind = \"api_key\"\nname = \"k\"\nglobal = false\nquery = \"key\"\n"
                       "keys = [\"alice sha256:{}\"]\n"
                       "[[route]]\npath = \"/b\"\nmiddleware = [\"k\"]\nhandler = \"demo:json\"\n"
                       "[[route]]\npath = \"/x/{{key}}\"\nrewrite = \"/b?version=2&key={{key}}\"\n"
                       "[[route]]\npath = \"/y/{{key}}\"\nrewrite = \"/b?key={{key}}\"\n",
                       kHash)}));
  Client client(daemon.address());
  for (const char* target : {"/b?key=abc", "/x/abc", "/y/abc", "/x/abc?key=other", "/y/abc?a"}) {
    INFO(target);
    CHECK(client.ask(get(target)).status == 200);
  }
  for (const char* target : {"/b", "/x/other", "/y/a-much-longer-key-than-the-target-has"}) {
    INFO(target);
    CHECK(client.ask(get(target)).status == 401);
  }
}

TEST_CASE("hosts: what is stored for one route is never sent for another of the same path") {
  constexpr std::string_view kCache =
      "[route.cache]\nttl = \"1s\"\njitter = 0\nstale_while_revalidate = \"1h\"\n";
  std::string routes;
  const auto route = [&](std::string_view path, std::string_view answer, std::string_view when) {
    routes += fmt::format("[[route]]\npath = \"{}\"\nanswer = {{body = \"{}\"}}\n{}\n{}", path, answer,
                          when.empty() ? "" : fmt::format("when = {{{}}}", when), kCache);
  };
  route("/client", "near", R"(client = ["10.0.0.0/8"])");
  route("/client", "far", "");
  route("/header", "two", R"(header = ["X-Api: 2"])");
  route("/header", "one", "");
  Daemon daemon("[server]\nlisten = \"127.0.0.1:0\"\ntrusted_proxies = [\"127.0.0.1\"]\n" + routes,
                {.arguments = {"--workers", "1"}});
  Client client(daemon.address());
  const auto hit = [&](std::string_view target, std::string_view fields, std::string_view body) {
    for (int i = 0; i < 3; ++i) {
      const Response answer = client.ask(ask("a", target, fields));
      CHECK(answer.body == body);
      CHECK(answer.field("cache-status").value_or("").contains(i == 0 ? "fwd=uri-miss" : "hit"));
    }
  };
  hit("/client", "X-Forwarded-For: 10.1.2.3\r\n", "near");
  hit("/client", "X-Forwarded-For: 192.0.2.1\r\n", "far");
  hit("/header", "X-Api: 2\r\n", "two");
  hit("/header", "", "one");
  // Who is served what is stale has it made anew for the same route.
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto renewed = [&] {
    const Response answer = client.ask(ask("a", "/client", "X-Forwarded-For: 10.1.2.3\r\n"));
    CHECK(answer.body == "near");
    return answer.field("age") == "0";
  };
  CHECK_FALSE(renewed());
  CHECK(wait_until(renewed));
}

}  // namespace leat::e2e

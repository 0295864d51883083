// Middleware of plugins on the real daemon: what waits, what does not end, and what becomes of it when
// clients leave, configurations are replaced and processes end. What one does wrong with a single request is
// in the conformance list.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

// A route with a middleware of the plugin "bad" before it; `options` as in an inline table.
std::string route(std::string_view path, std::string_view handler, std::string_view kind,
                  std::string_view options = "", std::string_view method = "GET") {
  return fmt::format(
      "[[route]]\npath = \"{}\"\nmethod = \"{}\"\nhandler = \"{}\"\n"
      "middleware = [{{kind = \"bad:{}\"{}{}}}]\n",
      path, method, handler, kind, options.empty() ? "" : ", ", options);
}
std::string post(std::string_view kind, std::string_view options = "") {
  return route("/echo", "demo:echo", kind, options, "POST");
}

std::string configuration(std::string_view engine, std::string_view settings, std::string_view routes) {
  return fmt::format(
      "[server]\nlisten = \"127.0.0.1:0\"\nengine = \"{}\"\n{}\n"
      "[[plugin]]\nname = \"demo\"\nfile = \"demo.so\"\n"
      "[[plugin]]\nname = \"bad\"\nfile = \"{}/bad_middleware.so\"\n"
      "[[route]]\npath = \"/held\"\nhandler = \"bad:held\"\n{}",
      engine, settings, TEST_PLUGINS, routes);
}

Response ask(const Daemon& daemon, std::string_view target) {
  return Client(daemon.address()).ask(get(target));
}

// Requests that the kind "holds" has.
bool holds(const Daemon& daemon, int count) {
  const std::string wanted = fmt::format("{{\"held\":{}}}", count);
  return wait_until([&] { return ask(daemon, "/held").body == wanted; });
}

}  // namespace

TEST_CASE("middleware: one that never resumes is ended by the answer's timeout, and named") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "[limits]\nanswer_timeout = \"200ms\"\n",
                                    route("/json", "demo:json", "holds") + post("holds")));
  CHECK(ask(daemon, "/json").is_problem(504));
  CHECK(daemon.logs("plugin bad did not answer in time on GET /json"));
  // The body that it held is read over, so that the next request of that connection is served.
  Client client(daemon.address());
  CHECK(client.ask(with_body("POST", "/echo", std::string(10'000, 'x'))).is_problem(504));
  CHECK(client.ask(get("/json")).is_problem(504));
  CHECK(holds(daemon, 0));
}

TEST_CASE("middleware: a request that it holds ends when its client leaves") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "[limits]\nhalf_closed_timeout = \"200ms\"\n",
                                    route("/json", "demo:json", "holds") + post("holds")));
  Client first(daemon.address()), second(daemon.address()), third(daemon.address());
  first.send(get("/json"));
  second.send(with_body("POST", "/echo", std::string(100'000, 'x')));
  third.send(get("/json"));
  CHECK(holds(daemon, 3));
  first.reset();
  CHECK(holds(daemon, 2));
  second.reset();
  CHECK(holds(daemon, 1));
  third.half_close();
  CHECK(holds(daemon, 0));
}

TEST_CASE("middleware: a body that grows without end is cut for a client that is slow") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(
      configuration(engine, "[limits]\nmemory = \"16MiB\"\n", route("/json", "demo:json", "grows")));
  for (int i = 0; i < 3; ++i) {
    Client client(daemon.address(), 4096);
    client.send(get("/json"));
    // All that it ever gives is 64 MiB.
    CHECK(client.read_to_end().size() < 16'000'000);
  }
  CHECK(daemon.logs("plugin bad made more of an answer than its client took"));
  CHECK(ask(daemon, "/held").status == 200);
}

TEST_CASE("middleware: one that begins an answer by itself has the body read over that it held") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "", post("begins_late")));
  Client client(daemon.address());
  // More than sockets hold: somebody must read it.
  client.send(with_body("POST", "/echo", std::string(6'000'000, 'x')));
  CHECK(client.read_response().body == "late");
}

TEST_CASE("middleware: requests that wait at a reload go on with the configuration that they met") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(
      configuration(engine, "handover_timeout = 0\n",
                    route("/json", "demo:json", "naps", "ms = 600") + post("naps", "ms = 600")));
  Client plain(daemon.address()), streamed(daemon.address());
  plain.send(get("/json"));
  streamed.send(with_body("POST", "/echo", "a body"));
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
  CHECK(plain.read_response().status == 200);
  CHECK(streamed.read_response().body == "a body");
  CHECK(daemon.logs("generation 1 has ended"));
}

TEST_CASE("middleware: requests that wait for long when its plugin hands over its state are told so") {
  const Daemon daemon(
      configuration("auto", "handover_timeout = \"200ms\"\n",
                    route("/json", "demo:json", "naps", "ms = 60000") + post("naps", "ms = 60000")));
  Client plain(daemon.address()), streamed(daemon.address());
  plain.send(get("/json"));
  streamed.send(with_body("POST", "/echo", "a body"));
  daemon.signal(SIGHUP);
  const bool serves = daemon.logs("generation 2 serves");
  INFO(daemon.log());
  REQUIRE(serves);
  CHECK(plain.read_response().is_problem(503));
  CHECK(streamed.read_response().is_problem(503));
}

TEST_CASE("middleware: a request that waits for ever does not outlive the draining of its configuration") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, "drain_timeout = \"300ms\"\nhandover_timeout = 0\n",
                                    route("/json", "demo:json", "holds")));
  Client client(daemon.address());
  client.send(get("/json"));
  CHECK(holds(daemon, 1));
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
  CHECK(client.read_response().is_problem(503));
  CHECK(daemon.logs("generation 1 has ended"));
}

TEST_CASE("middleware: what one counts goes on over a reload with its plugin's state") {
  Daemon daemon(configuration("auto", "", route("/json", "demo:json", "tally")));
  const auto tally = [&] { return ask(daemon, "/json").field("x-tally").value_or(""); };
  CHECK(tally() == "1");
  CHECK(tally() == "2");
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
  CHECK(tally() == "3");
}

TEST_CASE("middleware: requests that wait when its plugin crashes end, and its routes are closed then") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(
      configuration(engine, "crash_limit = 1\n",
                    route("/json", "demo:json", "holds") + route("/exits", "demo:json", "exits")));
  Client waits(daemon.address()), exits(daemon.address());
  waits.send(get("/json"));
  CHECK(holds(daemon, 1));
  exits.send("GET /exits HTTP/1.1\r\nHost: test\r\nX-Exit: now\r\n\r\n");
  CHECK(exits.hung_up());
  CHECK(waits.hung_up());
  CHECK(daemon.logs("plugin bad has crashed 1 time: it is quarantined"));
  CHECK(wait_until([&] { return !Client::refused(daemon.address()); }));
  CHECK(ask(daemon, "/json").is_problem(503));
  CHECK(ask(daemon, "/exits").is_problem(503));
}

TEST_CASE("middleware: what is made anew in the background passes it, also where it waits") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(
      configuration(engine, "",
                    "[[plugin]]\nname = \"r\"\nfile = \"" TEST_PLUGINS "/responses.so\"\n" +
                        route("/made/{name}", "r:make", "naps") +
                        "[route.cache]\nttl = \"1h\"\nstale_while_revalidate = \"1h\"\njitter = 0\n"));
  const auto is_run = [&](std::string_view number) {
    return ask(daemon, "/made/a?ttl=50").body.starts_with(fmt::format("run {}", number));
  };
  CHECK(is_run("1"));
  CHECK(wait_until([&] { return is_run("2"); }));
  CHECK(wait_until([&] { return is_run("3"); }));
}

TEST_CASE("middleware: one that cannot be made is a mistake in the configuration") {
  const TempFolder folder;
  const std::string file =
      folder.write("leat.toml", configuration("auto", "", route("/json", "demo:json", "refuses")));
  const Outcome outcome = run_leat({"check", "-c", file});
  CHECK(outcome.status == 78);
  CHECK(outcome.errors.contains("plugin bad: middleware refuses: not here"));
}

}  // namespace leat::e2e

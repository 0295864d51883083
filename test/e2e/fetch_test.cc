// A plugin asks another server: one Leat asks a second one, over real sockets and both engines.
#include <fmt/core.h>
#include <signal.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"
#include "e2e/tls_files.h"

namespace leat::e2e {
namespace {

std::string asking(const std::string& upstream, const std::string& options = "",
                   const std::string& engine = "auto") {
  std::string text = fmt::format(
      "[server]\nlisten = [\"127.0.0.1:0\"]\nengine = \"{}\"\n[[plugin]]\nname = \"f\"\nfile = "
      "\"" TEST_PLUGINS "/fetches.so\"\n[plugin.config]\nupstream = \"{}\"\n{}",
      engine, upstream, options);
  for (const char* route : {"/pass/{rest...}", "/many/{count}", "/down", "/down_unhandled", "/late",
                            "/given_up", "/unfit", "/blocking/{how}", "/endless", "/at_work"}) {
    const std::string name(std::string_view(route).substr(1));
    text +=
        fmt::format("[[route]]\npath = \"{}\"\nhandler = \"f:{}\"\n", route, name.substr(0, name.find('/')));
  }
  return text + "[[route]]\npath = \"/post\"\nmethods = [\"POST\"]\nhandler = \"f:post\"\n";
}

std::string ask(const Daemon& daemon, const std::string& target) {
  return Client(daemon.address()).ask(get(target)).body;
}

}  // namespace

TEST_CASE("fetch: answers of all kinds come back whole") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon upstream(demo_configuration({.listen = {"127.0.0.1:0", "unix:/tmp/leat-fetch-test.sock"}}),
                        {.listeners = 2});
  for (const std::string& url :
       {"http://" + upstream.address(0), upstream.address(1), "h2c://" + upstream.address(0)}) {
    INFO(url);
    const Daemon daemon(asking(url, "", engine));
    CHECK(ask(daemon, "/pass/json") ==
          R"({"status":200,"type":"application/json","size":27,"body":"{\"message\":\"Hello, World!\"}"})");
    CHECK(ask(daemon, "/pass/nocontent") == R"({"status":204,"type":"none","size":0,"body":""})");
    CHECK(ask(daemon, "/pass/nowhere").contains(R"("status":404,"type":"application/problem+json")"));
    CHECK(ask(daemon, "/pass/bytes/1000000").contains(R"("size":1000000)"));
    CHECK(ask(daemon, "/pass/sleep/20").contains(R"("status":200)"));
    Client client(daemon.address());
    CHECK(client.ask("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello").body ==
          "text/plain: hello");
    CHECK(client.ask("POST /post HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").body == "text/plain: ");
  }
}

TEST_CASE("fetch: many at once share few connections, and keep their order") {
  const Daemon upstream(demo_configuration());
  const Daemon daemon(asking("http://" + upstream.address(), "connections = 3\n"));
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += std::to_string(i) + " ";
  CHECK(ask(daemon, "/many/200") == expected);
  const Daemon narrow(asking("http://" + upstream.address(), "connections = 1\nwaiting = 4\n"));
  CHECK(Client(narrow.address()).ask(get("/many/100")).is_problem(503));
  CHECK(ask(narrow, "/many/3") == "0 1 2 ");
}

TEST_CASE("fetch: by HTTP/2 all share a connection, in the clear and over TLS, unless they are not to") {
  const TlsFiles files({"localhost"});
  const TempFolder folder;
  setenv("SSL_CERT_FILE", files.authority().c_str(), 1);
  {
    const Wanted wanted{.more = tls_listener() + files.table() +
                                "[[middleware]]\nkind = \"access_log\"\nfile = \"" + folder.path("log") +
                                "\"\nformat = \"<{protocol}>\"\n"};
    const Daemon upstream(demo_configuration(wanted), {.listeners = 2});
    const std::string secure = upstream.address(1).substr(upstream.address(1).rfind(':'));
    std::string expected;
    for (int i = 0; i < 300; ++i) expected += std::to_string(i) + " ";
    const auto protocols = [&] {
      std::string all;
      for (int i = 0; i < 2; ++i)
        all = run_program("/bin/sh", {"-c", "sort -u " + folder.path("log")}).output;
      run_program("/bin/sh", {"-c", ": > " + folder.path("log")});
      return all;
    };
    for (const char* engine : {"io_uring", "epoll"})
      for (const std::string& url : {"h2c://" + upstream.address(0), "https://localhost" + secure}) {
        INFO(engine << " " << url);
        const Daemon daemon(asking(url, "", engine));
        CHECK(ask(daemon, "/many/300") == expected);
        CHECK(ask(daemon, "/pass/bytes/3000000").contains(R"("size":3000000)"));
        CHECK(ask(daemon, "/late").contains("no answer within 20 ms"));
        CHECK(ask(daemon, "/given_up") == "given up");
        CHECK(ask(daemon, "/many/20") == expected.substr(0, expected.find("20 ")));
      }
    // Lines come a little later; those of what was asked before may, too.
    const auto asks_by = [&](const Daemon& daemon, std::string_view line) {
      return wait_until([&] { return ask(daemon, "/pass/json").contains("Hello") && protocols() == line; });
    };
    const Daemon newest(asking("https://localhost" + secure));
    CHECK(asks_by(newest, "<HTTP/2.0>\n"));
    const Daemon older(asking("https://localhost" + secure, "protocol = 1\n"));
    CHECK(asks_by(older, "<HTTP/1.1>\n"));
    const Daemon newer(asking("http://" + upstream.address(0), "protocol = 2\n"));
    CHECK(asks_by(newer, "<HTTP/2.0>\n"));
  }
  unsetenv("SSL_CERT_FILE");
}

TEST_CASE("fetch: where no answer comes the plugin learns why, and the client gets 502 or 504") {
  const Daemon upstream(demo_configuration());
  const Daemon daemon(asking("http://" + upstream.address(), "body_bytes = 1000\n"));
  CHECK(ask(daemon, "/down") == "-8 cannot connect to http://127.0.0.1:1: Connection refused");
  CHECK(Client(daemon.address()).ask(get("/down_unhandled")).is_problem(502));
  CHECK(ask(daemon, "/late") == "-7 http://" + upstream.address() + ": no answer within 20 ms");
  CHECK(ask(daemon, "/given_up") == "given up");
  CHECK(Client(daemon.address()).ask(get("/pass/bytes/1001")).is_problem(502));
  CHECK(ask(daemon, "/pass/bytes/1000").contains(R"("size":1000)"));
  CHECK(Client(daemon.address()).ask(get("/unfit")).is_problem(500));
  CHECK(daemon.logs("the target has white space, a control character or a fragment"));
}

TEST_CASE("fetch: a client that leaves takes its fetch along, and the daemon stops with fetches under way") {
  const Daemon upstream(demo_configuration());
  Daemon daemon(asking("http://" + upstream.address(), "connections = 1\n"));
  for (int i = 0; i < 20; ++i) {
    Client client(daemon.address());
    client.send(get("/pass/sleep/60000"));
    client.reset();
  }
  // Its one connection is free again.
  CHECK(ask(daemon, "/pass/json").contains(R"("status":200)"));
  Client waits(daemon.address());
  waits.send(get("/pass/sleep/60000"));
  CHECK(ask(daemon, "/down").starts_with("-8"));  // it has begun by now
  daemon.signal(SIGINT);
  CHECK(daemon.wait() == 0);
}

TEST_CASE("fetch: an upstream that restarted is asked again over a new connection") {
  TempFolder folder;
  const std::string socket = "unix:" + folder.path("up.sock");
  auto upstream = std::make_unique<Daemon>(demo_configuration({.listen = {socket}}));
  const Daemon daemon(asking(socket));
  CHECK(ask(daemon, "/pass/json").contains(R"("status":200)"));
  upstream->signal(SIGTERM);
  CHECK(upstream->wait() == 0);
  CHECK(Client(daemon.address()).ask(get("/pass/json")).is_problem(502));
  upstream = std::make_unique<Daemon>(demo_configuration({.listen = {socket}}));
  CHECK(ask(daemon, "/pass/json").contains(R"("status":200)"));
}

TEST_CASE("fetch: what is wrong with an upstream is said at its line") {
  const TempFolder folder;
  for (const auto& [url, why] :
       {std::pair("https://a:0", "`0` is not a port"), std::pair("ftp://a", "an upstream is http://"),
        std::pair("http://a/b", "paths belong to its requests"), std::pair("http://:80", "`` is not a host"),
        std::pair("http://a:0", "`0` is not a port"), std::pair("http://a:b", "`b` is not a port"),
        std::pair("http://[::1", "has no `]`"), std::pair("unix:", "the path of a unix socket has"),
        std::pair("http://no-such-host.invalid", "has no address")}) {
    const Outcome outcome = run_leat({"check", "-c", folder.write("leat.toml", asking(url))});
    INFO(url << "\n" << outcome.errors);
    CHECK(outcome.status == 78);
    CHECK(outcome.errors.contains(why));
    CHECK(outcome.errors.contains("leat.toml:8:"));
  }
}

TEST_CASE("blocking: work on the pool returns, throws, and learns that nobody waits") {
  const Daemon daemon(asking("http://127.0.0.1:1"));
  CHECK(ask(daemon, "/blocking/it") == "worked on it");
  CHECK(Client(daemon.address()).ask(get("/blocking/throw")).is_problem(409));
  {
    Client client(daemon.address());
    client.send(get("/endless"));
    CHECK(wait_until([&] { return ask(daemon, "/at_work") == R"({"working":1})"; }));
    client.reset();
  }
  CHECK(wait_until([&] { return ask(daemon, "/at_work") == R"({"working":0})"; }));
}

}  // namespace leat::e2e

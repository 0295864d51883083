// A plugin that breaks every promise, in the real daemon: its clients get an error, all others their answers.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

Wanted with_misuse(const std::vector<std::string_view>& handlers) {
  Wanted wanted;
  wanted.more = misuse_tables(handlers);
  return wanted;
}

}  // namespace

TEST_CASE("misuse: a plugin that throws or never answers gets its clients a 500, and nobody else") {
  const std::vector<std::string_view> handlers = {
      "throws",        "throws_a_number", "throws_when_resumed", "done_without_answer",
      "never_answers", "no_verdict"};
  Daemon daemon(demo_configuration(with_misuse(handlers)));
  Client other(daemon.address());
  for (const std::string_view handler : handlers) {
    INFO(handler);
    Client client(daemon.address());
    CHECK(client.ask(get("/" + std::string(handler))).is_problem(500));
    CHECK(other.ask(get("/json")).status == 200);
    // The same connection goes on as well: only the request failed.
    CHECK(client.ask(get("/plaintext")).body == "Hello, World!");
  }
  CHECK(daemon.logs(
      "plugin misuse: handler throws on route GET /throws: threw an exception: a broken promise"));
}

TEST_CASE("misuse: a handler that takes memory without end gets its client a 503, and nobody else") {
  Wanted wanted = with_misuse({"hoards"});
  wanted.limits = "request_memory = \"4MiB\"\n";
  Daemon daemon(demo_configuration(wanted));
  Client other(daemon.address());
  Client client(daemon.address());
  for (int i = 0; i < 20; ++i) {
    CHECK(client.ask(get("/hoards")).is_problem(503));
    CHECK(other.ask(get("/json")).status == 200);
  }
  CHECK(client.ask(get("/plaintext")).body == "Hello, World!");
  CHECK(
      daemon.logs("plugin misuse: handler hoards on route GET /hoards: failed when memory was refused to it: "
                  "limits.request_memory"));
}

TEST_CASE("misuse: a request that its handler leaves for too long is a 504, named in the log") {
  Wanted wanted;
  wanted.limits = "answer_timeout = \"50ms\"\n";
  Daemon daemon(demo_configuration(wanted));
  Client client(daemon.address());
  CHECK(client.ask(get("/sleep/60000")).is_problem(504));
  CHECK(client.ask(get("/json")).status == 200);
  CHECK(daemon.logs("plugin demo did not answer in time on GET /sleep/{ms} "));
}

TEST_CASE("misuse: of two answers to a request the first is sent, once") {
  Daemon daemon(demo_configuration(with_misuse({"twice"})));
  Client client(daemon.address());
  client.send(get("/twice") + get("/twice") + get("/json"));
  CHECK(client.read_response().body == "once");
  CHECK(client.read_response().body == "once");
  CHECK(client.read_response().body == R"({"message":"Hello, World!"})");
}

TEST_CASE("misuse: a failing plugin under load leaves every other request its answer") {
  Daemon daemon(demo_configuration(with_misuse({"throws"})));
  // On the second thread nothing may assert: Catch2 is not made for that.
  Client failing_client(daemon.address());
  std::thread failing([&] {
    for (int i = 0; i < 500; ++i)
      if (!failing_client.try_send(get("/throws")) || failing_client.try_read_body().empty()) break;
  });
  Client client(daemon.address());
  bool good = true;
  for (int i = 0; i < 500; ++i) good = good && client.ask(get("/json")).status == 200;
  failing.join();
  CHECK(good);
}

}  // namespace leat::e2e

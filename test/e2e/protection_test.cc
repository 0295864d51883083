// What protects the daemon's routes from who asks: with several workers, over reloads, behind a proxy, and as curl, which
// does what answers tell it, sees it.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <string>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

constexpr std::string_view kMetrics = "[[route]]\npath = \"/metrics\"\nhandler = \"leat:metrics\"\n";

std::string with(std::string_view middleware, std::string_view server = {}) {
  return demo_configuration(
      {.server = std::string(server), .limits = {}, .more = fmt::format("{}\n{}", middleware, kMetrics)});
}

std::string from(std::string_view client, std::string_view target = "/plaintext") {
  return fmt::format("GET {} HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: {}\r\n\r\n", target, client);
}

int status_of(const Daemon& daemon, const std::string& request) {
  return Client(daemon.address()).ask(request).status;
}

}  // namespace

TEST_CASE("rate_limit: all workers count together, and a reload forgets nothing") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(with("[[middleware]]\nkind = \"rate_limit\"\nname = \"all\"\nrate = \"10/h\"\n",
                           fmt::format("engine = \"{}\"\n", engine)),
                      {.arguments = {"--workers", "2"}});
  int allowed = 0, limited = 0;
  for (int i = 0; i < 20; ++i) {
    const Response response = Client(daemon.address()).ask(get("/plaintext"));
    allowed += response.status == 200 ? 1 : 0;
    if (response.status == 200) continue;
    ++limited;
    CHECK(response.is_problem(429));
    CHECK(response.field("ratelimit-policy") == "\"all\";q=10;w=3600");
    CHECK(response.field("retry-after") ==
          response.field("ratelimit")->substr(std::string("\"all\";r=0;t=").size()));
  }
  CHECK(allowed == 10);
  CHECK(limited == 10);
  daemon.signal(SIGHUP);
  CHECK(daemon.logs("generation 2 serves"));
  CHECK(status_of(daemon, get("/plaintext")) == 429);
}

TEST_CASE("rate_limit: what it let in and what not is counted") {
  const Daemon daemon(with("[[middleware]]\nkind = \"rate_limit\"\nrate = \"2/h\"\nkey = \"route\"\n"));
  for (const int status : {200, 200, 429, 429, 429}) CHECK(status_of(daemon, get("/plaintext")) == status);
  const std::string metrics = Client(daemon.address()).ask(get("/metrics")).body;
  CHECK(number_after(metrics,
                     "leat_rate_limit_requests_total{instance=\"rate_limit\",result=\"limited\"} ") == 3);
  CHECK(number_after(metrics,
                     "leat_rate_limit_requests_total{instance=\"rate_limit\",result=\"allowed\"} ") == 3);
  CHECK(number_after(metrics, "leat_rate_limit_evicted_total{instance=\"rate_limit\"} ") == 0);
}

TEST_CASE("rate_limit: clients behind a trusted proxy are told apart, and nobody else can say who it is") {
  constexpr std::string_view kLimit = "[[middleware]]\nkind = \"rate_limit\"\nrate = \"1/h\"\n";
  SECTION("a trusted one") {
    const Daemon daemon(with(kLimit, "trusted_proxies = \"127.0.0.1\"\n"));
    CHECK(status_of(daemon, from("192.0.2.1")) == 200);
    CHECK(status_of(daemon, from("192.0.2.2")) == 200);
    CHECK(status_of(daemon, from("192.0.2.1")) == 429);
    CHECK(status_of(daemon, from("::ffff:192.0.2.1")) == 429);
    CHECK(status_of(daemon, from("192.0.2.9, 192.0.2.2")) ==
          429);  // what the client had said before is nothing
    CHECK(status_of(daemon, from("2001:db8::1")) == 200);
    CHECK(status_of(daemon, from("2001:db8::2")) == 429);
  }
  SECTION("somebody") {
    const Daemon daemon(with(kLimit));
    CHECK(status_of(daemon, from("192.0.2.1")) == 200);
    CHECK(status_of(daemon, from("192.0.2.2")) == 429);
  }
}

TEST_CASE("rate_limit: curl comes again when it is told to, and is let in") {
  const auto curl = [](const char* rate, const char* retries) {
    const Daemon daemon(with(fmt::format("[[middleware]]\nkind = \"rate_limit\"\nrate = \"{}\"\n", rate)));
    const std::string url = fmt::format("http://{}/plaintext", daemon.address());
    return run_program("/usr/bin/env",
                       {"curl", "-s", "-w", "=%{http_code};", "--retry", retries, url, url, url});
  };
  const Outcome without = curl("1/h", "0");
  CHECK(without.status == 0);
  INFO(without.output);
  CHECK(without.output.contains("=200;"));
  CHECK(without.output.contains("=429;"));
  const Outcome with_retries = curl("1/s", "5");
  INFO(with_retries.output);
  CHECK(with_retries.output.contains("=200;"));
  CHECK(!with_retries.output.contains("=429;"));
}

TEST_CASE("access: rules go by the client that a trusted proxy names, and a reload takes up others") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const std::string rules =
      "[[middleware]]\nkind = \"access\"\nrules = [{action = \"allow\", client = [\"192.0.2.0/24\", "
      "\"2001:db8::/32\"]}]\n";
  const std::string server = fmt::format("engine = \"{}\"\n", engine);
  SECTION("behind a proxy") {
    const Daemon daemon(with(rules, server + "trusted_proxies = \"127.0.0.1\"\n"));
    CHECK(status_of(daemon, from("192.0.2.1")) == 200);
    CHECK(status_of(daemon, from("::ffff:192.0.2.1")) == 200);
    CHECK(status_of(daemon, from("2001:db8:1::1")) == 200);
    CHECK(Client(daemon.address()).ask(from("198.51.100.1")).is_problem(403));
    CHECK(status_of(daemon, from("192.0.2.1, 198.51.100.1")) == 403);
    CHECK(status_of(daemon, from("unknown")) == 403);
    CHECK(status_of(daemon, from("198.51.100.1", "/nowhere")) == 403);
    CHECK(status_of(daemon, from("192.0.2.1", "/nowhere")) == 404);
  }
  SECTION("who says it without being one") {
    const Daemon daemon(with(rules, server));
    CHECK(status_of(daemon, from("192.0.2.1")) == 403);
    CHECK(status_of(daemon, get("/plaintext")) == 403);
  }
  SECTION("spellings of a path") {
    // Only one route has the rules, and no spelling of its path leads around them.
    const Daemon daemon(
        with("[[route]]\npath = \"/secret\"\nhandler = \"leat:health\"\nmiddleware = [{kind = \"access\"}]\n",
             server));
    for (const char* path : {"/secret", "/secre%74", "/%73ecret", "//secret", "/./secret", "/a/../secret",
                             "/secret/", "/secret?x", "/secret%00", "/SECRET"}) {
      INFO(path);
      CHECK(status_of(daemon, get(path)) != 200);
    }
    CHECK(status_of(daemon, get("/secret")) == 403);
    CHECK(status_of(daemon, get("/secre%74")) == 403);
    CHECK(status_of(daemon, get("/plaintext")) == 200);
  }
}

}  // namespace leat::e2e

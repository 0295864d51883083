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
  const Daemon daemon(with("[[middleware]]\nkind = \"rate_limit\"\nrate = \"1/s\"\n"));
  const std::string url = fmt::format("http://{}/plaintext", daemon.address());
  const auto curl = [&](const char* retries) {
    return run_program(
        "curl", {"-s", "-o", "/dev/null", "-w", "%{http_code} %{num_retries} %header{retry-after}", "--retry",
                 retries, url, url, url});
  };
  const Outcome without = curl("0");
  CHECK(without.status == 0);
  INFO(without.output);
  CHECK(without.output.contains("429 "));
  const std::string many = curl("5").output;
  CHECK(many.contains("200 "));
  CHECK(!many.contains("429 "));
}

}  // namespace leat::e2e

// Leat's own middleware on the real daemon, where routes, plugins and known heads come into it.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "e2e/client.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

// With a handler at /json, and what is counted at /metrics.
std::string configuration(std::string_view engine, std::string_view rest) {
  return fmt::format(R"([server]
listen = "127.0.0.1:0"
engine = "{}"
[[plugin]]
name = "demo"
file = "demo.so"
[[plugin]]
name = "bad"
file = "{}/bad_middleware.so"
[[route]]
path = "/json"
handler = "demo:json"
[[route]]
path = "/metrics"
handler = "leat:metrics"
{})",
                     engine, TEST_PLUGINS, rest);
}

std::string preflight(std::string_view target, std::string_view origin, std::string_view method) {
  return fmt::format(
      "OPTIONS {} HTTP/1.1\r\nHost: a\r\nOrigin: {}\r\nAccess-Control-Request-Method: {}\r\n\r\n", target,
      origin, method);
}

}  // namespace

TEST_CASE("cors: a preflight is answered by the route that it asks about, and comes to no handler") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, R"(
[[route]]
path = "/echo"
method = "PUT"
handler = "demo:echo"
middleware = [{kind = "cors", origins = ["https://put.example"], methods = ["PUT"]}, {kind = "bad:holds"}]
[[route]]
path = "/echo"
method = "POST"
handler = "demo:echo"
middleware = [{kind = "cors", origins = ["https://post.example"]}, {kind = "bad:naps", ms = 20, before = ["cors"]}]
[[route]]
path = "/users/{id}"
handler = "demo:users"
executor = "pool"
middleware = [{kind = "cors", origins = ["*"], headers = ["*"]}]
)"));
  Client client(daemon.address());
  // Again and again: heads that are known lead to the same.
  for (int i = 0; i < 3; ++i) {
    const Response put = client.ask(preflight("/echo", "https://put.example", "PUT"));
    CHECK(put.status == 204);
    CHECK(put.field("access-control-allow-origin") == "https://put.example");
    CHECK(put.field("access-control-allow-methods") == "PUT");
    CHECK(client.ask(preflight("/echo", "https://put.example", "POST")).is_problem(403));
    const Response post = client.ask(preflight("/echo", "https://post.example", "POST"));
    CHECK(post.status == 204);
    CHECK(post.field("access-control-allow-origin") == "https://post.example");
    CHECK(client.ask(preflight("/echo", "https://post.example", "PUT")).is_problem(403));
    const Response users = client.ask(preflight("/users/7", "https://any.example", "GET"));
    CHECK(users.status == 204);
    CHECK(users.field("access-control-allow-origin") == "*");
    CHECK(client.ask(preflight("/users/7", "https://any.example", "HEAD"))
              .field("access-control-allow-origin") == "*");
    // What nobody answers for is a plain OPTIONS.
    for (const std::string& other :
         {preflight("/json", "https://any.example", "GET"),
          preflight("/echo", "https://put.example", "DELETE"),
          preflight("/echo", "https://put.example", "NONSENSE"),
          std::string("OPTIONS /echo HTTP/1.1\r\nHost: a\r\nOrigin: https://put.example\r\n\r\n")}) {
      const Response plain = client.ask(other);
      CHECK(plain.status == 204);
      CHECK(plain.field("allow").has_value());
      CHECK_FALSE(plain.field("access-control-allow-origin").has_value());
      CHECK_FALSE(plain.field("access-control-allow-methods").has_value());
    }
  }
  CHECK(client.ask(preflight("/nowhere", "https://any.example", "GET")).is_problem(404));
  const std::string metrics = client.ask(get("/metrics")).body;
  CHECK(metrics.contains(R"(leat_requests_total{route="PUT /echo",method="OPTIONS",status="204"} 3)"));
  CHECK(metrics.contains(R"(leat_requests_total{route="PUT /echo",method="OPTIONS",status="403"} 3)"));
  CHECK_FALSE(metrics.contains(R"(method="PUT")"));
  CHECK_FALSE(metrics.contains(R"(method="POST")"));
  const Response read = client.ask(get("/users/7"));
  CHECK(read.status == 200);
  CHECK(read.field("access-control-allow-origin") == "*");
}

TEST_CASE("headers: two clients with the same bytes are told apart, in the log as well") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, R"(
[[middleware]]
kind = "access_log"
format = "seen {header:X-Client} {bytes_in} end"
[[middleware]]
kind = "headers"
request_set = ["X-Client: {client}"]
answer_set = ["X-Told: {client} {host}"]
)"));
  const std::string request = "GET /json HTTP/1.1\r\nHost: a\r\nX-Client: forged\r\n\r\n";
  for (int i = 0; i < 2; ++i)
    for (const char* from : {"127.0.0.1", "127.0.0.2"}) {
      Client client(daemon.address(), 0, from);
      const Response answer = client.ask(request);
      CHECK(answer.status == 200);
      CHECK(answer.field("x-told") == std::string(from) + " a");
    }
  for (const char* from : {"127.0.0.1", "127.0.0.2"})
    CHECK(daemon.logs(fmt::format("seen {} {} end", from, request.size())));
  CHECK_FALSE(daemon.log().contains("forged"));
}

TEST_CASE("security_headers: no answer is without them, whoever has taken their room") {
  // Middleware alone: 64 fields of two instances.
  std::string adds;
  for (int i = 0; i < 32; ++i) adds += fmt::format("{}\"X-Many-{}: 1\"", i == 0 ? "" : ", ", i);
  const Daemon daemon(configuration(
      "auto", fmt::format("[[middleware]]\nkind = \"security_headers\"\n"
                          "[[middleware]]\nkind = \"request_id\"\n"
                          "[[middleware]]\nkind = \"headers\"\nanswer_add = [{0}]\n"
                          "[[middleware]]\nkind = \"headers\"\nanswer_add = [{0}]\nif_method = [\"GET\"]\n",
                          adds)));
  Client client(daemon.address());
  for (int i = 0; i < 2; ++i) {
    const Response answer = client.ask(get("/json"));
    CHECK(answer.is_problem(500));
    CHECK(answer.field("x-content-type-options") == "nosniff");
    CHECK(answer.field("x-frame-options") == "DENY");
    CHECK_FALSE(answer.field("x-many-0").has_value());
    CHECK(
        daemon.logs(fmt::format("security_headers needs 3 fields of an answer that has 64 of 64 already: a "
                                "500 took its place, on GET /json {}",
                                answer.field("x-request-id").value_or("?"))));
  }
}

TEST_CASE("shed: while a worker has more to do than it can, some are told so and no handler runs for them") {
  const std::string engine = GENERATE("io_uring", "epoll");
  INFO(engine);
  const Daemon daemon(configuration(engine, R"(
[limits]
pipeline_turn = 1
[[plugin]]
name = "misuse"
file = ")" TEST_PLUGINS R"(/misuse.so"
[[middleware]]
kind = "shed"
target = "20ms"
interval = "200ms"
exempt = ["/metrics"]
[[route]]
path = "/blocks"
handler = "misuse:blocks"
)"));
  // Thirty clients with twelve requests each, one of each client's in a turn, and each keeps the worker for three milliseconds:
  // twelve turns follow each other in which the last waits for four times the target, however they are cut.
  constexpr int kEach = 12;
  int admitted = 0, shed = 0;
  std::vector<Client> clients = connect_all(daemon.address(), 30);
  std::string batch;
  for (int i = 0; i < kEach; ++i) batch += get("/blocks?ms=3");
  for (Client& client : clients) client.send(batch);
  for (Client& client : clients)
    for (int i = 0; i < kEach; ++i) {
      const Response answer = client.read_response();
      if (answer.status == 200) {
        CHECK(answer.body == "at last");
        ++admitted;
      } else {
        CHECK(answer.is_problem(503));
        CHECK(answer.field("retry-after") == "1");
        ++shed;
      }
    }
  CHECK(admitted > 0);
  CHECK(shed > 0);
  Client client(daemon.address());
  const std::string text = client.ask(get("/metrics")).body;
  CHECK(number_after(text, "leat_shed_requests_total{instance=\"shed\",result=\"shed\"} ") == shed);
  CHECK(number_after(text, "leat_requests_total{route=\"GET /blocks\",method=\"GET\",status=\"200\"} ") ==
        admitted);
  // When it is over, it is over.
  CHECK(wait_until([&] { return client.ask(get("/json")).status == 200; }));
}

}  // namespace leat::e2e

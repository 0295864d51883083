// HTTP/1.1 over a real socket: framing, persistence, order, and bytes that arrive in every possible way.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <chrono>
#include <string>
#include <thread>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

constexpr std::string_view kHello = R"({"message":"Hello, World!"})";

constexpr std::string_view kChunkedEcho =
    "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n"
    "Trailer: X-Sum\r\n\r\n"
    "5\r\nhello\r\n6;part=2\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n";

}  // namespace

TEST_CASE("http: a connection serves many requests one after another") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  for (int i = 0; i < 1000; ++i) {
    const Response response = client.ask(get("/json"));
    REQUIRE((response.status == 200 && response.body == kHello));
    REQUIRE_FALSE(response.field("connection"));
  }
}

TEST_CASE("http: pipelined requests are answered in order, however many") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  std::string batch;
  constexpr int kCount = 2000;
  for (int i = 0; i < kCount; ++i) batch += get(fmt::format("/users/{}", i));
  std::jthread sender([&] { client.try_send(batch); });
  for (int i = 0; i < kCount; ++i) {
    const Response response = client.read_response();
    CHECK((response.status == 200 && response.body.contains(fmt::format("\"id\":{}", i))));
  }
}

TEST_CASE("http: a slow answer holds back the fast ones behind it") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(get("/sleep/300") + get("/json") + get("/sleep/1") + get("/plaintext"));
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().body == kHello);
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().body == "Hello, World!");
}

TEST_CASE("http: a body is followed by the next request at once") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(with_body("POST", "/echo", "first") + std::string(kChunkedEcho) + get("/json"));
  CHECK(client.read_response().body == "first");
  CHECK(client.read_response().body == "hello world");
  CHECK(client.read_response().body == kHello);
}

TEST_CASE("http: a small body that no handler wants is read over") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(with_body("POST", "/nowhere", std::string(50'000, 'b')) + get("/json"));
  CHECK(client.read_response().status == 404);
  CHECK(client.read_response().body == kHello);
}

TEST_CASE("http: a large body that no handler wants ends the connection, with an answer") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(with_body("POST", "/nowhere", std::string(200'000, 'b')));
  const Response response = client.read_response();
  CHECK(response.status == 404);
  CHECK(response.field("connection") == "close");
  CHECK(client.hung_up());
}

TEST_CASE("http: 100 (Continue) is sent to who waits for it") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  const std::string interim = client.read_up_to(25);
  CHECK(interim == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(client.ask("body").body == "body");
}

TEST_CASE("http: no 100 (Continue) for a request that is refused by its head") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response response =
      client.ask("POST /nowhere HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  CHECK(response.status == 404);
  CHECK(response.interim.empty());
}

TEST_CASE("http: OPTIONS * and the absolute form are understood") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response options = client.ask("OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK((options.status == 200 || options.status == 204));
  CHECK(options.field("allow").value_or("").contains("GET"));
  CHECK(client.ask("GET http://test/json HTTP/1.1\r\nHost: test\r\n\r\n").body == kHello);
  CHECK(client.ask("GET http://test:8080/users/7?limit=3 HTTP/1.1\r\nHost: test:8080\r\n\r\n").status == 200);
}

TEST_CASE("http: HTTP/1.0 closes unless asked to keep alive") {
  Daemon daemon(demo_configuration());
  Client once(daemon.address());
  const Response closing = once.ask("GET /json HTTP/1.0\r\n\r\n");
  CHECK(closing.body == kHello);
  CHECK(once.hung_up());

  Client kept(daemon.address());
  const std::string request = "GET /json HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  CHECK(kept.ask(request).field("connection") == "keep-alive");
  CHECK(kept.ask(request).body == kHello);

  // No chunks for one who does not know them: the end of the connection is the end of the body.
  Client streamed(daemon.address());
  const Response bytes = streamed.ask("GET /bytes/300000 HTTP/1.0\r\n\r\n");
  CHECK_FALSE(bytes.chunked);
  CHECK(bytes.body.size() == 300'000);
}

TEST_CASE("http: Connection: close is answered and done") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  const Response response =
      client.ask("GET /json HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n" + get("/json"));
  CHECK(response.field("connection") == "close");
  CHECK(client.hung_up());
}

TEST_CASE("http: the last request a connection may make says so") {
  Daemon daemon(demo_configuration({.limits = "requests_per_connection = 3\n"}));
  Client client(daemon.address());
  client.send(get("/json") + get("/json") + get("/json") + get("/json"));
  CHECK_FALSE(client.read_response().field("connection"));
  CHECK_FALSE(client.read_response().field("connection"));
  CHECK(client.read_response().field("connection") == "close");
  CHECK(client.hung_up());
}

TEST_CASE("http: a client that sends its last byte and half-closes gets its answers") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(get("/sleep/100") + get("/json"));
  client.half_close();
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().body == kHello);
  CHECK(client.hung_up());
}

TEST_CASE("http: requests may arrive cut at any byte") {
  Daemon daemon(demo_configuration());
  const std::string whole =
      get("/users/42?limit=3") + std::string(kChunkedEcho) + with_body("POST", "/echo", "abc");
  Client client(daemon.address());
  for (size_t cut = 1; cut < whole.size(); ++cut) {
    INFO("cut at " << cut);
    client.send(std::string_view(whole).substr(0, cut));
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    client.send(std::string_view(whole).substr(cut));
    REQUIRE(client.read_response().body.contains("\"id\":42"));
    REQUIRE(client.read_response().body == "hello world");
    REQUIRE(client.read_response().body == "abc");
  }
  for (const char byte : whole) {
    client.send(std::string_view(&byte, 1));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().body == "hello world");
  CHECK(client.read_response().body == "abc");
}

TEST_CASE("http: large bodies go both ways at once") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  std::string body(size_t{8} << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  std::jthread sender([&] { client.try_send(with_body("POST", "/echo", body)); });
  const Response response = client.read_response();
  CHECK(response.status == 200);
  CHECK((response.body == body));
}

}  // namespace leat::e2e

// Every way to be refused: one clear problem+json answer, then a close, and the daemon goes on serving
// others.
#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "e2e/client.h"
#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {
namespace {

struct Refusal {
  const char* why;
  int status;
  std::string request;
};

std::string lines(size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += fmt::format("X-{}: 1\r\n", i);
  return text;
}

std::string head(std::string_view fields) {
  return fmt::format("GET /json HTTP/1.1\r\nHost: test\r\n{}\r\n", fields);
}

std::vector<Refusal> malformed() {
  return {
      {"no HTTP at all", 400, "\x16\x03\x01\x02 hello\r\n\r\n"},
      {"no Host", 400, "GET /json HTTP/1.1\r\n\r\n"},
      {"two Hosts", 400, "GET /json HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
      {"a folded header", 400, head("X-A: 1\r\n 2\r\n")},
      {"a space before the colon", 400, head("X-A : 1\r\n")},
      {"a header without a name", 400, head(": 1\r\n")},
      {"a header without a colon", 400, head("X-A\r\n")},
      {"a control character in a value", 400, head("X-A: a\x01z\r\n")},
      {"a bare CR in a value", 400, head("X-A: a\rz\r\n")},
      {"two lengths", 400,
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"},
      {"a length and chunks", 400,
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"a length that is no number", 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x10\r\n\r\n"},
      {"a negative length", 400, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"},
      {"a length past 64 bits", 400,
       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n"},
      {"chunks in HTTP/1.0", 400, "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"a coding before chunked", 501,
       "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
      {"HTTP/2 in a request line", 505, "GET /json HTTP/2.0\r\nHost: a\r\n\r\n"},
      {"a version of the future", 505, "GET /json HTTP/9.9\r\nHost: a\r\n\r\n"},
      {"a request line of RTSP", 400, "DESCRIBE /json RTSP/1.0\r\nHost: a\r\n\r\n"},
      {"one with a method of HTTP", 400, "OPTIONS /json RTSP/1.0\r\nHost: a\r\n\r\n"},
      {"a method of RTSP", 501, "DESCRIBE /json HTTP/1.1\r\nHost: a\r\n\r\n"},
  };
}

std::vector<Refusal> oversized() {
  return {
      {"a target past the limit", 414, get("/" + std::string(9 * 1024, 'a'))},
      {"a target that never ends", 414, "GET /" + std::string(9 * 1024, 'a')},
      {"headers past the limit", 431, head("X-A: " + std::string(33 * 1024, 'a') + "\r\n")},
      {"headers that never end", 431, "GET / HTTP/1.1\r\nHost: a\r\nX-A: " + std::string(33 * 1024, 'a')},
      {"one header too many", 431, head(lines(100))},
      {"a length past the limit", 413, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 8388609\r\n\r\n"},
  };
}

void check_refused(Daemon& daemon, const Refusal& refusal) {
  INFO(refusal.why);
  Client client(daemon.address());
  client.try_send(refusal.request);
  const Response response = client.read_response();
  INFO(response.status << " " << response.body);
  CHECK(response.is_problem(refusal.status));
  CHECK(response.field("connection") == "close");
  CHECK(client.hung_up());
}

}  // namespace

TEST_CASE("refusals: malformed requests get one clear answer and a close") {
  Daemon daemon(demo_configuration());
  for (const Refusal& refusal : malformed()) check_refused(daemon, refusal);
  CHECK(Client(daemon.address()).ask(get("/json")).status == 200);
}

TEST_CASE("refusals: what is past a limit gets the status of that limit") {
  Daemon daemon(demo_configuration());
  for (const Refusal& refusal : oversized()) check_refused(daemon, refusal);
  CHECK(Client(daemon.address()).ask(head(lines(99))).status == 200);
  CHECK(Client(daemon.address()).ask(get("/json?" + std::string(8000, 'a'))).status == 200);
}

TEST_CASE("refusals: HTTP/0.9 is answered with an error, whatever follows") {
  Daemon daemon(demo_configuration());
  for (const std::string_view request :
       {"GET /json\r\n\r\n", "GET /json\n\n", "GET /json\r\nHost: a\r\n\r\n"}) {
    INFO(request);
    Client client(daemon.address());
    client.try_send(request);
    CHECK(client.read_response().status >= 400);
    CHECK(client.hung_up());
  }
}

TEST_CASE("refusals: the answers before a malformed request still arrive") {
  Daemon daemon(demo_configuration());
  Client client(daemon.address());
  client.send(get("/sleep/50") + get("/json") + "nonsense\r\n\r\n");
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().status == 200);
  CHECK(client.read_response().is_problem(400));
  CHECK(client.hung_up());
}

TEST_CASE("refusals: a chunked body is cut off at the limit, and a bad chunk ends the connection") {
  Daemon daemon(demo_configuration({.limits = "body = \"64KiB\"\n"}));
  const std::string start = "POST /notes HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
  check_refused(daemon, {"too many chunks", 413,
                         start + "8000\r\n" + std::string(0x8000, 'a') + "\r\n8001\r\n" +
                             std::string(0x8001, 'b') + "\r\n0\r\n\r\n"});
  for (const std::string_view chunk :
       {"0x5\r\nhello\r\n", "5\r\nhelloo\r\n", "-1\r\n", "fffffffffffffffff\r\n", "z\r\n"}) {
    INFO(chunk);
    check_refused(daemon, {"a bad chunk", 400, start + std::string(chunk) + "0\r\n\r\n"});
  }
}

TEST_CASE("refusals: a slow head and a slow body are 408") {
  Daemon daemon(demo_configuration({.limits = "head_timeout = \"300ms\"\nbody_timeout = \"300ms\"\n"}));
  check_refused(daemon, {"a head without an end", 408, "GET /json HTTP/1.1\r\nHost: a\r\nX-"});
  check_refused(daemon, {"a request line without an end", 408, "GET /js"});
  check_refused(daemon, {"a body without an end", 408,
                         "POST /notes HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{"});
}

TEST_CASE("refusals: a quiet connection is closed after the idle timeout without a word") {
  Daemon daemon(demo_configuration({.limits = "idle_timeout = \"300ms\"\n"}));
  Client served(daemon.address());
  CHECK(served.ask(get("/json")).status == 200);
  CHECK(served.hung_up());
  Client silent(daemon.address());
  CHECK(silent.hung_up());
}

}  // namespace leat::e2e

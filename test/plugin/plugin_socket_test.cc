// leat.websocket/1, as plugins have it: classes and a coroutine of the C++ wrapper on sessions in memory, and what is refused.
#include "plugin/plugin_socket.h"

#include <catch2/catch_test_macros.hpp>
#include <optional>

#include "plugin/harness.h"
#include "support/http_harness.h"
#include "websocket/frames.h"

namespace leat::plugin::test {

namespace {

using leat::test::binary;
using leat::test::close_frame;
using leat::test::code_bytes;
using leat::test::frame;
using leat::test::text;

std::string sent_text(std::string_view payload) { return text(payload, {.masked = false}); }
std::string sent_close(uint16_t code, std::string_view reason = {}) {
  return close_frame(code, reason, {.masked = false});
}

// A client of one socket.
struct Client {
  Client(Site& its_site, std::string_view target, std::string_view fields = "") : site(its_site) {
    session.emplace(site.environment(), "192.0.2.7", 0);
    session->feed(
        "GET " + std::string(target) +
        " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        std::string(fields) + "\r\n");
    const std::string out = take();
    const size_t end = out.find("\r\n\r\n");
    head = out.substr(0, end + 4);
    first = out.substr(end + 4);
  }
  ~Client() {
    session->disconnect();
    session.reset();
  }
  std::string take() {
    std::string out;
    for (bool more = true; more;) {
      if (session->wants_turn()) session->take_turn();
      const std::string come = take_output(*session);
      out += come;
      more = !come.empty() || session->wants_turn();
    }
    return out;
  }
  std::string say(const std::string& bytes) {
    session->feed(bytes);
    return take();
  }
  // The same where it takes its time.
  std::string say_and_wait(const std::string& bytes, std::string_view ending) {
    std::string out = say(bytes);
    turn_until(site, [&] { return (out += take()).ends_with(ending); });
    return out;
  }

  Site& site;
  std::optional<http1::Session> session;
  std::string head, first;
};

std::string told(Site& site) { return site.get("/told").body; }

}  // namespace

TEST_CASE("plugin_socket: a class has its callbacks, once each") {
  Site site("sockets");
  {
    Client client(site, "/echo");
    CHECK(client.head.starts_with("HTTP/1.1 101 "));
    CHECK(client.say(text("hi") + binary("\x01")) == sent_text("hi") + binary("\x01", {.masked = false}));
    CHECK(told(site) == R"({"opened":1,"closed":0,"code":0,"talks":0})");
    CHECK(client.say(close_frame(3001)) == sent_close(3001));
    CHECK(told(site) == R"({"opened":1,"closed":1,"code":3001,"talks":0})");
  }
  CHECK(told(site) == R"({"opened":1,"closed":1,"code":3001,"talks":0})");
  Client client(site, "/echo");
  client.session->disconnect();
  CHECK(told(site) == R"({"opened":2,"closed":2,"code":1006,"talks":0})");
}

TEST_CASE("plugin_socket: a plugin closes as it likes, and what it throws closes with 1011") {
  Site site("sockets");
  {
    Client client(site, "/echo");
    CHECK(client.say(text("close")) == sent_close(4000, "as you like"));
  }
  LogText log;
  Client client(site, "/echo");
  CHECK(client.say(text("throw")) == sent_close(1011));
  CHECK(log.take().contains("threw as it was asked to"));
}

TEST_CASE("plugin_socket: subprotocols, origins and sizes are the handler's") {
  Site site("sockets");
  Client client(site, "/echo", "Sec-WebSocket-Protocol: echo.v0, echo.v1, echo.v2\r\n");
  CHECK(client.head.contains("Sec-WebSocket-Protocol: echo.v1\r\n"));
  CHECK(client.say(text("protocol")) == sent_text("echo.v1"));
  CHECK(Client(site, "/small", "Origin: https://a\r\n").head.starts_with("HTTP/1.1 403 "));
  CHECK(Client(site, "/echo", "Origin: https://a\r\n").head.starts_with("HTTP/1.1 101 "));
  Client small(site, "/small", "Origin: https://pages.example\r\n");
  CHECK(small.say(text(std::string(100, 'x'))) == sent_text(std::string(100, 'x')));
  CHECK(small.say(text(std::string(101, 'x'))).substr(2, 2) == code_bytes(1009));
}

TEST_CASE("plugin_socket: a handler looks at the request first, and refuses by what it throws") {
  Site site("sockets");
  CHECK(Client(site, "/guarded").head.starts_with("HTTP/1.1 401 "));
  Client client(site, "/guarded?token=sesame");
  CHECK(client.head.starts_with("HTTP/1.1 101 "));
  CHECK(client.head.contains("X-Seen: yes\r\n"));
  CHECK(client.say(text("in")) == sent_text("in"));
}

TEST_CASE("plugin_socket: an ordinary request to it is told what it is") {
  Site site("sockets");
  const Answer answer = site.get("/echo");
  CHECK(answer.status == 426);
  CHECK(answer.head.contains("Upgrade: websocket\r\n"));
  CHECK(answer.head.contains("Sec-WebSocket-Version: 13\r\n"));
}

TEST_CASE("plugin_socket: sends no more than is taken, and goes on when there is room") {
  Site site("sockets");
  site.limits.output_high_bytes = 100'000;
  site.limits.output_low_bytes = 10'000;
  Client client(site, "/flood");
  CHECK(client.first.size() > 4 * 100'000);
  CHECK(client.first.size() < 8 * 100'000);
  CHECK(client.first.ends_with(sent_text("done")));
}

TEST_CASE("plugin_socket: has a timer of its own") {
  Site site("sockets");
  Client client(site, "/echo");
  CHECK(client.say(text("timer")).empty());
  site.worker().set_now_ms(client.session->deadline_ms());
  client.session->deadline_passed();
  CHECK(client.take() == sent_text("time"));
}

TEST_CASE("plugin_socket: is reached from other threads by its number, for as long as it is there") {
  Site site("sockets");
  {
    Client client(site, "/echo");
    client.say(text("name"));
    CHECK(site.get("/call").body == R"({"there":true})");
    turn_until(site, [&] { return client.session->output().size() != 0; });
    CHECK(client.take() == sent_text("called"));
    CHECK(site.get("/dismiss").body == R"({"there":true})");
    turn_until(site, [&] { return client.session->output().size() != 0; });
    CHECK(client.take() == sent_close(4321));
  }
  CHECK(site.get("/call").body == R"({"there":false})");  // no socket is left on the worker
  Client other(site, "/echo");
  CHECK(site.get("/call").body == R"({"there":true})");  // it may be, by then
  while (site.resume_all()) continue;
  CHECK(other.take().empty());
}

TEST_CASE("plugin_socket: a coroutine talks, waits for what others wait for, and closes at its end") {
  Site site("sockets");
  {
    Client client(site, "/talk");
    CHECK(client.first == sent_text("hello"));
    CHECK(client.say(text("one") + text("two")) == sent_text("one") + sent_text("two"));
    CHECK(client.say_and_wait(text("sleep"), sent_text("sleep")) == sent_text("sleep"));
    CHECK(client.say_and_wait(text("thread"), sent_text("42")) == sent_text("42"));
    CHECK(client.say(text("return")) == sent_close(1000));
    CHECK(client.say(close_frame(1000)).empty());
    CHECK(client.session->finished());
  }
  {
    Client client(site, "/talk");
    client.say(close_frame(1000));
    CHECK(told(site).ends_with(R"("talks":1})"));
  }
  CHECK(site.handled == site.ended);
  LogText log;
  Client client(site, "/talk");
  CHECK(client.say(text("throw")) == sent_close(1011));
  CHECK(log.take().contains("threw as it was asked to"));
}

TEST_CASE("plugin_socket: a coroutine is not sent more than it takes, and goes on as its client reads") {
  Site site("sockets");
  site.limits.output_high_bytes = 200'000;
  Client client(site, "/talk");
  const std::string out = client.say(text("flood"));
  CHECK(out.size() > 2'000'000);
  CHECK(out.ends_with(sent_text("flood")));
}

TEST_CASE("plugin_socket: a coroutine ends wherever its client leaves") {
  Site site("sockets");
  for (const std::string_view last : {"hello", "sleep", "thread", "flood"}) {
    Client client(site, "/talk");
    client.session->feed(text(last));
    client.session->feed(text("behind"));
    client.session->disconnect();
    while (site.resume_all()) continue;
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("plugin_socket: a coroutine that is busy has its client wait") {
  Site site("sockets");
  Client client(site, "/talk");
  CHECK(client.say(text("sleep") + text("a") + text("b")).empty());
  CHECK_FALSE(client.session->wants_input());
  std::string out;
  turn_until(site, [&] { return (out += client.take()).ends_with(sent_text("b")); });
  CHECK(out == sent_text("sleep") + sent_text("a") + sent_text("b"));
}

TEST_CASE("plugin_socket: C does the same, and misuse changes nothing") {
  Site site("sockets_c");
  LogText log;
  for (int i = 0; i < 2; ++i) {  // the second time with one that has gone
    Client client(site, "/misuse");
    CHECK(client.say(text("x")) == sent_text("0"));
  }
  CHECK(site.get("/misuse").status == 404);
  const std::string lines = log.take();
  CHECK(lines.contains("leat.websocket/1 accept: a handler of sockets has a message()"));
  CHECK(lines.contains("leat.websocket/1 send: the socket has ended, or is another thread's"));
}

TEST_CASE("plugin_socket: one that keeps its request can do what requests can") {
  Site site("sockets_c");
  {
    Client client(site, "/keeps?a=b");
    CHECK(client.say_and_wait(text("go on"), sent_text("/keeps?a=b")) == sent_text("/keeps?a=b"));
    CHECK(client.say(close_frame(1000)) == sent_close(1000));
  }
  CHECK(site.handled == site.ended);
  Client client(site, "/keeps");
  client.say(text("end"));
  CHECK(client.session->finished());
  CHECK(client.session->cut());
}

TEST_CASE("plugin_socket: a message for many comes to all in the room, as frames and as events") {
  Site site("sockets_c");
  Client a(site, "/room"), b(site, "/room"), other(site, "/keeps");
  http1::Session listener(site.environment(), "192.0.2.8", 0);
  listener.feed("GET /listen HTTP/1.1\r\nHost: a\r\nLast-Event-ID: 41\r\n\r\n");
  const std::string head = take_output(listener);
  CHECK(head.contains("Content-Type: text/event-stream\r\n"));
  CHECK(head.contains("Cache-Control: no-store\r\n"));
  CHECK(head.contains("retry: 1500\n\n"));
  CHECK(head.contains("event: first\nid: 7\ndata: after\ndata: \n\n"));
  CHECK(head.contains("data: 41\n\n"));
  CHECK(a.say(text("hello")).empty());  // it goes by way of the worker's tasks
  while (a.session->output().empty()) REQUIRE(site.worker().run_post());
  CHECK(a.take() == sent_text("hello"));
  CHECK(b.take() == sent_text("hello"));
  CHECK(other.take().empty());
  CHECK(take_output(listener).contains("data: hello\n\n"));
  CHECK(ask_at_once(site, "/say?x%20y").body == "said");
  while (a.session->output().empty()) REQUIRE(site.worker().run_post());
  CHECK(a.take() == sent_text("x%20y"));
  CHECK(take_output(listener).contains("event: said\nid: 8\ndata: x%20y\n\n"));
  // Where nothing else is sent a comment is.
  CHECK(site.worker().run_next_timers());
  CHECK(site.worker().run_next_timers());
  CHECK(take_output(listener).contains(":\n\n"));
  listener.disconnect();
}

}  // namespace leat::plugin::test

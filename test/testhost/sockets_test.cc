// WebSockets in the test host: a client that says and hears messages, on the host's clock.
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::testing {
namespace {

using namespace std::chrono_literals;

std::string plugin(const std::string& name) { return TEST_PLUGINS "/" + name + ".so"; }

}  // namespace

TEST_CASE("testhost: a WebSocket talks with a class and with a coroutine") {
  Host host(plugin("sockets"));
  {
    WebSocket socket = host.websocket("/echo", {{"Sec-WebSocket-Protocol", "echo.v1"}});
    CHECK(socket.status() == 101);
    CHECK(socket.protocol() == "echo.v1");
    socket.send("one");
    socket.send_binary(std::string("\0two", 4));
    CHECK(socket.receive() == "one");
    CHECK(socket.receive() == std::string("\0two", 4));
    CHECK_FALSE(socket.receive());
    CHECK(socket.close_code() == 0);
    socket.close(3000, "enough");
    CHECK(socket.close_code() == 3000);
  }
  WebSocket socket = host.websocket("/talk");
  CHECK(socket.receive() == "hello");
  socket.send("thread");
  CHECK(socket.receive() == "42");
  socket.send("sleep");
  CHECK_FALSE(socket.receive());
  host.advance(10ms);
  CHECK(socket.receive() == "sleep");
  socket.send("return");
  CHECK(socket.close_code() == 1000);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("testhost: a WebSocket is refused as the plugin refuses it, and ends as its client ends it") {
  Host host(plugin("sockets"));
  CHECK(host.websocket("/guarded").status() == 401);
  CHECK(host.websocket("/guarded?token=sesame").status() == 101);
  CHECK(host.websocket("/small", {{"Origin", "https://elsewhere.example"}}).status() == 403);
  {
    WebSocket leaves = host.websocket("/echo");
  }
  CHECK(host.request("GET", "/told").send().body == R"({"opened":1,"closed":1,"code":1006,"talks":0})");
  WebSocket wrong = host.websocket("/echo");
  wrong.send_raw("\xf1\x80" + std::string(4, '\0'));
  CHECK(wrong.close_code() == 1002);
  CHECK_FALSE(wrong.close_reason().empty());
  // Who is asked whether it is there answers.
  WebSocket quiet = host.websocket("/echo");
  host.advance(1h);
  CHECK(quiet.close_code() == 0);
  host.close();
  CHECK(host.problems().empty());
}

}  // namespace leat::testing

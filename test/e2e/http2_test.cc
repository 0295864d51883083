// HTTP/2 over real sockets of both engines, with clients that others have written: curl, nghttp and h2load. The same routes, log and metrics;
// requests at the same time; what becomes of them when the daemon stops.
#include "e2e/http2_client.h"

#include <fmt/core.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include "e2e/configuration.h"
#include "e2e/daemon.h"

namespace leat::e2e {

namespace {

std::string engine_table() {
  return fmt::format("engine = \"{}\"\nworkers = 1\n", std::string(GENERATE("io_uring", "epoll")));
}

std::string run(const std::string& command) {
  std::FILE* const pipe = ::popen((command + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string said;
  char piece[4096];
  for (size_t size = 0; (size = std::fread(piece, 1, sizeof piece, pipe)) > 0;) said.append(piece, size);
  INFO(command << ": " << said);
  CHECK(::pclose(pipe) == 0);
  return said;
}

constexpr std::string_view kJson = R"({"message":"Hello, World!"})";

}  // namespace

TEST_CASE("http2: curl, nghttp and h2load are answered as by HTTP/1.1, on the same socket") {
  const Daemon daemon(demo_configuration({.server = engine_table()}));
  const std::string url = "http://" + daemon.address();
  CHECK(run("curl -s --http1.1 -w ' %{http_version}' " + url + "/json") == std::string(kJson) + " 1.1");
  CHECK(run("curl -s --http2-prior-knowledge -w ' %{http_version}' " + url + "/json") ==
        std::string(kJson) + " 2");
  CHECK(run("curl -s --http2-prior-knowledge --data-binary hello -H 'content-type: text/plain' " + url +
            "/echo") == "hello");
  CHECK(run("curl -s --http2-prior-knowledge -o /dev/null -w '%{size_download}' " + url + "/bytes/3000000") ==
        "3000000");
  CHECK(run("head -c 2000000 /dev/zero | curl -s --http2-prior-knowledge --data-binary @- -o /dev/null -w "
            "'%{http_code}' " +
            url + "/echo")
            .ends_with("200"));
  const std::string said = run("nghttp -v " + url + "/json " + url + "/plaintext");
  CHECK(said.contains(kJson));
  CHECK(said.contains("Hello, World!"));
  CHECK(said.contains("SETTINGS_MAX_CONCURRENT_STREAMS(0x03):128"));
  for (const std::string_view load : {"-c4 -m1 -n400", "-c4 -m100 -n4000", "-c2 -m10 -n200 -w14"}) {
    const std::string page = load.contains("-w14") ? "/bytes/100000" : "/json";
    const std::string told = run(fmt::format("h2load -t1 {} {}{}", load, url, page));
    CHECK(told.contains(" 0 failed, 0 errored, 0 timeout"));
  }
}

TEST_CASE("http2: requests of one connection are answered as they can be") {
  Daemon daemon(demo_configuration({.server = engine_table()}));
  Http2Client client(daemon.address());
  const int32_t slow = client.begin("GET", "/sleep/300");
  std::vector<int32_t> quick;
  for (int i = 0; i < 50; ++i) quick.push_back(client.begin("GET", "/json"));
  for (const int32_t each : quick) CHECK(client.finish(each).response.body == kJson);
  const int32_t gone = client.begin("GET", "/sleep/20000");
  client.take_back(gone);
  CHECK(client.finish(gone).error == NGHTTP2_CANCEL);
  const Http2Client::Answer answer = client.finish(slow);
  CHECK(answer.whole);
  CHECK(answer.response.status == 200);
}

TEST_CASE("http2: a daemon that stops answers what was sent, and says what it has served") {
  Daemon daemon(demo_configuration({.server = engine_table()}));
  Http2Client client(daemon.address());
  CHECK(client.ask("GET", "/json").whole);
  const int32_t slow = client.begin("GET", "/sleep/500");
  REQUIRE(wait_until([&] { return client.turn(1); }));
  daemon.signal(SIGTERM);
  CHECK(client.finish(slow).whole);
  CHECK(client.wait_for_end());
  CHECK(client.last_served() == slow);
}

TEST_CASE("http2: the log and the metrics tell of it as of any request") {
  const TempFolder folder;
  const std::string log = folder.path("access.log");
  {
    const Daemon daemon(demo_configuration(
        {.server = engine_table(),
         .more = fmt::format("[[middleware]]\nkind = \"access_log\"\nfile = \"{}\"\nformat = \"<{{protocol}} "
                             "{{status}} {{complete}}>\"\n",
                             log)}));
    Http2Client client(daemon.address());
    CHECK(client.ask("GET", "/json?a=b", {{"user-agent", "me"}}).whole);
    CHECK(client.ask("GET", "/json", {{"te", "gzip"}}).error == NGHTTP2_PROTOCOL_ERROR);
    CHECK(client.ask("GET", "/nowhere").response.status == 404);
  }
  const std::string lines = run("cat " + log);
  INFO(lines);
  CHECK(lines.contains("<HTTP/2.0 200 true>"));
  CHECK(lines.contains("<HTTP/2.0 400 false>"));
  CHECK(lines.contains("<HTTP/2.0 404 true>"));
}

namespace {

std::string sockets_configuration(const std::string& more = {}) {
  return "[server]\nlisten = \"127.0.0.1:0\"\ndrain_timeout = \"20s\"\n" + engine_table() +
         "[websocket]\ndrain_spread = \"50ms\"\n" + more +
         "[[plugin]]\nname = \"sockets\"\nfile = \"" TEST_PLUGINS
         "/sockets.so\"\n[[route]]\nmethods = [\"GET\"]\npath = \"/echo\"\nhandler = \"sockets:echo\"\n";
}
const Http2Client::Fields kVersion13 = {{"sec-websocket-version", "13"}};
// Frames with a mask of zeros, so that payloads stand as they are.
std::string masked(char opcode, std::string_view payload) {
  return std::string(1, static_cast<char>(0x80 | opcode)) + static_cast<char>(0x80 | payload.size()) +
         std::string(4, '\0') + std::string(payload);
}

}  // namespace

TEST_CASE("http2: WebSockets are streams beside others, and end by END_STREAM") {
  const Daemon daemon(sockets_configuration());
  Http2Client client(daemon.address());
  const int32_t one = client.connect("websocket", "/echo", kVersion13);
  const int32_t other = client.connect("websocket", "/echo", kVersion13);
  client.say(one, masked(1, "hello"));
  client.say(other, masked(1, "there"));
  CHECK(client.hear(other, 7) == "\x81\x05there");
  CHECK(client.hear(one, 7) == "\x81\x05hello");
  CHECK(client.ask("GET", "/echo").response.status == 426);
  CHECK(client.finish(client.connect("websocket", "/echo")).response.status == 426);
  client.say(one, masked(8, "\x03\xe8"));
  CHECK(client.hear(one, 4) == "\x88\x02\x03\xe8");
  client.end_side(one);
  const Http2Client::Answer answer = client.finish(one);
  CHECK(answer.response.status == 200);
  CHECK(answer.whole);
  client.say(other, masked(1, "still"));
  CHECK(client.hear(other, 7) == "\x81\x05still");
}

TEST_CASE("http2: a daemon that stops closes WebSockets with 1001, on a connection that it has told so") {
  Daemon daemon(sockets_configuration());
  Http2Client client(daemon.address());
  const int32_t stream = client.connect("websocket", "/echo", kVersion13);
  client.say(stream, masked(1, "hello"));
  CHECK(client.hear(stream, 7) == "\x81\x05hello");
  daemon.signal(SIGTERM);
  CHECK(client.hear(stream, 4) == "\x88\x02\x03\xe9");
  client.say(stream, masked(8, "\x03\xe9"));
  CHECK(client.finish(stream).error == NGHTTP2_NO_ERROR);
  CHECK(client.wait_for_end());
  CHECK(client.last_served() == stream);
}

TEST_CASE("http2: a listener speaks what it names") {
  const Daemon daemon(
      "[server]\nlisten = \"127.0.0.1:0\"\n"
      "[[plugin]]\nname = \"demo\"\nfile = \"" DEMO_PLUGIN
      "\"\n"
      "[[route]]\npath = \"/json\"\nhandler = \"demo:json\"\n");
  const Daemon only(
      "[[listener]]\naddress = \"127.0.0.1:0\"\nprotocols = [\"http/1.1\"]\n"
      "[[plugin]]\nname = \"demo\"\nfile = \"" DEMO_PLUGIN
      "\"\n"
      "[[route]]\npath = \"/json\"\nhandler = \"demo:json\"\n");
  CHECK(Http2Client(daemon.address()).ask("GET", "/json").whole);
  Client refused(only.address());
  refused.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  CHECK(refused.read_response().status == 505);
}

TEST_CASE("http2: early hints of handlers on workers and in the pool, and none of what is stored") {
  const std::string engine = engine_table();
  const auto route = [](std::string_view path, std::string_view more) {
    return fmt::format("[[route]]\nmethods = [\"GET\"]\npath = \"{}\"\nhandler = \"responses:hinted\"\n{}",
                       path, more);
  };
  const std::string rest = "[[plugin]]\nname = \"responses\"\nfile = \"" TEST_PLUGINS "/responses.so\"\n" +
                           route("/worker", "") + route("/pool", "executor = \"pool\"\n") +
                           route("/stored", "[route.cache]\nttl = \"1h\"\n");
  const std::string server = "[server]\nlisten = \"127.0.0.1:0\"\n" + engine;
  const Daemon daemon(server + rest);
  Http2Client client(daemon.address());
  constexpr std::string_view kStyle = "</a.css>; rel=preload; as=style";
  for (const std::string path : {"/worker", "/pool"}) {
    INFO(path);
    const Http2Client::Answer answer = client.ask("GET", path + "?times=2&wrong=false");
    CHECK(answer.response.interim == std::vector<int>{103, 103});
    CHECK(answer.response.status == 200);
    CHECK(answer.response.field("link") == kStyle);
    CHECK(std::ranges::count(answer.hints, kStyle, &std::pair<std::string, std::string>::second) == 2);
    // What is no hint is the handler's mistake.
    CHECK(client.ask("GET", path + "?times=0&wrong=true").response.status == 500);
    CHECK(client.ask("GET", path + "?times=9&wrong=false").response.status == 500);
    CHECK(Client(daemon.address()).ask(get(path + "?times=1&wrong=false")).interim.empty());
  }
  CHECK(client.ask("GET", "/stored?times=1&wrong=false").response.interim == std::vector<int>{103});
  const Http2Client::Answer stored = client.ask("GET", "/stored?times=1&wrong=false");
  CHECK(stored.response.interim.empty());
  CHECK(stored.whole);
  // nghttp shows what else nobody made up.
  const std::string said = run("nghttp -v 'http://" + daemon.address() + "/worker?times=1&wrong=false'");
  CHECK(said.contains(":status: 103"));

  const Daemon wished(server + "[limits]\nhttp1_early_hints = true\n" + rest);
  for (const std::string path : {"/worker", "/pool"})
    CHECK(Client(wished.address()).ask(get(path + "?times=1&wrong=false")).interim == std::vector<int>{103});
  const std::string told =
      run("curl -s -D - --http1.1 'http://" + wished.address() + "/worker?times=1&wrong=false'");
  CHECK(told.contains("HTTP/1.1 103"));
  CHECK(told.contains("HTTP/1.1 200"));
}

}  // namespace leat::e2e

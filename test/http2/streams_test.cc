// The session's contract with its service and its connection: what handlers may do at each step, in which order answers leave, what becomes of
// requests whose client or time runs out, and how a connection ends.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>

#include "support/http2_harness.h"

namespace leat::test {

namespace {

using namespace std::string_literals;
using http::Exchange;

// A service made of functions; one that is not set does nothing, and buffers bodies.
class H2Script final : public http::Service {
 public:
  std::function<BodyMode(Exchange&)> request = [](Exchange&) { return BodyMode::Buffer; };
  std::function<void(Exchange&, std::string_view)> body = [](Exchange&, std::string_view) {};
  std::function<void(Exchange&)> body_end = [](Exchange& exchange) { exchange.send("hello"); };
  std::function<void(Exchange&)> writable = [](Exchange&) {};

  BodyMode on_request(Exchange& exchange) override {
    calls += "request ";
    return request(exchange);
  }
  void on_body(Exchange& exchange, std::string_view piece) override { body(exchange, piece); }
  void on_body_end(Exchange& exchange) override {
    calls += "body_end ";
    body_end(exchange);
  }
  void on_writable(Exchange& exchange) override {
    calls += "writable ";
    writable(exchange);
  }
  void on_response(Exchange& exchange) override { exchange.filter_answer(0); }
  void on_late(Exchange&) override { calls += "late "; }
  void on_cancel(Exchange&) override { calls += "cancel "; }
  void on_done(Exchange& exchange) override {
    calls += "done ";
    cut = exchange.cut();
  }

  std::string calls;
  http::Refusal cut;  // of the last
};

// One session and all it needs; ends with everything given back.
struct H2Stage {
  H2Script script;
  Http2Harness harness{script};
  http2::Session session{harness.environment, http::peer_at("192.0.2.1")};
  H2Reader reader;

  explicit H2Stage(std::string_view client_settings = {}) { (void)feed(hello(client_settings)); }
  ~H2Stage() {
    session.disconnect();
    session.output().clear();
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.environment.streams.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
  }
  std::string take() { return reader.read(HttpHarness::take(session)); }
  std::string feed(std::string_view bytes) {
    session.feed(bytes);
    return take();
  }
  std::string pass(uint64_t ms) {
    harness.worker.now_ms += ms;
    session.deadline_passed();
    return take();
  }
  // What waits for this with suspend() is answered.
  void answer_all() { harness.resume_all(); }
  void suspend_all() {
    script.body_end = [this](Exchange& exchange) {
      harness.worker.waiting.push_back(
          {exchange.suspend(), [](Exchange& later, void*) { later.send(later.request.path()); }, nullptr, 0});
    };
  }
};

// Memory that an answer refers to.
struct Pinned {
  explicit Pinned(size_t size) : bytes(size, 'p') {}
  std::string bytes;
  int releases = 0;
  http::Release release() {
    return {[](void* self) { ++static_cast<Pinned*>(self)->releases; }, this};
  }
};

}  // namespace

TEST_CASE("streams: answers leave as they come, in whichever order that is") {
  H2Stage stage;
  stage.suspend_all();
  CHECK(stage.feed(get(1, "/1") + get(3, "/3") + get(5, "/5")).empty());
  std::swap(stage.harness.worker.waiting[0], stage.harness.worker.waiting[2]);
  stage.answer_all();
  CHECK(stage.take() == "H5:200 D5:2. H3:200 D3:2. H1:200 D1:2.");
  CHECK(stage.reader.body(3) == "/3");
  CHECK(stage.session.idle());
  CHECK(stage.session.requests() == 3);
}

TEST_CASE("streams: a request's head is what HTTP/1 would have made of it") {
  H2Stage stage;
  std::string seen;
  stage.script.body_end = [&](Exchange& exchange) {
    const http::Head& head = exchange.request.head();
    seen = head.view({0, head.size});
    CHECK(exchange.request.host() == "a:8080");
    CHECK(exchange.request.path() == "/p");
    CHECK(exchange.request.query() == "q=1");
    CHECK(exchange.request.header("Cookie") == "a=1; b=2");
    CHECK(exchange.request.header(http::HeaderId::UserAgent) == "me");
    CHECK(exchange.request.scheme() == "http");
    CHECK(head.major_version == 2);
    exchange.send("");
  };
  const std::string block = hpack({{":path", "/p?q=1"},
                                   {":authority", "a:8080"},
                                   {":scheme", "http"},
                                   {":method", "GET"},
                                   {"cookie", "a=1"},
                                   {"user-agent", "me"},
                                   {"cookie", "b=2"}});
  for (uint32_t id = 1; id < 41; id += 2) {
    CHECK(stage.feed(headers(id, block)) == "H" + std::to_string(id) + ":200.");
    CHECK(seen == "GET /p?q=1 HTTP/2.0\r\nhost: a:8080\r\nuser-agent: me\r\ncookie: a=1; b=2\r\n\r\n");
  }
}

TEST_CASE("streams: a head that comes again is recognised, and one with a body never is") {
  H2Stage stage;
  uint64_t known = 0;
  stage.script.body_end = [&](Exchange& exchange) {
    known += exchange.known_head() != nullptr ? 1 : 0;
    exchange.send("");
  };
  for (uint32_t id = 1; id < 201; id += 2) (void)stage.feed(get(id, "/known"));
  CHECK(known > 80);
  known = 0;
  for (uint32_t id = 201; id < 401; id += 2)
    (void)stage.feed(headers(id, request_block("/known"), 4) + data(id, "x", 1));
  CHECK(known == 0);
}

TEST_CASE("streams: a block that means the same again is recognised, and one that does not is read") {
  H2Stage stage;
  std::string paths;
  stage.script.body_end = [&](Exchange& exchange) {
    paths += exchange.request.path();
    CHECK(exchange.request.header("x") == "1");
    exchange.send("");
  };
  // Fields that are kept, of which the newest has the smallest index.
  const auto keep = [](std::string_view name, std::string_view value) {
    return "\x40" + hpack_text(name) + hpack_text(value);
  };
  const std::string one = "\x82\x86\xbf\xc0\xbe"s;  // GET, http, :path, :authority, x
  (void)stage.feed(headers(1, "\x82\x86" + keep(":authority", "a") + keep(":path", "/a") + keep("x", "1")));
  uint32_t id = 1;
  for (int i = 0; i < 60; ++i) CHECK(stage.feed(headers(id += 2, one)).ends_with(":200."));
  CHECK(paths.size() == 61 * 2);
  CHECK(!paths.contains('b'));
  // The same bytes mean something else once the table has changed.
  paths.clear();
  (void)stage.feed(headers(id += 2, "\x82\x86\xc0" + keep(":path", "/b") + keep("x", "1")));
  CHECK(paths == "/b");
  (void)stage.feed(headers(id += 2, one));
  CHECK(stage.session.requests() == 62);
  CHECK(paths == "/b");  // it has no authority now, and is no request
  CHECK(stage.feed(headers(id += 2, "\x82\x86\xbf\xc2\xbe"s)).ends_with(":200."));
  CHECK(paths == "/b/b");
}

TEST_CASE("streams: a body comes in pieces, waits where it must, and its client is told when it may go on") {
  H2Stage stage;
  std::string come;
  Exchange* paused = nullptr;
  stage.script.request = [&](Exchange& exchange) {
    exchange.suspend();
    exchange.pause_body();
    paused = &exchange;
    return http::Service::BodyMode::Stream;
  };
  stage.script.body = [&](Exchange&, std::string_view piece) { come += piece; };
  stage.script.body_end = [&](Exchange& exchange) { exchange.send(std::to_string(come.size())); };
  (void)stage.feed(post(1, "/"));
  // As much as the window has is taken, and no more is asked for.
  std::string said;
  for (int i = 0; i < 4; ++i) said += stage.feed(data(1, std::string(16'000, 'x')));
  CHECK(said.empty());
  CHECK(come.empty());
  CHECK(stage.session.waiting_input() >= 64'000);
  CHECK(stage.session.deadline_ms() == UINT64_MAX);  // the handler takes its time
  // Others are served meanwhile.
  stage.script.request = [](Exchange&) { return http::Service::BodyMode::Buffer; };
  stage.script.body_end = [](Exchange& exchange) { exchange.send("other"); };
  CHECK(stage.feed(get(3)) == "H3:200 D3:5.");
  stage.script.body_end = [&](Exchange& exchange) { exchange.send(std::to_string(come.size())); };
  stage.session.resume(*paused, [](Exchange& exchange, void*) { exchange.resume_body(); }, nullptr);
  CHECK(come.size() == 64'000);
  CHECK(stage.take() == "W1:129536");  // twice as much as before
  CHECK(stage.feed(data(1, "end", 1)) == "H1:200 D1:5.");
  CHECK(stage.reader.body(1) == "64003");
}

TEST_CASE("streams: a handler that reads gets larger windows, up to a bound") {
  H2Stage stage;
  stage.script.request = [](Exchange& exchange) {
    exchange.set_body_limit(UINT64_MAX);
    return http::Service::BodyMode::Stream;
  };
  (void)stage.feed(post(1, "/"));
  size_t largest = 0;
  for (int i = 0; i < 1000; ++i) {
    const std::string said = stage.feed(data(1, std::string(16'000, 'x')));
    REQUIRE(!said.contains('G'));
    if (const size_t at = said.find("W1:"); at != std::string::npos)
      largest = std::max(largest, size_t{std::stoul(said.substr(at + 3))});
  }
  CHECK(largest > 512 * 1024);
  CHECK(largest <= stage.harness.options.most_window_bytes);
  CHECK(stage.feed(data(1, "", 1)) == "H1:200 D1:5.");
}

TEST_CASE("streams: trailers reach the handler, but for what no trailer may say") {
  H2Stage stage;
  std::string seen;
  stage.script.body_end = [&](Exchange& exchange) {
    for (const http::HeaderSlot& slot : exchange.request.trailers())
      seen.append(exchange.request.trailer_view(slot.name))
          .append("=")
          .append(exchange.request.trailer_view(slot.value))
          .append(" ");
    exchange.send(exchange.request.body());
  };
  CHECK(stage.feed(
            post(1, "/") + data(1, "body") +
            headers(1, hpack({{"x-one", "1"}, {"host", "b"}, {"content-length", "9"}, {"x-two", ""}}))) ==
        "H1:200 D1:4.");
  CHECK(seen == "x-one=1 x-two= ");
}

TEST_CASE("streams: a pinned body is sent in slices, and let go when the last has left") {
  H2Stage stage(setting(4, 1 << 20));
  (void)stage.feed(window(0, 1 << 20));
  Pinned body(50'000);
  stage.script.body_end = [&](Exchange& exchange) { exchange.send_pinned(body.bytes, body.release()); };
  stage.session.feed(get(1));
  // What is queued is the body itself.
  size_t own = 0;
  stage.session.output().for_each_piece([&](std::string_view piece) {
    if (piece.data() >= body.bytes.data() && piece.data() < body.bytes.data() + body.bytes.size())
      own += piece.size();
    return true;
  });
  CHECK(own == body.bytes.size());
  CHECK(stage.harness.exchanges.out() == 0);
  stage.session.sent(stage.session.output().size() - 1);
  CHECK(body.releases == 0);
  stage.session.sent(1);
  CHECK(body.releases == 1);
}

TEST_CASE("streams: a body that is broken off stays until its slices have left") {
  H2Stage stage;
  Pinned body(200'000);
  stage.script.body_end = [&](Exchange& exchange) { exchange.send_pinned(body.bytes, body.release()); };
  SECTION("by the client") {
    stage.session.feed(get(1) + reset(1));
    CHECK(body.releases == 0);
    CHECK(stage.harness.environment.streams.out() == 0);
    CHECK(stage.take().starts_with("H1:200 D1:16384"));
  }
  SECTION("with the connection") {
    stage.session.feed(get(1));
    stage.session.disconnect();
    CHECK(body.releases == 0);
    stage.session.output().clear();
  }
  SECTION("before anything of it was sent") {
    (void)stage.feed(settings(setting(4, 0)));
    CHECK(stage.feed(get(1)) == "H1:200");
    (void)stage.feed(reset(1));
  }
  CHECK(body.releases == 1);
}

TEST_CASE("streams: copied pieces that are broken off stay until they have left") {
  H2Stage stage;
  stage.script.body_end = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    for (int i = 0; i < 100; ++i) exchange.write(std::string(1000, static_cast<char>('a' + i % 26)));
    exchange.suspend();
  };
  stage.session.feed(get(1));
  stage.session.feed(reset(1) + get(3));
  const std::string said = stage.take();
  CHECK(stage.reader.body(1).size() <= 65'535);
  for (size_t i = 0; i < stage.reader.body(1).size(); ++i)
    REQUIRE(stage.reader.body(1)[i] == static_cast<char>('a' + i / 1000 % 26));
  CHECK(stage.script.calls.starts_with("request body_end cancel done request body_end "));
}

TEST_CASE("streams: the more urgent goes first, and what is of use in parts takes turns") {
  H2Stage stage;
  Pinned one(40'000), two(40'000), three(40'000), urgent(40'000);
  stage.script.body_end = [&](Exchange& exchange) {
    Pinned& body = exchange.request.path() == "/1"   ? one
                   : exchange.request.path() == "/3" ? two
                   : exchange.request.path() == "/5" ? three
                                                     : urgent;
    exchange.send_pinned(body.bytes, body.release());
  };
  const auto ask = [](uint32_t id, std::string_view priority) {
    return headers(id, request_block("/" + std::to_string(id), "GET", {{"priority", priority}}));
  };
  (void)stage.feed(settings(setting(4, 0)));
  SECTION("by their fields") {
    CHECK(stage.feed(ask(1, "u=5") + ask(3, "u=3, i") + ask(5, "u=3, i") + ask(7, "u=0")) ==
          "H1:200 H3:200 H5:200 H7:200");
  }
  SECTION("by what is said later, or before") {
    const auto update = [](uint32_t id, std::string_view priority) {
      return frame(16, 0, 0, number_32(id).append(priority));
    };
    CHECK(stage.feed(ask(1, "u=1") + ask(3, "i=?0") + ask(5, "u=9, i") + update(7, "u=0") + ask(7, "u=7") +
                     update(1, "u=5") + update(3, "i")) == "H1:200 H3:200 H5:200 H7:200");
  }
  CHECK(
      stage.feed(settings(setting(4, 100'000)) + window(0, 1 << 20)) ==
      "S+ D7:16384 D7:16384 D7:7232. D3:16384 D5:9151 D3:16384 D5:16384 D3:7232. D5:14465. D1:16384 D1:16384 D1:7232."s);
  CHECK(one.releases + two.releases + three.releases + urgent.releases == 4);
}

TEST_CASE("streams: a handler that writes more than is taken waits, and goes on") {
  H2Stage stage;
  stage.script.body_end = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.suspend();
    int written = 0;
    while (exchange.write(std::string(10'000, 'x')) && written < 1000) ++written;
    CHECK(written < 60);
  };
  int more = 5;
  stage.script.writable = [&](Exchange& exchange) {
    while (more > 0)
      if (--more; !exchange.write(std::string(100'000, 'y'))) return;
    exchange.end();
  };
  CHECK(stage.feed(get(1)).starts_with("H1:200 D1:10000"));
  CHECK(stage.script.calls == "request body_end ");
  std::string said;
  for (int i = 0; i < 100 && !said.ends_with('.'); ++i)
    said = stage.feed(window(0, 50'000) + window(1, 50'000));
  CHECK(said.ends_with('.'));
  CHECK(std::ranges::count(stage.reader.body(1), 'y') == 500'000);
  CHECK(stage.script.calls.contains("writable "));
  CHECK(stage.script.calls.ends_with("done "));
}

TEST_CASE("streams: trailers of an answer wait for its body") {
  H2Stage stage(setting(4, 0));
  stage.script.body_end = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write("abc");
    CHECK(exchange.add_trailer("X-Sum", "3"));
    exchange.end();
  };
  CHECK(stage.feed(get(1)) == "H1:200");
  CHECK(stage.harness.exchanges.out() == 1);  // they are in it
  CHECK(stage.feed(window(1, 10)) == "D1:3 H1:-.");
  CHECK(stage.reader.fields() == "x-sum: 3\n");
  // And go with it.
  (void)stage.feed(get(3));
  CHECK(stage.feed(reset(3)).empty());
  CHECK(stage.script.calls == "request body_end done request body_end done ");
}

TEST_CASE("streams: an answer that is given up is broken off alone") {
  H2Stage stage;
  stage.script.body_end = [](Exchange& exchange) {
    if (exchange.request.path() == "/ok") {
      exchange.send("ok");
      return;
    }
    if (exchange.request.path() == "/late") {
      exchange.begin(100);
      exchange.write("some");
    }
    exchange.abort();
  };
  CHECK(stage.feed(get(1, "/early") + get(3, "/late") + get(5, "/ok")) ==
        "R1:INTERNAL_ERROR H3:200 D3:4 R3:INTERNAL_ERROR H5:200 D5:2.");
  CHECK(!stage.session.finished());
}

TEST_CASE("streams: a client that takes a request back ends it, and no other") {
  H2Stage stage;
  stage.suspend_all();
  (void)stage.feed(get(1, "/1") + get(3, "/3"));
  CHECK(stage.feed(reset(1)).empty());
  CHECK(stage.script.calls == "request body_end request body_end cancel done ");
  CHECK(stage.script.cut.status == 499);
  stage.answer_all();
  CHECK(stage.take() == "H3:200 D3:2.");
}

TEST_CASE("streams: a request that nobody answers in time is a 504") {
  H2Stage stage;
  stage.script.body_end = [](Exchange& exchange) { exchange.suspend(); };
  (void)stage.feed(get(1));
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + stage.harness.limits.answer_timeout_ms);
  (void)stage.pass(1'000);
  (void)stage.feed(get(3));
  CHECK(stage.pass(stage.harness.limits.answer_timeout_ms - 1'000).starts_with("H1:504 "));
  CHECK(stage.script.calls.ends_with("late done "));
  CHECK(stage.pass(1'000).starts_with("H3:504 "));
  CHECK(!stage.session.finished());
}

TEST_CASE("streams: a request that its service wants later keeps what comes of it") {
  H2Stage stage;
  bool later = false;
  Exchange* held = nullptr;
  stage.script.request = [&](Exchange& exchange) {
    if (!later) {
      exchange.hold();
      held = &exchange;
    }
    return http::Service::BodyMode::Buffer;
  };
  stage.script.body_end = [](Exchange& exchange) { exchange.send(exchange.request.body()); };
  CHECK(stage.feed(post(1, "/") + data(1, "some") + data(1, "thing", 1)).empty());
  CHECK(stage.script.calls == "request ");
  later = true;
  stage.session.resume(*held, [](Exchange& exchange, void*) { exchange.release(); }, nullptr);
  CHECK(stage.take() == "H1:200 D1:9.");
  CHECK(stage.script.calls == "request request body_end done ");
}

TEST_CASE("streams: of one connection so many requests are served in a turn") {
  H2Stage stage;
  stage.harness.limits.pipeline_turn = 3;
  std::string all;
  for (uint32_t i = 0; i < 7; ++i) all += get(i * 2 + 1);
  CHECK(stage.feed(all) == "H1:200 D1:5. H3:200 D3:5. H5:200 D5:5.");
  CHECK(stage.session.wants_turn());
  stage.session.take_turn();
  CHECK(stage.take() == "H7:200 D7:5. H9:200 D9:5. H11:200 D11:5.");
  CHECK(stage.feed(get(15)).empty());
  stage.session.take_turn();
  CHECK(stage.take() == "H13:200 D13:5. H15:200 D15:5.");
  CHECK(!stage.session.wants_turn());
}

TEST_CASE("streams: a connection that drains loses nothing that is on its way") {
  H2Stage stage;
  stage.suspend_all();
  (void)stage.feed(get(1, "/1"));
  stage.session.drain(stage.harness.worker.now_ms + 1000);
  CHECK(stage.take() == "G2147483647:NO_ERROR P");
  // What its client sent before it heard of that is served.
  CHECK(stage.feed(get(3, "/3")).empty());
  CHECK(stage.feed(frame(6, 1, 0, "farewell")) == "G3:NO_ERROR");
  // From here on nothing is, and its client knows.
  CHECK(stage.feed(get(5, "/5") + post(7, "/7") + data(7, "x", 1)).empty());
  CHECK(!stage.session.finished());
  stage.answer_all();
  CHECK(stage.take() == "H1:200 D1:2. H3:200 D3:2.");
  CHECK(stage.session.finished());
  CHECK(stage.session.linger());
  CHECK(!stage.session.cut());
}

TEST_CASE("streams: a connection that drains does not wait for ever for its client") {
  H2Stage stage;
  stage.session.drain(stage.harness.worker.now_ms + 1000);
  CHECK(stage.take() == "G2147483647:NO_ERROR P");
  CHECK(stage.feed(get(1)) == "H1:200 D1:5.");
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 1000);
  CHECK(stage.pass(1000) == "G1:NO_ERROR");
  CHECK(stage.session.finished());
}

TEST_CASE("streams: after so many requests a connection drains") {
  H2Stage stage;
  stage.harness.limits.requests_per_connection = 2;
  CHECK(stage.feed(get(1)) == "H1:200 D1:5.");
  CHECK(stage.feed(get(3)) == "H3:200 D3:5. G2147483647:NO_ERROR P");
  CHECK(stage.feed(frame(6, 1, 0, "farewell")) == "G3:NO_ERROR");
  CHECK(stage.session.finished());
}

TEST_CASE("streams: an idle connection ends, whatever else its client says") {
  H2Stage stage;
  const uint64_t idle_ms = stage.harness.limits.idle_timeout_ms;
  CHECK(stage.session.idle());
  CHECK(stage.pass(idle_ms / 2).empty());
  CHECK(stage.feed(frame(6, 0, 0, "pingping")) == "P+");
  CHECK(stage.session.deadline_ms() > stage.harness.worker.now_ms);
  (void)stage.feed(get(1));
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + idle_ms);
  CHECK(stage.pass(idle_ms - 1).empty());
  CHECK(stage.pass(1) == "G1:NO_ERROR");
  CHECK(stage.session.finished());
}

TEST_CASE("streams: a client that has ended its side gets what comes soon") {
  H2Stage stage;
  stage.suspend_all();
  (void)stage.feed(get(1, "/1") + get(3, "/3") + post(5, "/5"));
  stage.session.feed_end();
  CHECK(stage.take().starts_with("H5:400 "));
  CHECK(!stage.session.finished());
  stage.harness.worker.waiting.resize(1);
  stage.answer_all();
  CHECK(stage.take() == "H1:200 D1:2.");
  (void)stage.pass(stage.harness.limits.half_closed_timeout_ms);
  CHECK(stage.session.finished());
  CHECK(stage.script.calls.ends_with("cancel done "));
}

TEST_CASE("streams: a connection for which there is no room is told so") {
  H2Script script;
  Http2Harness harness(script);
  http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
  H2Reader reader;
  session.turn_away();
  CHECK(reader.read(HttpHarness::take(session)) == "S W0:4128769 G0:ENHANCE_YOUR_CALM");
  CHECK(session.finished());
  session.disconnect();
}

TEST_CASE("streams: a reload changes what the next connections are told") {
  H2Script script;
  Http2Harness harness(script);
  harness.options.header_table_bytes = 0;
  harness.options.window_bytes = 100;
  http2::Session session(harness.environment, http::peer_at("192.0.2.1"));
  session.feed(hello());
  const std::vector<H2Frame> frames = read_frames(HttpHarness::take(session));
  CHECK(frames[0].payload == setting(3, 128) + setting(4, 100) + setting(6, 40 * 1024) + setting(8, 1) +
                                 setting(9, 1) + setting(1, 0));
  // Until its client has agreed it may keep fields.
  session.feed(headers(1, request_block("/") + "\x40\x01x\x01y"s));
  H2Reader reader;
  CHECK(reader.read(HttpHarness::take(session)) == "H1:200 D1:5.");
  session.feed(frame(4, 1, 0) + headers(3, "\x20"s + request_block("/")));
  CHECK(reader.read(HttpHarness::take(session)) == "H3:200 D3:5.");
  session.feed(headers(5, request_block("/") + "\xbe"s));
  CHECK(reader.read(HttpHarness::take(session)) == "G3:COMPRESSION_ERROR");
  session.disconnect();
}

TEST_CASE("streams: early hints go before the answer") {
  constexpr std::string_view kLinks[] = {"</a.css>; rel=preload; as=style",
                                         "</b.js>; rel=preload; as=script"};
  H2Stage stage;
  stage.script.body_end = [&](Exchange& exchange) {
    CHECK(exchange.send_hints(kLinks));
    exchange.send(exchange.request.path());
    CHECK_FALSE(exchange.send_hints(kLinks));
  };
  CHECK(stage.feed(get(1, "/a")) == "H1:103 H1:200 D1:2.");
  SECTION("with their links") {
    stage.script.body_end = [&](Exchange& exchange) {
      CHECK(exchange.send_hints(kLinks));
      exchange.suspend();
    };
    CHECK(stage.feed(get(3)) == "H3:103");
    CHECK(stage.reader.fields() ==
          ":status: 103\nlink: </a.css>; rel=preload; as=style\nlink: </b.js>; rel=preload; as=script\n");
  }
  SECTION("beside a 100") {
    stage.script.request = [&](Exchange& exchange) {
      CHECK(exchange.send_hints(kLinks));
      return http::Service::BodyMode::Buffer;
    };
    CHECK(stage.feed(post(3, "/b", {{"expect", "100-continue"}})) == "H3:103 H3:100");
    CHECK(stage.feed(data(3, "x", 1)) == "H3:103 H3:200 D3:2.");
  }
  SECTION("not to one that has been taken back") {
    stage.script.request = [&](Exchange& exchange) {
      exchange.suspend();
      return http::Service::BodyMode::Buffer;
    };
    (void)stage.feed(post(3, "/b"));
    CHECK(stage.feed(reset(3)).empty());
  }
  SECTION("not where they do not fit, or memory is out") {
    const std::string long_link(20'000, 'x');
    stage.script.body_end = [&](Exchange& exchange) {
      const std::string_view links[] = {long_link};
      CHECK(exchange.send_hints(links));
      exchange.send("hello");
    };
    CHECK(stage.feed(get(3)) == "H3:200 D3:5.");
  }
}

}  // namespace leat::test

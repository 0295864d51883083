// The session's contract with its service: what handlers may do at each step, and what becomes of requests
// whose client, memory or time runs out. What is said on the wire is in the wire scripts.
#include "http1/session.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <optional>

#include "support/http_harness.h"

namespace leat::test {

namespace {

using http::Exchange;

// A service made of functions; one that is not set does nothing, and buffers bodies.
class Script final : public http::Service {
 public:
  std::function<BodyMode(Exchange&)> request = [](Exchange&) { return BodyMode::Buffer; };
  std::function<void(Exchange&, std::string_view)> body = [](Exchange&, std::string_view) {};
  std::function<void(Exchange&)> body_end = [](Exchange& exchange) { exchange.send("hello"); };
  std::function<void(Exchange&)> writable = [](Exchange&) {};
  std::function<void(Exchange&)> response = [](Exchange&) {};
  std::function<void(Exchange&)> cancel = [](Exchange&) {};

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
  void on_response(Exchange& exchange) override {
    calls += "response ";
    response(exchange);
    exchange.filter_answer(0);
  }
  void on_late(Exchange&) override { calls += "late "; }
  void on_cancel(Exchange& exchange) override {
    calls += "cancel ";
    cancel(exchange);
  }
  void on_done(Exchange&) override { calls += "done "; }

  std::string calls;
};

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// One session and all it needs; ends with everything given back.
struct Stage {
  Script script;
  HttpHarness harness{script};
  http1::Session session{harness.environment, "192.0.2.1", 0};

  ~Stage() {
    session.disconnect();
    session.output().clear();
    CHECK(harness.exchanges.out() == 0);
    CHECK(harness.worker.blocks().out() == 0);
  }
  std::string feed(std::string_view bytes) {
    session.feed(bytes);
    return HttpHarness::take(session);
  }
  [[nodiscard]] uint64_t now_ms() const { return harness.worker.now_ms; }
  void pass(uint64_t ms) {
    harness.worker.now_ms += ms;
    session.deadline_passed();
  }
};

std::string head_of(std::string_view path, std::string_view fields) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("session: a request that nobody answers in time is a 504, and its connection goes on") {
  Stage stage;
  stage.script.request = [](Exchange& exchange) {
    if (exchange.request.path() == "/never") exchange.suspend();
    return http::Service::BodyMode::Buffer;
  };
  stage.script.body_end = [](Exchange& exchange) {
    if (exchange.request.path() != "/never") exchange.send("here");
  };
  CHECK(stage.feed(head_of("/never", "Content-Length: 2\r\n") + "0").empty());
  stage.pass(5'000);
  // The time that counts begins with the last byte of the request.
  CHECK(stage.feed("1").empty());
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 120'000);
  stage.pass(119'999);
  CHECK(HttpHarness::take(stage.session).empty());
  stage.pass(1);
  const std::string answer = HttpHarness::take(stage.session);
  CHECK(answer.starts_with("HTTP/1.1 504 "));
  CHECK(answer.contains("The server did not answer in time."));
  CHECK(stage.script.calls == "request body_end late response done ");
  CHECK(stage.feed(head_of("/", "Content-Length: 0\r\n")).ends_with("here"));
}

TEST_CASE("session: an answer that has begun has no deadline of its own") {
  Stage stage;
  stage.script.request = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.suspend();
    return http::Service::BodyMode::Discard;
  };
  CHECK(stage.feed(head_of("/", "Content-Length: 0\r\n")).starts_with("HTTP/1.1 200 "));
  CHECK(stage.session.deadline_ms() == UINT64_MAX);
}

TEST_CASE("session: a suspended request whose client leaves is cancelled once, and done once") {
  Stage stage;
  stage.script.body_end = [](Exchange& exchange) { exchange.suspend(); };
  CHECK(stage.feed(kGet).empty());
  stage.session.disconnect();
  CHECK(stage.script.calls == "request body_end cancel done ");
  stage.session.disconnect();
  CHECK(stage.script.calls == "request body_end cancel done ");
}

TEST_CASE("session: a handler that gives up ends the connection, wherever it does so") {
  Stage stage;
  std::string request(kGet);
  SECTION("with the head") {
    stage.script.request = [](Exchange& exchange) {
      exchange.abort();
      return http::Service::BodyMode::Buffer;
    };
    SECTION("of a request without a body") {}
    SECTION("of one with a body") { request = head_of("/", "Content-Length: 5\r\n") + "hello"; }
    SECTION("of one that waits for 100") {
      request = head_of("/", "Content-Length: 5\r\nExpect: 100-continue\r\n");
    }
  }
  SECTION("with a piece of the body") {
    stage.script.request = [](Exchange&) { return http::Service::BodyMode::Stream; };
    stage.script.body = [](Exchange& exchange, std::string_view) { exchange.abort(); };
    request = head_of("/", "Content-Length: 5\r\n") + "hello";
  }
  SECTION("at the body's end") {
    stage.script.body_end = [](Exchange& exchange) { exchange.abort(); };
  }
  stage.session.feed(request + std::string(kGet));
  CHECK(stage.session.finished());
  CHECK(stage.session.cut());
  CHECK(HttpHarness::take(stage.session).empty());
  CHECK(stage.script.calls.find("done ") == stage.script.calls.size() - 5);
  CHECK(stage.script.calls.find("request", 1) == std::string::npos);
}

TEST_CASE("session: a handler that gives up when its timer runs, or when it may write again") {
  Stage stage;
  SECTION("timer") {
    stage.script.body_end = [](Exchange& exchange) {
      CHECK(exchange.worker().resume_after(
          exchange.suspend(), 1, [](Exchange& later, void*) { later.abort(); }, nullptr));
    };
    stage.feed(kGet);
    stage.harness.resume_all();
  }
  SECTION("writable") {
    stage.script.body_end = [](Exchange& exchange) {
      exchange.begin(std::nullopt);
      while (exchange.write(std::string(1000, 'x'))) {
      }
    };
    stage.script.writable = [](Exchange& exchange) { exchange.abort(); };
    stage.feed(kGet);
  }
  CHECK(stage.session.cut());
  CHECK(stage.session.finished());
}

TEST_CASE("session: what a handler answers when it is told of a bad body is not sent") {
  Stage stage;
  bool answered = true;
  stage.script.cancel = [&](Exchange& exchange) {
    CHECK(exchange.cancelled());
    answered = exchange.send("late");
  };
  const std::string out = stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "zz\r\n");
  CHECK_FALSE(answered);
  CHECK(out.starts_with("HTTP/1.1 400 "));
  CHECK(out.find("late") == std::string::npos);
  CHECK(stage.script.calls == "request cancel response done ");
}

TEST_CASE("session: a streamed answer is cut, and its handler told, when the request's body turns bad") {
  Stage stage;
  stage.script.request = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    return http::Service::BodyMode::Stream;
  };
  stage.script.body = [](Exchange& exchange, std::string_view piece) { exchange.write(piece); };
  const std::string out = stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\nzz\r\n");
  CHECK(out.ends_with("3\r\nabc\r\n"));
  CHECK(stage.session.cut());
  CHECK(stage.script.calls == "request response cancel done ");
}

TEST_CASE("session: the time in which a handler pauses a body is not the client's") {
  Stage stage;
  Exchange* exchange = nullptr;
  stage.script.request = [&](Exchange& begun) {
    exchange = &begun;
    begun.pause_body();
    return http::Service::BodyMode::Stream;
  };
  std::string received;
  stage.script.body = [&](Exchange&, std::string_view piece) { received += piece; };
  stage.feed(head_of("/", "Content-Length: 10\r\n") + "01234");
  CHECK_FALSE(stage.session.wants_input());
  CHECK(stage.session.deadline_ms() == UINT64_MAX);
  stage.pass(60'000);
  CHECK(received.empty());
  CHECK(stage.harness.worker.resume_after(
      exchange->ticket(), 0, [](Exchange& paused, void*) { paused.resume_body(); }, nullptr));
  stage.harness.resume_all();
  CHECK(received == "01234");
  CHECK(stage.session.wants_input());
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 10'000);
  stage.pass(9'000);
  CHECK_FALSE(stage.session.finished());
  SECTION("and the body goes on") {
    const std::string out = stage.feed("56789");
    CHECK(received == "0123456789");
    CHECK(out.ends_with("hello"));
  }
  SECTION("but what comes after it is") {
    stage.pass(1'000);
    CHECK(HttpHarness::take(stage.session).starts_with("HTTP/1.1 408 "));
  }
}

TEST_CASE("session: a streamed body goes on after events that brought none of it") {
  Stage stage;
  stage.harness.limits.output_high_bytes = 3;
  stage.harness.limits.output_low_bytes = 1;
  Exchange* exchange = nullptr;
  std::string received;
  stage.script.request = [&](Exchange& begun) {
    exchange = &begun;
    begun.begin(std::nullopt);
    return http::Service::BodyMode::Stream;
  };
  stage.script.body = [&](Exchange& streamed, std::string_view piece) {
    received += piece;
    CHECK_FALSE(streamed.write(piece));
  };
  stage.script.body_end = [](Exchange& streamed) { streamed.end(); };
  const bool chunked = GENERATE(false, true);
  std::string out = stage.feed(chunked ? head_of("/", "Transfer-Encoding: chunked\r\n") + "a\r\n01234"
                                       : head_of("/", "Content-Length: 10\r\n") + "01234");
  CHECK(stage.script.calls == "request response writable ");
  CHECK(stage.harness.worker.resume_after(exchange->ticket(), 0, [](Exchange&, void*) {}, nullptr));
  stage.harness.resume_all();
  out += stage.feed("567");
  stage.harness.worker.now_ms += 1;
  out += stage.feed(chunked ? "89\r\n0\r\n\r\n" : "89");
  CHECK(received == "0123456789");
  CHECK(out.ends_with("5\r\n01234\r\n3\r\n567\r\n2\r\n89\r\n0\r\n\r\n"));
  CHECK(stage.session.idle());
}

TEST_CASE("session: a paused body is read over, and in time, once the answer is finished") {
  Stage stage;
  stage.script.request = [&](Exchange& exchange) {
    exchange.pause_body();
    exchange.send("early");
    return http::Service::BodyMode::Stream;
  };
  CHECK(stage.feed(head_of("/", "Content-Length: 10\r\n")).ends_with("early"));
  SECTION("it comes") {
    CHECK(stage.feed("0123456789").empty());
    CHECK(stage.session.idle());
  }
  SECTION("it does not come") {
    CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 10'000);
    stage.pass(10'000);
    CHECK(stage.session.finished());
    CHECK_FALSE(stage.session.cut());
  }
}

TEST_CASE("session: blank lines take the time of the head that they stand before") {
  Stage stage;
  const uint64_t head = stage.harness.limits.head_timeout_ms;
  SECTION("drop by drop") {
    CHECK(stage.feed("\r").empty());
    stage.pass(head / 2);
    CHECK(stage.feed("\n").empty());
    CHECK(stage.session.idle());
    stage.pass(head / 2);
    CHECK(stage.session.finished());
    CHECK(stage.session.output().empty());
  }
  SECTION("with a head that does not end") {
    stage.feed("\r\n");
    stage.pass(head / 2);
    stage.feed("GET / HTTP/1.1\r\n");
    stage.pass(head / 2);
    CHECK(HttpHarness::take(stage.session).starts_with("HTTP/1.1 408"));
  }
  SECTION("and none once a request has come") {
    CHECK(stage.feed("\r\n" + std::string(kGet)).starts_with("HTTP/1.1 200"));
    stage.pass(head);
    CHECK_FALSE(stage.session.finished());
    CHECK(stage.feed("\r\n" + std::string(kGet)).starts_with("HTTP/1.1 200"));
  }
}

TEST_CASE(
    "session: an answer in pieces keeps its connection if little of the request's body is left at its end") {
  Stage stage;
  const uint64_t size = 200'000;
  const std::string head = head_of("/", "Content-Length: " + std::to_string(size) + "\r\n");
  stage.script.request = [](Exchange& exchange) {
    exchange.begin(std::nullopt);
    return http::Service::BodyMode::Stream;
  };
  uint64_t seen = 0, enough = 0;
  stage.script.body = [&](Exchange& exchange, std::string_view piece) {
    seen += piece.size();
    if (seen < enough) return;
    exchange.write("enough");
    exchange.end();
  };
  SECTION("none") {
    enough = size;
    const std::string answer = stage.feed(head + std::string(size, 'x'));
    CHECK(answer.ends_with("enough\r\n0\r\n\r\n"));
    CHECK_FALSE(answer.contains("Connection: close"));
    CHECK_FALSE(stage.session.finished());
  }
  SECTION("little") {
    enough = size - 1000;
    CHECK_FALSE(stage.feed(head + std::string(size - 1000, 'x')).contains("Connection: close"));
    CHECK_FALSE(stage.session.finished());
    stage.script.request = [](Exchange&) { return http::Service::BodyMode::Buffer; };
    CHECK(stage.feed(std::string(1000, 'x') + std::string(kGet)).ends_with("hello"));
  }
  SECTION("much") {
    enough = 1;
    CHECK(stage.feed(head + "x").ends_with("enough\r\n0\r\n\r\n"));
    CHECK(stage.session.finished());
    CHECK(stage.session.linger());
    CHECK_FALSE(stage.session.cut());
  }
}

TEST_CASE(
    "session: whoever stores answers is shown the 500 that takes the place of one that cannot be sent") {
  struct Keeper final : http::AnswerFilter {
    Wants on_answer(Exchange& exchange, http::AnswerBody& body) override {
      exchange.mend_head(body);
      status = exchange.response.status;
      whole = body.whole.has_value();
      return Wants::Watch;
    }
    void on_piece(Exchange&, std::string_view, http::Onward&) override { FAIL("the answer is whole"); }
    void on_end(Exchange&, http::Onward&) override { FAIL("the answer is whole"); }
    uint16_t status = 0;
    bool whole = false;
  } keeper;
  const http::FilterStep step{.filter = &keeper};
  Stage stage;
  const int way = GENERATE(0, 1, 2);
  const std::string large(Block::kSize, 'x');
  stage.script.body_end = [&](Exchange& exchange) {
    exchange.set_filters({&step, 1});
    CHECK(exchange.response.add("X-Large", large));
    bool released = false;
    if (way == 0) exchange.send(large);
    if (way == 1)
      exchange.send_pinned(large, {[](void* flag) { *static_cast<bool*>(flag) = true; }, &released});
    if (way == 2) exchange.begin(std::nullopt);
    CHECK(released == (way == 1));
    CHECK(exchange.finished());
  };
  CHECK(stage.feed(kGet).starts_with("HTTP/1.1 500"));
  CHECK(keeper.status == 500);
  CHECK(keeper.whole);
}

TEST_CASE("session: an answer that is still leaving keeps the connection from being idle") {
  Stage stage;
  stage.session.feed(kGet);
  REQUIRE_FALSE(stage.session.output().empty());
  CHECK(stage.session.deadline_ms() == UINT64_MAX);
  HttpHarness::take(stage.session);
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 75'000);
}

TEST_CASE("session: a body limit of its own holds for one request") {
  Stage stage;
  uint64_t limit = 4;
  stage.script.request = [&](Exchange& exchange) {
    exchange.set_body_limit(limit);
    return http::Service::BodyMode::Buffer;
  };
  stage.script.body_end = [](Exchange& exchange) { exchange.send(exchange.request.body()); };
  SECTION("by length, at the limit") {
    CHECK(stage.feed(head_of("/", "Content-Length: 4\r\n") + "1234").ends_with("\n1234"));
  }
  SECTION("by length, past it, before the body") {
    CHECK(stage.feed(head_of("/", "Content-Length: 5\r\n")).starts_with("HTTP/1.1 413 "));
    CHECK(stage.script.calls == "request cancel response done ");
  }
  SECTION("in chunks, at the limit") {
    CHECK(stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "2\r\n12\r\n2\r\n34\r\n0\r\n\r\n")
              .ends_with("\n1234"));
  }
  SECTION("in chunks, past it") {
    CHECK(stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "2\r\n12\r\n3\r\n345\r\n")
              .starts_with("HTTP/1.1 413 "));
  }
  SECTION("raised past the usual one") {
    limit = uint64_t{9} << 20;
    const std::string body(limit, 'x');
    const std::string head = head_of("/", "Content-Length: " + std::to_string(limit) + "\r\n");
    CHECK(stage.feed(head + body).ends_with(body));
  }
}

TEST_CASE("session: a body that would pass the limit is refused before 100 Continue invites it") {
  Stage stage;
  const std::string out = stage.feed(head_of("/", "Content-Length: 9000000\r\nExpect: 100-continue\r\n"));
  CHECK(out.starts_with("HTTP/1.1 413 "));
}

TEST_CASE("session: chunk framing may not cost more than what it frames by far") {
  Stage stage;
  stage.session.feed(head_of("/", "Transfer-Encoding: chunked\r\n"));
  std::string out;
  for (int i = 0; i < 100'000 && out.empty(); ++i)
    out = stage.feed("1;" + std::string(30, 'e') + "\r\nx\r\n");
  CHECK(out.starts_with("HTTP/1.1 400 "));
}

TEST_CASE("session: a chunked body of single bytes is taken up to the body limit") {
  Stage stage;
  stage.script.body_end = [](Exchange& exchange) {
    exchange.send(std::to_string(exchange.request.body().size()));
  };
  std::string body;
  for (int i = 0; i < 100'000; ++i) body += "1\r\nx\r\n";
  CHECK(
      stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + body + "0\r\n\r\n").ends_with("\n100000"));
}

TEST_CASE("session: the last request that a connection may ask is answered with a close") {
  Script script;
  HttpHarness harness(script);
  harness.limits.requests_per_connection = 3;
  http1::Session session(harness.environment, "", 0);
  std::string all;
  for (int i = 0; i < 10; ++i) all += kGet;
  session.feed(all);
  const std::string out = HttpHarness::take(session);
  CHECK(session.finished());
  CHECK(session.requests() == 3);
  CHECK(out.find("Connection: close") > out.rfind("HTTP/1.1 "));
  session.disconnect();
}

TEST_CASE("session: with its memory gone a request is answered with 503, or cut, and nothing leaks") {
  for (const size_t blocks : {0U, 1U, 2U, 3U}) {
    Script script;
    HttpHarness harness(script, true, 64, blocks);
    {
      http1::Session session(harness.environment, "", 0);
      const std::string request = head_of("/", "Content-Length: 40000\r\n") + std::string(40'000, 'x');
      for (size_t at = 0; at < request.size(); at += 100)
        session.feed(std::string_view(request).substr(at, 100));
      const std::string out = HttpHarness::take(session);
      INFO(blocks << " blocks: " << out.substr(0, 40));
      CHECK((session.cut() || out.starts_with("HTTP/1.1 503 ") || out.starts_with("HTTP/1.1 200 ")));
      session.disconnect();
    }
    CHECK(harness.worker.blocks().out() == 0);
    CHECK(harness.segments.out() == 0);
    CHECK(harness.exchanges.out() == 0);
  }
}

TEST_CASE("session: ending its side twice, or after the end, is nothing new") {
  Stage stage;
  stage.script.body_end = [](Exchange& exchange) { exchange.suspend(); };
  stage.feed(kGet);
  stage.session.feed_end();
  stage.session.feed_end();
  CHECK_FALSE(stage.session.finished());
  CHECK_FALSE(stage.session.wants_input());
  stage.session.disconnect();
  stage.session.feed_end();
  stage.session.feed(kGet);
  CHECK(stage.script.calls == "request body_end cancel done ");
}

TEST_CASE("session: a request that is answered after its client has ended its side is done once") {
  Stage stage;
  std::optional<http::Ticket> ticket;
  stage.script.body_end = [&](Exchange& exchange) { ticket = exchange.suspend(); };
  const std::string_view behind = GENERATE("", "\r\n");  // which some clients send
  stage.feed(std::string(kGet) + std::string(behind));
  stage.session.feed_end();
  stage.harness.worker.waiting.push_back(
      {*ticket, [](Exchange& exchange, void*) { exchange.send("late"); }, nullptr, 0});
  stage.harness.resume_all();
  CHECK(HttpHarness::take(stage.session).ends_with("late"));
  CHECK(stage.session.finished());
  CHECK(stage.script.calls == "request body_end response done ");
}

TEST_CASE("session: a request that waits is given up soon after its client has ended its side") {
  Stage stage;
  std::optional<http::Ticket> ticket;
  stage.script.body_end = [&](Exchange& exchange) {
    if (exchange.request.path() == "/")
      ticket = exchange.suspend();
    else
      exchange.send("at once");
  };
  const std::string ahead = "GET /ahead HTTP/1.1\r\nHost: a\r\n\r\n";
  const bool unread = GENERATE(false, true);  // something is still on its way to be fed
  CHECK(stage.feed(ahead + std::string(kGet) + (unread ? ahead : "")).ends_with("at once"));
  stage.script.calls.clear();
  if (unread) {
    stage.session.peer_ended();
  } else {
    stage.session.feed_end();
  }
  CHECK_FALSE(stage.session.finished());
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 200);
  stage.pass(199);
  CHECK(stage.script.calls.empty());
  SECTION("and not where its answer comes in time") {
    stage.harness.worker.waiting.push_back(
        {*ticket, [](Exchange& exchange, void*) { exchange.send("in time"); }, nullptr, 0});
    stage.harness.resume_all();
    const std::string out = HttpHarness::take(stage.session);
    CHECK(out.contains("in time"));
    CHECK(out.ends_with("at once") == unread);
    CHECK(stage.session.finished() == !unread);
    if (unread) stage.session.feed_end();
    CHECK(stage.session.finished());
    CHECK_FALSE(stage.script.calls.contains("cancel"));
  }
  SECTION("as if it had gone") {
    stage.pass(1);
    CHECK(stage.script.calls == "cancel done ");
    CHECK(stage.session.finished());
    CHECK_FALSE(stage.session.cut());
    CHECK(stage.session.linger() == unread);
    CHECK(stage.session.output().empty());
    CHECK(stage.harness.exchanges.out() == 0);
  }
}

TEST_CASE("session: what a client sent before it ended its side has its time from when it is complete") {
  Stage stage;
  stage.script.body_end = [](Exchange& exchange) { exchange.suspend(); };
  const std::string post = head_of("/", "Content-Length: 2\r\n");
  stage.feed(post + "0");
  stage.session.peer_ended();
  stage.pass(5'000);
  stage.feed("1");
  stage.session.feed_end();
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 200);
  stage.pass(199);
  CHECK_FALSE(stage.session.finished());
  stage.pass(1);
  CHECK(stage.session.finished());
}

TEST_CASE("session: an answer in pieces goes on for a client that has ended its side while it reads") {
  Stage stage;
  stage.harness.limits.output_high_bytes = 1000;
  stage.harness.limits.output_low_bytes = 100;
  int pieces = 0;
  stage.script.writable = [&](Exchange& exchange) {
    if (++pieces == 10) return;  // what is next does not depend on the client
    exchange.write(std::string(2000, 'x'));
  };
  stage.script.body_end = [&](Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write(std::string(2000, 'x'));
  };
  stage.session.feed(kGet);
  stage.session.feed_end();
  while (pieces < 10) {
    CHECK(stage.session.deadline_ms() ==
          UINT64_MAX);  // it is for its connection to say how long a send takes
    stage.pass(1000);
    CHECK_FALSE(stage.session.finished());
    stage.session.sent(stage.session.output().size());
  }
  // Nothing more is on its way.
  CHECK(stage.session.deadline_ms() == stage.harness.worker.now_ms + 200);
  stage.pass(200);
  CHECK(stage.session.finished());
  CHECK(stage.session.cut());
  CHECK(stage.script.calls.ends_with("cancel done "));
}

TEST_CASE("session: a handler that holds the rest of a body is told that its client has left") {
  Stage stage;
  stage.script.request = [&](Exchange& exchange) {
    exchange.pause_body();
    return http::Service::BodyMode::Stream;
  };
  const bool whole = GENERATE(true, false);
  stage.feed(head_of("/", "Content-Length: 10\r\n") + (whole ? "0123456789" : "01234"));
  const bool fed = GENERATE(true, false);
  if (fed) {
    stage.session.feed_end();
  } else {
    stage.session.peer_ended();
  }
  stage.pass(200);
  CHECK(stage.session.finished());
  CHECK_FALSE(stage.session.cut());
  CHECK(stage.script.calls == "request cancel done ");
}

TEST_CASE("session: a client that has ended its side is served for as long as the limit says") {
  Stage stage;
  stage.script.body_end = [](Exchange& exchange) { exchange.suspend(); };
  SECTION("as any other") {
    stage.harness.limits.half_closed_timeout_ms = 86'400'000;
    stage.session.feed(kGet);
    stage.session.feed_end();
    stage.pass(119'999);
    CHECK_FALSE(stage.session.finished());
    stage.pass(1);
    CHECK(HttpHarness::take(stage.session).starts_with("HTTP/1.1 504 "));
    CHECK(stage.session.finished());
  }
  SECTION("or only with what is there at once") {
    stage.harness.limits.half_closed_timeout_ms = 0;
    stage.session.feed(kGet);
    stage.session.feed_end();
    stage.pass(0);
    CHECK(stage.session.finished());
    CHECK(stage.script.calls == "request body_end cancel done ");
  }
}

TEST_CASE("session: draining between requests closes, and within one lets it finish") {
  Stage stage;
  SECTION("between") {
    stage.feed(kGet);
    stage.session.drain(stage.now_ms());
    CHECK(stage.session.finished());
  }
  SECTION("between, in the time that is kept for the next one") {
    stage.feed(kGet);
    stage.session.drain(stage.now_ms() + 500);
    CHECK_FALSE(stage.session.finished());
    CHECK(stage.session.deadline_ms() == stage.now_ms() + 500);
    CHECK(stage.feed(kGet).find("Connection: close") != std::string::npos);
    CHECK(stage.session.finished());
  }
  SECTION("between, and nothing comes in that time") {
    stage.feed(kGet);
    stage.session.drain(stage.now_ms() + 500);
    stage.pass(499);
    CHECK_FALSE(stage.session.finished());
    stage.pass(1);
    CHECK(stage.session.finished());
    CHECK(stage.session.linger());  // what is on its way is not answered with a reset
  }
  SECTION("a client that pipelines is told with the last answer to what has come") {
    stage.session.drain(stage.now_ms() + 500);
    const std::string answers = stage.feed(std::string(kGet) + std::string(kGet) + std::string(kGet));
    size_t answered = 0;
    for (size_t at = 0; (at = answers.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answered;
    CHECK(answered == 3);
    CHECK(answers.find("Connection: close") > answers.rfind("HTTP/1.1 200"));
    CHECK(answers.find("Connection: close") != std::string::npos);
    CHECK(stage.session.finished());
  }
  SECTION("a body that came with its head is no further request") {
    const auto at_once = [](Exchange& exchange) {
      exchange.send("at once");
      return http::Service::BodyMode::Discard;
    };
    stage.session.drain(stage.now_ms() + 500);
    SECTION("where the answer does not wait for it") {
      stage.script.request = at_once;
      CHECK(stage.feed(head_of("/", "Content-Length: 4\r\n") + "body").contains("Connection: close"));
    }
    SECTION("nor a part of it") {
      stage.script.request = at_once;
      CHECK(stage.feed(head_of("/", "Content-Length: 4\r\n") + "bo").contains("Connection: close"));
    }
    SECTION("nor one in chunks") {
      stage.script.request = at_once;
      CHECK(stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "4\r\nbody\r\n0\r\n\r\n")
                .contains("Connection: close"));
    }
    SECTION("where a piece of it brings the answer") {
      stage.script.request = [](Exchange&) { return http::Service::BodyMode::Stream; };
      stage.script.body = [](Exchange& exchange, std::string_view) {
        if (!exchange.finished()) exchange.send("enough");
      };
      CHECK(stage.feed(head_of("/", "Transfer-Encoding: chunked\r\n") + "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n")
                .contains("Connection: close"));
    }
    SECTION("where it waits for its handler") {
      Exchange* waits = nullptr;
      stage.script.request = [&](Exchange& exchange) {
        waits = &exchange;
        exchange.pause_body();
        exchange.suspend();
        return http::Service::BodyMode::Stream;
      };
      CHECK(stage.feed(head_of("/", "Content-Length: 4\r\n") + "body").empty());
      stage.session.resume(*waits, [](Exchange& exchange, void*) { exchange.send("later"); }, nullptr);
      CHECK(HttpHarness::take(stage.session).contains("Connection: close"));
    }
    CHECK(stage.session.finished());
  }
  SECTION("but what follows the body is one") {
    stage.session.drain(stage.now_ms() + 500);
    stage.script.request = [](Exchange& exchange) {
      exchange.send("at once");
      return http::Service::BodyMode::Discard;
    };
    const std::string answers =
        stage.feed(head_of("/", "Content-Length: 4\r\n") + "body" + std::string(kGet));
    const size_t second = answers.rfind("HTTP/1.1 200");
    CHECK(second != 0);
    CHECK(answers.find("Connection: close") > second);
    CHECK(answers.contains("Connection: close"));
    CHECK(stage.session.finished());
  }
  SECTION("within") {
    stage.feed("GET / HTTP/1.1\r\nHo");
    stage.session.drain(stage.now_ms());
    CHECK_FALSE(stage.session.finished());
    CHECK(stage.feed("st: a\r\n\r\n").find("Connection: close") != std::string::npos);
    CHECK(stage.session.finished());
  }
}

TEST_CASE("session: early hints go before the answer, in its order, to who can take them") {
  constexpr std::string_view kLinks[] = {"</a.css>; rel=preload; as=style",
                                         "</b.js>; rel=preload; as=script"};
  constexpr std::string_view kHints =
      "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload; as=style\r\n"
      "Link: </b.js>; rel=preload; as=script\r\n\r\n";
  Stage stage;
  stage.harness.limits.http1_early_hints = true;
  stage.script.body_end = [&](Exchange& exchange) {
    CHECK(exchange.send_hints(kLinks));
    exchange.send("hello");
    CHECK_FALSE(exchange.send_hints(kLinks));
  };
  SECTION("ahead of it, behind the answer before") {
    const std::string out = stage.feed(std::string(kGet) + std::string(kGet));
    const size_t second = out.find("hello") + 5;
    CHECK(out.starts_with(std::string(kHints) + "HTTP/1.1 200 "));
    CHECK(out.substr(second).starts_with(std::string(kHints) + "HTTP/1.1 200 "));
  }
  SECTION("to HEAD as well") {
    const std::string out = stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(out.starts_with(std::string(kHints) + "HTTP/1.1 200 "));
    CHECK(out.ends_with("\r\n\r\n"));
  }
  SECTION("not to HTTP/1.0") { CHECK(stage.feed("GET / HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 ")); }
  SECTION("not unless it is wished") {
    stage.harness.limits.http1_early_hints = false;
    CHECK(stage.feed(kGet).starts_with("HTTP/1.1 200 "));
  }
  SECTION("beside a 100, which comes when the body is wanted") {
    stage.script.request = [&](Exchange& exchange) {
      CHECK(exchange.send_hints(kLinks));
      return http::Service::BodyMode::Buffer;
    };
    const std::string out = stage.feed(head_of("/", "Content-Length: 1\r\nExpect: 100-continue\r\n"));
    CHECK(out == std::string(kHints) + "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(stage.feed("x").starts_with(std::string(kHints) + "HTTP/1.1 200 "));
  }
  SECTION("so many times, of each request") {
    stage.script.body_end = [&](Exchange& exchange) {
      for (unsigned i = 0; i < Exchange::kMostHints; ++i) CHECK(exchange.send_hints(kLinks));
      CHECK_FALSE(exchange.send_hints(kLinks));
      exchange.send("hello");
    };
    for (int i = 0; i < 2; ++i) {
      const std::string out = stage.feed(kGet);
      size_t count = 0;
      for (size_t at = 0; (at = out.find("HTTP/1.1 103 ", at)) != std::string::npos; ++at) ++count;
      CHECK(count == Exchange::kMostHints);
    }
  }
  SECTION("not where they do not fit") {
    const std::string long_link(20'000, 'x');
    stage.script.body_end = [&](Exchange& exchange) {
      const std::string_view links[] = {long_link};
      CHECK(exchange.send_hints(links));
      exchange.send("hello");
    };
    CHECK(stage.feed(kGet).starts_with("HTTP/1.1 200 "));
  }
}

}  // namespace leat::test

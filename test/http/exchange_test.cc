// An exchange and its stream, with no protocol at all: what a handler says becomes which calls.
#include "http/exchange.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "http/service.h"
#include "support/http_harness.h"
#include "support/recording_stream.h"

namespace leat::test {

namespace {

using Calls = RecordingStream::Calls;

struct Stage {
  Stage() { show(http::Method::Get); }
  ~Stage() { harness.exchanges.give(exchange); }
  void show(http::Method method) {
    head.method = method;
    exchange.request.show_head(head);
  }
  Calls take() { return std::exchange(stream.calls, {}); }

  WireService service;
  HttpHarness harness{service};
  RecordingStream stream;
  http::Exchange& exchange = *harness.exchanges.take(stream, service, 1 << 20);
  http::Head head{.bytes = "GET / HTTP/1.1\r\n\r\n", .size = 18, .target = {4, 1}, .path = {4, 1}};
};

}  // namespace

TEST_CASE("exchange: a whole answer is one call of its stream") {
  Stage stage;
  CHECK(stage.exchange.send("hello"));
  CHECK(stage.exchange.finished());
  CHECK_FALSE(stage.exchange.send("again"));
  CHECK_FALSE(stage.exchange.begin(std::nullopt));
  stage.exchange.abort();
  CHECK(stage.take() == Calls{"answer 200 length 5 'hello'"});
}

TEST_CASE("exchange: a stream gets the body of an answer to HEAD, and is told not to send it") {
  Stage stage;
  stage.show(http::Method::Head);
  CHECK(stage.exchange.send("hello"));
  CHECK(stage.take() == Calls{"answer 200 length 5 'hello' head only"});
}

TEST_CASE("exchange: the status decides whether there is a body") {
  Stage stage;
  stage.exchange.response.status = 204;
  CHECK(stage.exchange.send("dropped"));
  CHECK(stage.take() == Calls{"answer 204 none 'dropped' head only"});
}

TEST_CASE("exchange: a long body stays where it is, and is let go of once whatever becomes of it") {
  const std::string body(http::Exchange::kLeastPinned, 'x');
  int released = 0;
  const http::Release release{[](void* count) { ++*static_cast<int*>(count); }, &released};
  Stage stage;
  CHECK(stage.exchange.send_pinned(body, release));
  CHECK(stage.take() == Calls{"answer 200 length 4096 'xxxxxxxxxx' pinned"});
  CHECK(released == 1);
  CHECK_FALSE(stage.exchange.send_pinned(body, release));
  CHECK(released == 2);
  Stage another;
  CHECK(another.exchange.send_pinned("short", release));
  CHECK(another.take() == Calls{"answer 200 length 5 'short'"});
  CHECK(released == 3);
}

TEST_CASE("exchange: an answer in pieces") {
  Stage stage;
  CHECK(stage.exchange.begin(std::nullopt));
  CHECK(stage.exchange.write("one"));
  stage.stream.takes_more = false;
  CHECK_FALSE(stage.exchange.write("two"));
  CHECK(http::StreamSide(stage.exchange).take_blocked());
  CHECK_FALSE(http::StreamSide(stage.exchange).take_blocked());
  CHECK(stage.exchange.add_trailer("X-Sum", "2"));
  CHECK(stage.exchange.end());
  CHECK_FALSE(stage.exchange.write("late"));
  CHECK_FALSE(stage.exchange.end());
  CHECK(stage.take() == Calls{"continue", "head 200 unknown", "data 'one'", "data 'two'", "end, 1 trailers"});
}

TEST_CASE("exchange: no more is written than was announced, and less is a cut") {
  Stage stage;
  CHECK(stage.exchange.begin(5));
  CHECK(stage.exchange.write("1234567"));
  CHECK(stage.exchange.end());
  CHECK(stage.take() == Calls{"continue", "head 200 length 5", "data '12345'", "end, 0 trailers"});
  Stage less;
  CHECK(less.exchange.begin(5));
  CHECK(less.exchange.write("12"));
  CHECK(less.exchange.end());
  CHECK(less.take() == Calls{"continue", "head 200 length 5", "data '12'", "cut 500"});
  CHECK(less.exchange.cut().status == 500);
}

TEST_CASE("exchange: a handler gives up half-way") {
  Stage stage;
  CHECK(stage.exchange.begin(std::nullopt));
  stage.exchange.abort();
  stage.exchange.abort();
  CHECK_FALSE(stage.exchange.write("late"));
  CHECK(stage.take() == Calls{"continue", "head 200 unknown", "cut 500"});
}

TEST_CASE("exchange: without memory for 100 Continue no answer begins") {
  Stage stage;
  stage.stream.memory_is_out = true;
  CHECK(stage.exchange.begin(std::nullopt));
  CHECK(stage.exchange.finished());
  CHECK(stage.take() == Calls{"continue", "cut 503"});
}

TEST_CASE("exchange: a request's body is stopped and flows again") {
  Stage stage;
  stage.exchange.pause_body();
  stage.exchange.hold_body();
  stage.exchange.resume_body();
  CHECK(stage.take() == Calls{"pause", "hold", "flow"});
}

TEST_CASE("exchange: nobody hears what is answered once it is cancelled") {
  Stage stage;
  http::StreamSide(stage.exchange).set_cancelled(true);
  CHECK_FALSE(stage.exchange.send("hello"));
  CHECK_FALSE(stage.exchange.begin(std::nullopt));
  CHECK_FALSE(stage.exchange.send_problem(404, ""));
  CHECK(stage.take().empty());
}

TEST_CASE("exchange: it is served from its request on until it is complete and answered") {
  Stage stage;
  http::StreamSide side(stage.exchange);
  CHECK_FALSE(stage.exchange.serving());
  side.set_requested();
  CHECK(stage.exchange.serving());
  stage.exchange.hold();
  CHECK(stage.exchange.held());
  CHECK_FALSE(stage.exchange.serving());
  stage.exchange.release();
  CHECK_FALSE(stage.exchange.held());
  side.set_requested();
  CHECK(stage.exchange.answer_deadline_ms() == UINT64_MAX);
  side.set_complete(1234);
  CHECK(stage.exchange.serving());
  CHECK(stage.exchange.answer_deadline_ms() == 1234);
  CHECK(stage.exchange.send("hello"));
  CHECK_FALSE(stage.exchange.serving());
  CHECK(stage.exchange.answer_deadline_ms() == UINT64_MAX);
}

TEST_CASE("exchange: one that stands alone answers to its own stream and takes a body over") {
  Stage stage;
  http::StreamSide side(stage.exchange);
  REQUIRE(side.keep_body("a body"));
  side.show_body({}, {});
  RecordingStream stream;
  http::Exchange alone(stage.harness.worker, stream);
  REQUIRE(alone.take_request(stage.exchange));
  CHECK(alone.request.body() == "a body");
  CHECK(alone.request.path() == "/");
  CHECK(stage.exchange.request.body().empty());
  CHECK(alone.send("hello"));
  CHECK(stream.calls == Calls{"answer 200 length 5 'hello'"});
  CHECK(stage.take().empty());
}

TEST_CASE("exchange: one that stands alone needs nothing of the memory of the request that it takes") {
  for (const bool replaced : {true, false}) {
    Stage stage;
    http::StreamSide side(stage.exchange);
    REQUIRE(side.keep_body("a body"));
    side.show_body({}, {});
    const std::string_view collected = stage.exchange.request.body();
    const std::string_view other = stage.exchange.arena().copy("another one");
    stage.exchange.request.set_body(replaced ? other : collected.substr(2));
    RecordingStream stream;
    http::Exchange alone(stage.harness.worker, stream);
    REQUIRE(alone.take_request(stage.exchange));
    CHECK(alone.request.body() == (replaced ? "another one" : "body"));
    CHECK(alone.request.body().data() != other.data());
    CHECK((alone.request.body().data() == collected.data() + 2) != replaced);
  }
}

}  // namespace leat::test

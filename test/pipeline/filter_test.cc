// Answers on their way through a route's filters.
#include <catch2/generators/catch_generators.hpp>

#include "json/allocations.h"
#include "pipeline/codes.h"
#include "pipeline/scripted.h"
#include "pipeline/stage.h"

namespace leat::pipeline {

namespace {

using test::calls;
using test::LogText;
using test::marks;
using test::Scripted;
using test::ScriptHandler;
using test::Stage;
using test::status_of;
using test::unchunked;
using Wants = http::AnswerFilter::Wants;

// Answers "body" in the way of that number.
Verdict answer(http::Exchange& exchange, int way) {
  static const std::string large(2 * http::Exchange::kLeastPinned, 'x');
  switch (way) {
    case 0:
      exchange.send("body");
      break;
    case 1:
      exchange.send_pinned(large, {});
      break;
    case 2:
      exchange.begin(4);
      exchange.write("bo");
      exchange.write("dy");
      exchange.end();
      break;
    default:
      exchange.begin(std::nullopt);
      exchange.write("body");
      exchange.end();
  }
  return Verdict::Done;
}

}  // namespace

TEST_CASE("filter: a body passes those that change it from the inside out, and its length is unknown then") {
  const Scripted inner = marks("inner", '(', ')', ';');
  const Scripted outer = marks("outer", '[', ']', '.');
  const std::vector kinds = {outer.kind(), inner.kind()};
  Stage stage(kinds);
  stage.middleware("outer");
  stage.middleware("inner");
  const int way = GENERATE(0, 1, 2, 3);
  INFO(way);
  stage.route("/", {"GET", "HEAD"}).on_handle = [way](http::Exchange& exchange) {
    return answer(exchange, way);
  };
  const std::string large(2 * http::Exchange::kLeastPinned, 'x');
  const std::string expected[] = {"[(][body][)][;].", "[(][" + large + "][)][;].", "[(][bo][)][(][dy][)][;].",
                                  "[(][body][)][;]."};
  const std::string wire = stage.get("/");
  CHECK(wire.contains("Transfer-Encoding: chunked\r\n"));
  CHECK_FALSE(wire.contains("Content-Length"));
  CHECK(unchunked(wire) == expected[way]);

  const std::string head = stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK_FALSE(head.contains("Content-Length"));

  const std::string old = stage.feed("GET / HTTP/1.0\r\n\r\n");
  CHECK(old.ends_with("\r\n\r\n" + expected[way]));
  CHECK(stage.session().finished());
}

TEST_CASE("filter: one that watches leaves framing and bytes as they are") {
  Scripted watch;
  watch.name = "watch";
  std::string seen;
  watch.answer = [&](http::Exchange&, http::AnswerBody& body) {
    if (body.whole) seen += *body.whole;
    return Wants::Watch;
  };
  watch.piece = [&](http::Exchange&, std::string_view bytes, http::Onward& onward) {
    seen += bytes;
    onward.give(bytes);
  };
  watch.end = [&](http::Exchange&, http::Onward&) { seen += "$"; };
  const std::vector kinds = {watch.kind()};
  Stage watched(kinds), plain(kinds);
  watched.middleware("watch");
  const int way = GENERATE(0, 1, 2, 3);
  for (Stage* stage : {&watched, &plain})
    stage->route("/").on_handle = [way](http::Exchange& exchange) { return answer(exchange, way); };
  CHECK(watched.get("/") == plain.get("/"));
  CHECK(seen == (way == 0   ? "body"
                 : way == 1 ? std::string(2 * http::Exchange::kLeastPinned, 'x')
                            : "body$"));
}

TEST_CASE("filter: one that wants the head alone may put another body in the answer's place") {
  Scripted swap;
  swap.name = "swap";
  swap.answer = [](http::Exchange& exchange, http::AnswerBody& body) {
    exchange.response.status = 202;
    body.whole = "other";
    return Wants::Nothing;
  };
  const std::vector kinds = {swap.kind()};
  Stage stage(kinds);
  stage.middleware("swap");
  const int way = GENERATE(0, 1, 2, 3);
  stage.route("/").on_handle = [way](http::Exchange& exchange) { return answer(exchange, way); };
  const std::string wire = stage.get("/");
  CHECK(status_of(wire) == 202);
  CHECK(wire.contains("Content-Length: 5\r\n"));
  CHECK(wire.ends_with("\r\n\r\nother"));
}

TEST_CASE("filter: a body that one puts in the answer's place is changed by those behind it") {
  Scripted swap;
  swap.name = "swap";
  swap.answer = [](http::Exchange&, http::AnswerBody& body) {
    body.whole = "other";
    return Wants::Nothing;
  };
  const Scripted mark = marks("mark", '<', '>', '.');
  const std::vector kinds = {mark.kind(), swap.kind()};
  Stage stage(kinds);
  stage.middleware("mark");
  stage.middleware("swap");
  const int way = GENERATE(0, 1, 2, 3);
  stage.route("/").on_handle = [way](http::Exchange& exchange) { return answer(exchange, way); };
  CHECK(unchunked(stage.get("/")) == "<other>.");
}

TEST_CASE("filter: one may hold everything back until the end") {
  Scripted count;
  count.name = "count";
  size_t size = 0;
  std::string text;
  count.answer = [](http::Exchange&, http::AnswerBody&) { return Wants::Change; };
  count.piece = [&](http::Exchange&, std::string_view bytes, http::Onward&) { size += bytes.size(); };
  count.end = [&](http::Exchange& exchange, http::Onward& onward) {
    CHECK_FALSE(exchange.send("again"));
    CHECK_FALSE(exchange.write("again"));
    CHECK_FALSE(exchange.end());
    text = std::to_string(size);
    onward.give(text);
  };
  const std::vector kinds = {count.kind()};
  Stage stage(kinds);
  stage.middleware("count");
  stage.route("/").on_handle = [](http::Exchange& exchange) { return answer(exchange, 3); };
  CHECK(unchunked(stage.get("/")) == "4");
}

TEST_CASE("filter: an answer that is given up half-way has no end, and one given twice is given once") {
  Scripted mark = marks("mark", '<', '>', '.');
  bool ended = false;
  mark.end = [&](http::Exchange&, http::Onward&) { ended = true; };
  Scripted twice;
  twice.name = "twice";
  bool taken = true;
  twice.answer = [&](http::Exchange& exchange, http::AnswerBody&) {
    taken = exchange.send("mine");
    return Wants::Nothing;
  };
  const std::vector kinds = {mark.kind(), twice.kind()};
  Stage stage(kinds);
  stage.middleware("mark");
  stage.middleware("twice");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write("half");
    exchange.abort();
    return Verdict::Done;
  };
  const std::string wire = stage.get("/");
  CHECK(wire.contains("half"));
  CHECK_FALSE(wire.ends_with("0\r\n\r\n"));
  CHECK(stage.session().cut());
  CHECK_FALSE(ended);
  CHECK_FALSE(taken);
}

TEST_CASE("filter: one that gives without end is cut once its client is slow, and named") {
  LogText log;
  Scripted flood;
  flood.name = "flood";
  flood.blames = "plugin flood";
  flood.answer = [](http::Exchange&, http::AnswerBody&) { return Wants::Change; };
  size_t given = 0;
  const std::string block(size_t{64} << 10, 'x');
  flood.piece = [&](http::Exchange& exchange, std::string_view, http::Onward& onward) {
    while (!exchange.finished() && given < (size_t{64} << 20)) {
      onward.give(block);
      given += block.size();
    }
  };
  const std::vector kinds = {flood.kind()};
  Stage stage(kinds);
  stage.middleware("flood");
  stage.route("/").on_handle = [](http::Exchange& exchange) { return answer(exchange, GENERATE(0, 3)); };
  stage.get("/");
  CHECK(stage.session().cut());
  CHECK(given < 2 * http::Onward::kMostAhead + block.size());
  CHECK(log.take().contains("plugin flood made more of an answer than its client took"));
}

TEST_CASE("filter: back-pressure reaches the handler through them") {
  const Scripted mark = marks("mark", '<', '>', '.');
  const std::vector kinds = {mark.kind()};
  Stage stage(kinds);
  stage.middleware("mark");
  ScriptHandler& handler = stage.route("/");
  const std::string block(size_t{64} << 10, 'x');
  size_t written = 0;
  const auto go_on = [&](http::Exchange& exchange) {
    while (written < 64) {
      ++written;
      if (!exchange.write(block)) return Verdict::Done;
    }
    exchange.end();
    return Verdict::Done;
  };
  handler.on_handle = [&](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    return go_on(exchange);
  };
  handler.on_room = go_on;
  stage.session().feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(written < 64);
  CHECK(unchunked(leat::test::HttpHarness::take(stage.session())).size() == 64 * (block.size() + 2) + 1);
}

TEST_CASE(
    "filter: the fields that are the writer's are refused to it, and its own are known as middleware's") {
  Scripted adds;
  adds.name = "adds";
  adds.answer = [](http::Exchange& exchange, http::AnswerBody&) {
    CHECK_FALSE(exchange.response.add("Content-Length", "7"));
    CHECK_FALSE(exchange.response.set("Transfer-Encoding", "gzip"));
    CHECK(exchange.response.add("X-Mine", "1"));
    for (const auto& field : exchange.response.fields())
      CHECK(field.origin == (field.name == "X-Handlers" ? http::Origin::Handler : http::Origin::Middleware));
    return Wants::Nothing;
  };
  adds.request = [](http::Exchange& exchange) {
    CHECK(exchange.response.add("X-Early", "1"));
    return Verdict::Next;
  };
  const std::vector kinds = {adds.kind()};
  Stage stage(kinds);
  stage.middleware("adds");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    CHECK(exchange.response.add("X-Handlers", "1"));
    exchange.send("hello");
    return Verdict::Done;
  };
  const std::string wire = stage.get("/");
  CHECK(wire.contains("X-Early: 1\r\nX-Handlers: 1\r\nX-Mine: 1\r\n"));
}

TEST_CASE("filter: a route has room for 64, and one more is an error") {
  const Scripted mark = marks("mark", '<', '>', '.');
  const std::vector kinds = {mark.kind()};
  for (const int64_t count : {64, 65}) {
    SiteBuilder builder(kinds);
    for (int64_t i = 0; i < count; ++i)
      builder.add_middleware({.kind = "mark", .options = test::table({test::entry("number", i)})});
    Diagnostics diagnostics;
    const auto site = builder.build(diagnostics);
    CHECK((site != nullptr) == (count == 64));
    CHECK(diagnostics.size() == (count == 64 ? 0 : 1));
    if (!diagnostics.empty()) CHECK(diagnostics[0].code == kTooManyFilters);
  }
}

TEST_CASE("filter: answers through filters ask nothing of the heap") {
  const Scripted inner = marks("inner", '(', ')', ';');
  Scripted waits;
  waits.name = "waits";
  waits.request = [](http::Exchange& exchange) {
    exchange.suspend();
    (void)exchange.worker().resume_after(
        exchange.ticket(), 0, [](http::Exchange& resumed, void*) { resume_chain(resumed, Verdict::Next); },
        nullptr);
    return Verdict::Pending;
  };
  const std::vector kinds = {inner.kind(), waits.kind()};
  Stage stage(kinds);
  stage.middleware("inner");
  stage.middleware("waits");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    CHECK(exchange.states.make<int>(nullptr, 1) != nullptr);
    return answer(exchange, 2);
  };
  http1::Session& session = stage.session();
  auto& waiting = stage.harness().worker.waiting;
  const auto serve = [&] {
    session.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const auto each = waiting.back();
    waiting.pop_back();
    stage.harness().resume(each);
    stage.sent();
  };
  CHECK(leat::test::allocations_of(1000, serve) == 0);
}

}  // namespace leat::pipeline

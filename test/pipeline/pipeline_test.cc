// The pipeline behind real sessions: who is called, in which order, and that every request is answered once,
// whatever handlers and middleware do.
#include "pipeline/pipeline.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "pipeline/fixture.h"
#include "pipeline/stage.h"

namespace leat::pipeline {
namespace {

using test::calls;
using test::entry;
using test::LogText;
using test::ScriptHandler;
using test::Stage;
using test::status_of;
using Calls = std::vector<std::string>;

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

// How many answers there are in what a session sent.
size_t answers_in(std::string_view wire) {
  size_t count = 0;
  for (size_t at = wire.find("HTTP/1.1 "); at != std::string_view::npos; at = wire.find("HTTP/1.1 ", at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("pipeline: forward, handler, reverse, done") {
  Stage stage;
  stage.middleware("observe");
  stage.middleware("protect");
  stage.route("/users/{id}").on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.request.params()[0]);
    return Verdict::Done;
  };
  const std::string answer = stage.get("/users/a%20b");
  CHECK(status_of(answer) == 200);
  CHECK(answer.ends_with("a b"));
  CHECK(answer.contains("X-Passed: protect\r\nX-Passed: observe\r\n"));
  CHECK(calls == Calls{"forward observe", "forward protect", "handle", "reverse protect", "reverse observe",
                       "done", "end protect", "end observe"});
}

TEST_CASE("pipeline: a middleware that answers is the last to go forward") {
  Stage stage;
  stage.middleware("observe");
  stage.middleware("protect", {entry("answers", int64_t{403})});
  stage.middleware("limit");
  stage.middleware("transform", {entry("forward", false)});
  stage.route("/");
  const std::string answer = stage.get("/");
  CHECK(status_of(answer) == 403);
  CHECK(answer.ends_with("from middleware"));
  // limit was not reached; transform has no forward step, so that it has its reverse one in any case.
  CHECK(calls == Calls{"forward observe", "forward protect", "reverse transform", "reverse protect",
                       "reverse observe", "end transform", "end protect", "end observe"});
}

TEST_CASE("pipeline: a middleware that neither passes on nor answers is a 500 that names it") {
  for (const char* verdict : {"done", "pending", "error"}) {
    INFO(verdict);
    LogText log;
    Stage stage;
    stage.middleware("observe");
    stage.middleware("limit", {entry("verdict", std::string(verdict))});
    stage.route("/");
    CHECK(status_of(stage.get("/")) == 500);
    CHECK(calls == Calls{"forward observe", "forward limit", "reverse limit", "reverse observe", "end limit",
                         "end observe"});
    CHECK(log.take().contains(verdict == std::string_view("done") ? "limit ended without an answer on GET /"
                              : verdict == std::string_view("pending") ? "limit left a request pending"
                                                                       : "limit failed on GET /"));
  }
}

TEST_CASE("pipeline: a middleware that begins an answer keeps the handler out of it") {
  Stage stage;
  stage.middleware("protect", {entry("begins", true)});
  ScriptHandler& streaming = stage.route("/stream", {"POST"});
  streaming.streams = true;
  stage.route("/plain", {"GET", "POST"});
  CHECK(status_of(stage.get("/plain")) == 200);
  CHECK(calls == Calls{"forward protect", "reverse protect"});
  stage.session().disconnect();
  CHECK(calls == Calls{"forward protect", "reverse protect", "end protect"});
}

TEST_CASE("pipeline: a begun answer and a body that goes on do not wake a handler") {
  for (const char* path : {"/stream", "/plain", "/nowhere"}) {
    INFO(path);
    Stage stage;
    stage.middleware("protect", {entry("begins", true)});
    stage.route("/stream", {"POST"}).streams = true;
    stage.route("/plain", {"POST"});
    stage.feed(post(path, "body"));
    CHECK(calls == Calls{"forward protect", "reverse protect"});
    stage.session().disconnect();
    CHECK(calls.back() == "end protect");
  }
}

TEST_CASE("pipeline: what no route answers goes through the global chain") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/notes", {"GET", "POST"});
  const Calls chain{"forward observe", "reverse observe", "end observe"};
  struct Row {
    std::string request;
    int status;
    std::string_view contains;
  };
  const Row rows[] = {
      {"GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404, "application/problem+json"},
      {"DELETE /notes HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: GET, HEAD, POST, OPTIONS\r\n"},
      {"TRACE /notes HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: GET, HEAD, POST, OPTIONS\r\n"},
      {"OPTIONS /notes HTTP/1.1\r\nHost: a\r\n\r\n", 204, "Allow: GET, HEAD, POST, OPTIONS\r\n"},
      {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204, "Allow: GET, HEAD, POST, OPTIONS\r\n"},
      {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400, "percent-encoding"},
      {"POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", 404, "X-Passed: observe"}};
  for (const Row& row : rows) {
    INFO(row.request);
    calls.clear();
    stage.session();
    calls.clear();
    const std::string answer = stage.feed(row.request);
    CHECK(status_of(answer) == row.status);
    CHECK(answer.contains(row.contains));
    CHECK(answers_in(answer) == 1);
    CHECK(calls == chain);
  }
}

TEST_CASE("pipeline: HEAD is answered by the handler of GET, without its body") {
  Stage stage;
  stage.route("/");
  const std::string answer = stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(answer.contains("Content-Length: 5\r\n"));
  CHECK(answer.ends_with("\r\n\r\n"));
}

TEST_CASE("pipeline: a handler that does not stream is called with the whole body") {
  Stage stage;
  stage.route("/", {"POST"}).on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.request.body());
    return Verdict::Done;
  };
  CHECK(stage.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n").empty());
  CHECK(calls.empty());
  CHECK(stage.feed("1\r\nc\r\n0\r\n\r\n").ends_with("abc"));
  CHECK(calls == Calls{"handle", "done"});
}

TEST_CASE("pipeline: a streaming handler sees the body in pieces, then its end") {
  Stage stage;
  ScriptHandler& handler = stage.route("/", {"POST"});
  handler.streams = true;
  handler.on_handle = [](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    return Verdict::Done;
  };
  handler.on_piece = [](http::Exchange& exchange, std::string_view piece) {
    exchange.write(piece);
    return Verdict::Done;
  };
  handler.on_end = [](http::Exchange& exchange) {
    exchange.end();
    return Verdict::Done;
  };
  std::string out = stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
  out += stage.feed("cd");
  CHECK(out.ends_with("2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"));
  CHECK(calls == Calls{"handle", "body", "body", "body end", "done"});
}

TEST_CASE("pipeline: a streaming handler may wait with its answer for the end of the body") {
  LogText log;
  Stage stage;
  ScriptHandler& handler = stage.route("/", {"POST", "GET"});
  handler.streams = true;
  handler.on_handle = [](http::Exchange&) { return Verdict::Done; };
  handler.on_end = [](http::Exchange& exchange) {
    exchange.send("late");
    return Verdict::Done;
  };
  CHECK(stage.feed(post("/", "body")).ends_with("late"));
  CHECK(stage.get("/").ends_with("late"));
  handler.on_end = [](http::Exchange&) { return Verdict::Done; };
  CHECK(status_of(stage.feed(post("/", "body"))) == 500);
}

TEST_CASE("pipeline: a handler's early answer ends its part in the body") {
  Stage stage;
  ScriptHandler& handler = stage.route("/", {"POST"});
  handler.streams = true;
  CHECK(stage.feed(post("/", "body")).ends_with("hello"));
  CHECK(calls == Calls{"handle", "done"});
  CHECK(stage.feed(post("/", "again")).ends_with("hello"));
}

TEST_CASE("pipeline: verdicts without an answer get one") {
  struct Row {
    Verdict verdict;
    int status;
    std::string_view logged;
  };
  for (const bool streams : {false, true}) {
    for (const Row& row :
         {Row{Verdict::Next, 404, ""}, Row{Verdict::Pending, 500, "handler test left a request pending"},
          Row{Verdict::Error, 500, "handler test failed on GET /"},
          Row{Verdict::Done, 500, "handler test ended without an answer on GET /"}}) {
      INFO("verdict " << static_cast<int>(row.verdict) << (streams ? ", streaming" : ""));
      LogText log;
      Stage stage;
      stage.middleware("observe");
      ScriptHandler& handler = stage.route("/");
      handler.streams = streams;
      handler.on_handle = [&](http::Exchange&) { return row.verdict; };
      const std::string answer = stage.get("/");
      CHECK(status_of(answer) == row.status);
      CHECK(answer.contains("application/problem+json"));
      CHECK(answer.contains("X-Passed: observe"));
      CHECK(answers_in(answer) == 1);
      CHECK(stage.get("/nowhere").contains("404"));
      CHECK(log.take().contains(row.logged));
    }
  }
}

TEST_CASE("pipeline: a handler that fails after it began is cut, not completed") {
  LogText log;
  Stage stage;
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write("part");
    return Verdict::Error;
  };
  const std::string answer = stage.get("/");
  CHECK(status_of(answer) == 200);
  CHECK_FALSE(answer.contains("0\r\n\r\n"));
  CHECK(stage.session().finished());
  CHECK(stage.session().cut());
  CHECK(calls.back() == "done");
}

TEST_CASE("pipeline: failures in the midst of a body are answered or cut") {
  for (const bool begun : {false, true}) {
    for (const bool at_end : {false, true}) {
      INFO((begun ? "begun " : "") << (at_end ? "at the end" : "at a piece"));
      LogText log;
      Stage stage;
      ScriptHandler& handler = stage.route("/", {"POST"});
      handler.streams = true;
      handler.on_handle = [=](http::Exchange& exchange) {
        if (begun) exchange.begin(std::nullopt);
        return Verdict::Done;
      };
      (at_end ? handler.on_end : handler.on_room) = [](http::Exchange&) { return Verdict::Error; };
      if (!at_end) handler.on_piece = [](http::Exchange&, std::string_view) { return Verdict::Error; };
      const std::string answer = stage.feed(post("/", "body"));
      CHECK(status_of(answer) == (begun ? 200 : 500));
      CHECK(stage.session().cut() == begun);
      CHECK(std::ranges::count(calls, "done") == 1);
      CHECK(log.take().contains("handler test failed on POST /"));
    }
  }
}

TEST_CASE("pipeline: an answer larger than the queue goes on when there is room") {
  Stage stage;
  size_t more = 40;
  const auto fill = [&](http::Exchange& exchange) {
    while (more > 0)
      if (--more; !exchange.write(std::string(30'000, 'x'))) return Verdict::Done;
    exchange.end();
    return Verdict::Done;
  };
  ScriptHandler& handler = stage.route("/");
  handler.on_handle = [&](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    return fill(exchange);
  };
  handler.on_room = fill;
  const std::string answer = stage.get("/");
  CHECK(std::ranges::count(answer, 'x') == 40 * 30'000);
  CHECK(answer.ends_with("0\r\n\r\n"));
  CHECK(std::ranges::count(calls, "writable") >= 2);
  CHECK(calls.back() == "done");
}

TEST_CASE("pipeline: a suspended request is answered later, and its chain runs then") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    const http::Ticket ticket = exchange.suspend();
    const auto resume = [](http::Exchange& later, void*) { later.send("later"); };
    return exchange.worker().resume_after(ticket, 5, resume, nullptr) ? Verdict::Pending : Verdict::Error;
  };
  CHECK(stage.get("/").empty());
  CHECK(calls == Calls{"forward observe", "handle"});
  stage.harness().resume_all();
  CHECK(leat::test::HttpHarness::take(stage.session()).ends_with("later"));
  CHECK(calls == Calls{"forward observe", "handle", "reverse observe", "done", "end observe"});
}

TEST_CASE("pipeline: a site that is replaced keeps its requests to their end, new ones go to the next") {
  Stage stage;
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    const http::Ticket ticket = exchange.suspend();
    const auto resume = [](http::Exchange& later, void*) { later.send("first"); };
    return exchange.worker().resume_after(ticket, 5, resume, nullptr) ? Verdict::Pending : Verdict::Error;
  };
  CHECK(stage.get("/").empty());
  CHECK(stage.requests() == 1);
  stage.replace("/", "second");
  CHECK(stage.requests() == 0);
  CHECK(stage.left().empty());
  // Behind it on the same connection: its head is looked at when its turn comes.
  CHECK(stage.get("/").empty());
  stage.harness().resume_all();
  const std::string answers = leat::test::HttpHarness::take(stage.session());
  CHECK(answers.contains("first"));
  CHECK(answers.ends_with("second"));
  CHECK(stage.left() == std::vector<size_t>{0});
  CHECK(stage.requests() == 0);
}

TEST_CASE("pipeline: what is remembered of heads that come again is forgotten with the site") {
  Stage stage;
  stage.route("/");
  stage.route("/gone");
  for (int i = 0; i < 100; ++i) {
    REQUIRE(stage.get("/").ends_with("hello"));
    REQUIRE(stage.get("/gone").ends_with("hello"));
    REQUIRE(status_of(stage.get("/nothing")) == 404);
  }
  stage.replace("/", "second");
  for (int i = 0; i < 100; ++i) {
    REQUIRE(stage.get("/").ends_with("second"));
    REQUIRE(status_of(stage.get("/gone")) == 404);
  }
  CHECK(stage.left() == std::vector<size_t>{0});
}

TEST_CASE("pipeline: heads that come again have their own parameters, also those that had to be decoded") {
  Stage stage;
  stage.route("/{a}/{b}").on_handle = [](http::Exchange& exchange) {
    std::string text;
    for (const std::string_view param : exchange.request.params()) text.append("<").append(param).append(">");
    exchange.send(text);
    return Verdict::Done;
  };
  stage.route("/{a}/{b}/{c}/{d}/{e...}").on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.request.params()[4]);
    return Verdict::Done;
  };
  for (int i = 0; i < 100; ++i) {
    REQUIRE(stage.get("/one/two").ends_with("\r\n<one><two>"));
    REQUIRE(stage.get("/one/tow").ends_with("\r\n<one><tow>"));
    REQUIRE(stage.get("/one/t%77o").ends_with("\r\n<one><two>"));
    REQUIRE(stage.get("/x/../one/two").ends_with("\r\n<one><two>"));
    REQUIRE(stage.get("/1/2/3/4/5/6").ends_with("\r\n5/6"));
  }
}

TEST_CASE("pipeline: an idle site that is replaced is left at once, and each is left once") {
  Stage stage;
  stage.route("/");
  CHECK(stage.get("/").ends_with("hello"));
  stage.replace("/", "second");
  CHECK(stage.left() == std::vector<size_t>{0});
  stage.replace("/", "third");
  CHECK(stage.left() == std::vector<size_t>{0, 1});
  CHECK(stage.get("/").ends_with("third"));
  CHECK(status_of(stage.get("/nothing")) == 404);
  CHECK(stage.requests() == 0);
  CHECK(stage.left() == std::vector<size_t>{0, 1});
}

TEST_CASE("pipeline: a client that leaves is told to the handler once, and then all ends") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.suspend();
    return Verdict::Pending;
  };
  CHECK(stage.get("/").empty());
  stage.session().disconnect();
  CHECK(calls == Calls{"forward observe", "handle", "cancel", "done", "end observe"});
}

TEST_CASE("pipeline: a client that leaves before the handler was called is none of the handler's business") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/", {"POST"});
  stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab");
  stage.session().disconnect();
  CHECK(calls == Calls{"forward observe", "end observe"});
}

TEST_CASE("pipeline: a route's body limit is kept, announced or not") {
  for (const bool streams : {false, true}) {
    INFO((streams ? "streaming" : "buffered"));
    Stage stage;
    stage.middleware("observe");
    ScriptHandler& handler = stage.route("/", {"POST"}, 4);
    handler.streams = streams;
    handler.on_end = handler.on_handle;
    if (streams) handler.on_handle = [](http::Exchange&) { return Verdict::Done; };
    CHECK(stage.feed(post("/", "four")).ends_with("hello"));
    calls.clear();
    const std::string answer = stage.feed(post("/", "fives"));
    CHECK(status_of(answer) == 413);
    CHECK(answer.contains("X-Passed: observe"));
    CHECK(calls == Calls{"forward observe", "reverse observe", "end observe"});
  }
  Stage stage;
  ScriptHandler& handler = stage.route("/", {"POST"}, 4);
  handler.streams = true;
  handler.on_handle = [](http::Exchange&) { return Verdict::Done; };
  const std::string answer =
      stage.feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfives\r\n0\r\n\r\n");
  CHECK(status_of(answer) == 413);
  CHECK(calls.front() == "handle");
  CHECK(std::ranges::count(calls, "cancel") == 1);
  CHECK(std::ranges::count(calls, "done") == 1);
}

TEST_CASE("pipeline: a request that HTTP refuses is seen by the observers of the global chain") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/");
  CHECK(status_of(stage.feed("nonsense\r\n\r\n")) == 400);
  CHECK(calls == Calls{"end observe"});
}

TEST_CASE("pipeline: a path that the request's memory has no room to decode is a 503") {
  Stage stage;
  stage.middleware("observe");
  stage.route("/users/{id}");
  stage.harness().limits.request_memory_bytes = Block::kSize;
  std::string path = "/users/";
  for (int i = 0; i < 2000; ++i) path += "%41";
  const std::string fields = "X-Long: " + std::string(6000, 'x') + "\r\n";
  const std::string answer = stage.get(path, fields);
  CHECK(status_of(answer) == 503);
  CHECK(calls == Calls{"forward observe", "reverse observe", "end observe"});
  CHECK(status_of(stage.get("/users/%41")) == 200);
}

TEST_CASE("pipeline: pipelined requests are each routed for themselves") {
  Stage stage;
  stage.route("/a").on_handle = [](http::Exchange& exchange) {
    exchange.send("first");
    return Verdict::Done;
  };
  stage.route("/b");
  const std::string request = " HTTP/1.1\r\nHost: a\r\n\r\n";
  const std::string out =
      stage.feed("GET /a" + request + "GET /b" + request + "GET /c" + request + "GET /a" + request);
  CHECK(answers_in(out) == 4);
  CHECK(out.find("first") < out.find("hello"));
  CHECK(out.find("hello") < out.find("404"));
  CHECK(out.ends_with("first"));
}

TEST_CASE("pipeline: ten thousand requests ask nothing of the heap") {
  Stage stage;
  stage.route("/json");
  stage.route("/users/{id}");
  const std::string requests =
      "GET /json HTTP/1.1\r\nHost: a\r\n\r\nGET /users/4%32 HTTP/1.1\r\nHost: a\r\n\r\n"
      "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n";
  CHECK(leat::test::allocations_of(3334, [&] { stage.serve(requests); }) == 0);
}
TEST_CASE("pipeline: an answer whose head is too large is a 500, and the log names who gave it") {
  for (const bool pieces : {false, true}) {
    test::LogText log;
    Stage stage;
    stage.route("/large").on_handle = [pieces](http::Exchange& exchange) {
      CHECK(exchange.response.add_copy(exchange.arena(), "X-Large", std::string(Block::capacity(), 'x')));
      if (!pieces) {
        exchange.send("never sent");
      } else {
        exchange.begin(std::nullopt);
        CHECK_FALSE(exchange.write("never sent"));
        exchange.end();
      }
      return Verdict::Done;
    };
    const std::string answer = stage.get("/large");
    CHECK(status_of(answer) == 500);
    CHECK_FALSE(answer.contains("never"));
    CHECK_FALSE(answer.contains("X-Large"));
    CHECK(status_of(stage.get("/large")) == 500);  // and the connection goes on
    const std::string text = log.take();
    CHECK(text.contains("handler test gave an answer whose head is larger than 16 KiB"));
    CHECK(text.contains("on GET /large"));
  }
}

}  // namespace leat::pipeline

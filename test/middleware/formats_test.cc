// formats: which form is chosen, what handlers see of bodies and of Accept, and what becomes of answers; behind real sessions.
// With plugins, and beside other implementations: test/e2e/formats_test.py.
#include "middleware/formats.h"

#include <catch2/catch_test_macros.hpp>
#include <string>

#include "base/metrics.h"
#include "json/writer.h"
#include "middleware/support.h"
#include "pipeline/scripted.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace std::string_literals;
using namespace test;

std::string accept(std::string_view value) { return "Accept: " + std::string(value) + "\r\n"; }

// A route "/" behind a formats, whose handler writes {"a":1} in the form that its request is to be answered in.
struct Formatted {
  explicit Formatted(Value::Table options = {}, bool streams = false) {
    stage.middleware("formats", std::move(options));
    handler = &stage.route("/", {"POST", "GET"}, 1000);
    handler->streams = streams;
    handler->on_handle = [this](http::Exchange& exchange) {
      seen = std::string(exchange.request.header("Accept"));
      type = std::string(exchange.request.header("Content-Type"));
      hidden = exchange.request.head().length_hidden;
      body = exchange.request.body();
      return handler->streams ? Verdict::Done : answer(exchange);
    };
    handler->on_piece = [this](http::Exchange&, std::string_view piece) {
      body += piece;
      return Verdict::Done;
    };
    handler->on_end = [](http::Exchange& exchange) { return answer(exchange); };
  }
  // As leat.json/1 does.
  static Verdict answer(http::Exchange& exchange) {
    const http::AnswerForm* const form = exchange.answer_form;
    json::Writer writer(exchange.arena(), form != nullptr ? form->backend : json::Backend::Auto);
    writer.raw(R"({"a":1})");
    exchange.response.content_type = form != nullptr ? form->type : "application/json";
    exchange.send(*writer.finish());
    return Verdict::Done;
  }
  std::string post(std::string_view content, std::string_view fields) {
    return stage.feed("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "Content-Length: " +
                      std::to_string(content.size()) + "\r\n\r\n" + std::string(content));
  }

  Stage stage{kinds()};
  ScriptHandler* handler = nullptr;
  std::string seen, type, body;
  bool hidden = false;
};

}  // namespace

TEST_CASE("formats: the form that Accept names and wants more than JSON, and one spelling of that") {
  Formatted formatted;
  const struct {
    const char *accept, *type, *seen;
  } rows[] = {
      {"*/*", "application/json", "*/*"},
      {"application/json", "application/json", "application/json"},
      {"application/cbor, application/json", "application/json", "application/cbor, application/json"},
      {"application/cbor;q=0.5, */*", "application/json", "application/cbor;q=0.5, */*"},
      {"application/cborx, amsgpack", "application/json", "application/cborx, amsgpack"},
      {"application/cbor", "application/cbor", "application/cbor"},
      {"text/html;q=0.1, Application/CBOR;q=0.2", "application/cbor", "application/cbor"},
      {"application/cbor ; q=1.0, application/json;q=0.999", "application/cbor", "application/cbor"},
      {"application/cbor;q=0, application/x-msgpack", "application/x-msgpack", "application/x-msgpack"},
      {"application/msgpack, application/cbor;q=0.9", "application/msgpack", "application/msgpack"},
      {"application/problem+json, application/cbor, text/html;q=0.1", "application/cbor",
       "application/cbor, application/problem+json"},
      // A parameter makes another type of it, and a wildcard is no word for it.
      {"application/cbor;v=1", "application/json", "application/cbor;v=1"},
      {"application/*, cbor", "application/json", "application/*, cbor"},
  };
  for (const auto& row : rows) {
    INFO(row.accept);
    CHECK(field(formatted.stage.get("/", accept(row.accept)), "Content-Type") == row.type);
    CHECK(formatted.seen == row.seen);
  }
  // All fields are one.
  CHECK(field(formatted.stage.get("/", accept("text/html;q=0.1") + accept("application/cbor")),
              "Content-Type") == "application/cbor");
  CHECK(formatted.seen == "application/cbor");
  CHECK(body_of(formatted.stage.get("/", accept("application/cbor"))) == "\xa1\x61\x61\x01");
  CHECK(body_of(formatted.stage.get("/", accept("application/msgpack"))) == "\x81\xa1\x61\x01");
}

TEST_CASE("formats: options say which forms there are") {
  Formatted answers({texts("answers", {"msgpack"}), texts("bodies", {})});
  CHECK(field(answers.stage.get("/", accept("application/cbor")), "Content-Type") == "application/json");
  CHECK(field(answers.stage.get("/", accept("application/cbor, application/msgpack;q=0.1")),
              "Content-Type") == "application/msgpack");
  (void)answers.post("\x81\xa1\x61\x01", "Content-Type: application/msgpack\r\n");
  CHECK(answers.type == "application/msgpack");

  Formatted bodies({texts("answers", {}), texts("bodies", {"cbor"})});
  const std::string answer =
      bodies.post("\xa1\x61\x61\x01", "Content-Type: application/cbor\r\n" + accept("application/cbor"));
  CHECK(field(answer, "Content-Type") == "application/json");
  CHECK(bodies.body == R"({"a":1})");

  CHECK(mistakes("formats", {texts("answers", {"cbor", "cbor"})}).at(0).message == "`cbor` is named twice");
  CHECK(mistakes("formats", {texts("answers", {}), texts("bodies", {})}).at(0).message ==
        "`answers` and `bodies` are empty: nothing would be done");
}

TEST_CASE("formats: handlers get bodies as JSON, and no word of how they came") {
  Formatted formatted;
  for (const std::string_view type :
       {"application/cbor", "Application/CBOR; x=y", "application/senml+cbor"}) {
    CHECK(status_of(formatted.post("\xbf\x61\x61\x9f\x01\xfa\x3f\xc0\x01\x00\xff\xff"s,
                                   "Content-Type: " + std::string(type) + "\r\n")) == 200);
    CHECK(formatted.body == R"({"a":[1,1.500030517578125]})");
    CHECK(formatted.type == "application/json");
    CHECK(formatted.hidden);
  }
  // What is not theirs they leave.
  for (const std::string_view fields : {"Content-Type: application/json\r\n", "Content-Type: text/cbor\r\n",
                                        "", "Content-Type: application/cbor\r\nContent-Encoding: gzip\r\n"}) {
    CHECK(status_of(formatted.post("\x01", fields)) == 200);
    CHECK(formatted.body == "\x01");
    CHECK_FALSE(formatted.hidden);
  }
  Formatted streamed({}, true);
  CHECK(status_of(streamed.post("\x01\x02", "Content-Type: application/cbor\r\n")) == 200);
  CHECK(streamed.body == "\x01\x02");
  CHECK(streamed.type == "application/cbor");
}

TEST_CASE("formats: a body that is no good is told with its place") {
  Formatted formatted;
  const std::string broken = formatted.post("\x81\xa1\x01\x02", "Content-Type: application/cbor\r\n");
  CHECK(status_of(broken) == 400);
  CHECK(member(body_of(broken), "detail") ==
        "\"The body's `/0` must have texts as the names of its members.\"");
  CHECK(member(body_of(broken), "offset") == "2");
  CHECK(member(body_of(broken), "pointer") == "\"/0\"");
  // 1000 bytes are the limit, of what it becomes as well.
  const std::string fits = "\x79\x03\xe6" + std::string(998, 'x');
  CHECK(status_of(formatted.post(fits.substr(0, 1000), "Content-Type: application/cbor\r\n")) == 400);
  std::string swells = "\x78\xa7" + std::string(167, '\1');
  CHECK(status_of(formatted.post(swells, "Content-Type: application/cbor\r\n")) == 413);
  swells[1] = '\xa6';
  swells.pop_back();
  CHECK(status_of(formatted.post(swells, "Content-Type: application/cbor\r\n")) == 200);
  CHECK(formatted.body.size() == 998);
}

TEST_CASE("formats: tags are weak on what is not JSON, and a 304 says what its answer would") {
  Formatted formatted;
  bool same = false;
  formatted.handler->on_handle = [&](http::Exchange& exchange) {
    REQUIRE(exchange.response.add("ETag", "\"x\""));
    if (!same) return Formatted::answer(exchange);
    exchange.response.status = 304;
    exchange.send({});
    return Verdict::Done;
  };
  CHECK(field(formatted.stage.get("/"), "ETag") == "\"x\"");
  CHECK(field(formatted.stage.get("/", accept("application/cbor")), "ETag") == "W/\"x\"");
  same = true;
  CHECK(field(formatted.stage.get("/", "If-None-Match: \"x\"\r\n"), "ETag") == "\"x\"");
  const std::string unchanged =
      formatted.stage.get("/", accept("application/cbor") + "If-None-Match: W/\"x\"\r\n");
  CHECK(status_of(unchanged) == 304);
  CHECK(field(unchanged, "ETag") == "W/\"x\"");
  CHECK(field(unchanged, "Vary") == "Accept");
}

TEST_CASE("formats: problems of those before it are in the form, and packed behind it") {
  Stage stage{kinds()};
  stage.middleware("access");  // which lets nobody in
  stage.middleware("formats");
  stage.middleware("compress", {entry("least", int64_t{1})});
  stage.route("/");
  const std::string plain = stage.get("/");
  CHECK(status_of(plain) == 403);
  CHECK(field(plain, "Content-Type") == "application/problem+json");
  CHECK(field(plain, "Vary") == "Accept");
  const std::string cbor = stage.get("/", accept("application/cbor"));
  CHECK(status_of(cbor) == 403);
  CHECK(field(cbor, "Content-Type") == "application/cbor");
  CHECK(
      body_of(cbor).contains("\x65title\x69"
                             "Forbidden\x66status\x19\x01\x93"));
  CHECK(field(stage.get("/", accept("application/cbor, application/problem+json")), "Content-Type") ==
        "application/problem+json");
}

}  // namespace leat::middleware

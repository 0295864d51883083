// The C++ wrapper, as a plugin built with it behaves.
#include <catch2/catch_test_macros.hpp>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

Site& parameters(Site& site) {
  REQUIRE(site.route("parameters", {"name", "id"}));
  return site;
}

}  // namespace

TEST_CASE("wrapper: parameters come by name, typed, whatever their order in the route") {
  Site site("wrapper");
  parameters(site);
  CHECK(
      site.get("/parameters/ann/7?limit=5&ratio=0.25&flag=yes&page=3&q=a%20b",
               "X-Number: 9\r\nCookie: a=b; session=xyz\r\n")
          .body ==
      R"({"id":7,"name":"ann","limit":5,"page":3,"ratio":0.25,"flag":true,"q":"a b","number":9,"session":"xyz"})");
}

TEST_CASE("wrapper: an absent parameter is nothing, or its default") {
  Site site("wrapper");
  parameters(site);
  CHECK(
      site.get("/parameters/ann/7").body ==
      R"({"id":7,"name":"ann","limit":null,"page":1,"ratio":0.5,"flag":false,"q":null,"number":null,"session":null})");
  CHECK(site.get("/parameters/ann/7?q=").body.contains(R"("q":"")"));
}

TEST_CASE("wrapper: a bad parameter is a 400 that names it and says what it must be") {
  Site site("wrapper");
  parameters(site);
  const struct {
    std::string_view target, fields, parameter, detail;
  } cases[] = {
      {"/parameters/ann/x", "", "id", "The path parameter `id` must be a whole number of 0 or more"},
      {"/parameters/ann/-7", "", "id", "path parameter `id`"},
      {"/parameters/ann/7?limit=0", "", "limit",
       "The query parameter `limit` must be a whole number from 1 to 100."},
      {"/parameters/ann/7?limit=101", "", "limit", "from 1 to 100"},
      {"/parameters/ann/7?limit=", "", "limit", "query parameter `limit`"},
      {"/parameters/ann/7?limit=5x", "", "limit", "query parameter `limit`"},
      {"/parameters/ann/7?page=99999999999999999999", "", "page", "query parameter `page`"},
      {"/parameters/ann/7?ratio=1.5", "", "ratio", "a number from 0.0 to 1.0."},
      {"/parameters/ann/7?ratio=nan", "", "ratio", "a number from 0.0 to 1.0."},
      {"/parameters/ann/7?flag=perhaps", "", "flag", "must be true or false"},
      {"/parameters/ann/7", "X-Number: many\r\n", "X-Number", "The header `X-Number`"},
  };
  for (const auto& each : cases) {
    INFO(each.target << " " << each.fields);
    const Answer answer = site.get(each.target, each.fields);
    INFO(answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.head.contains("application/problem+json"));
    CHECK(answer.body.contains("\"parameter\":\"" + std::string(each.parameter) + "\""));
    CHECK(answer.body.contains(each.detail));
  }
}

TEST_CASE("wrapper: a required parameter that is missing is a 400") {
  Site site("wrapper");
  CHECK(site.get("/required?must=1", "X-Must: here\r\n").body == "both");
  CHECK(site.get("/required", "X-Must: here\r\n").body.contains("The query parameter `must` is missing."));
  CHECK(site.get("/required?must=1").body.contains("The header `X-Must` is missing."));
}

TEST_CASE("wrapper: a path parameter that the route lacks is a load error") {
  Site site("wrapper");
  const auto bound = site.route("parameters", {"id", "nam"});
  REQUIRE_FALSE(bound);
  CHECK(bound.error().message.contains("cannot serve /parameters/{id}/{nam}"));
  CHECK(bound.error().message.contains("{name}"));
}

TEST_CASE("wrapper: values of all kinds are written as JSON") {
  Site site("wrapper");
  const Answer answer = site.get("/values");
  CHECK(answer.head.contains("Content-Type: application/json\r\n"));
  CHECK(
      answer.body ==
      R"({"null":null,"none":null,"some":7,"yes":true,"small":-1,"large":18446744073709551615,"real":0.25,)"
      R"("text":"t\"q","points":[{"x":1,"y":2},{"x":3,"y":4}],"inner":{"a":1,"b":["x","y"]},"written":[[0],1]})");
}

TEST_CASE("wrapper: problems are answered as such, thrown or returned") {
  Site site("wrapper");
  const Answer thrown = site.get("/throws_problem");
  CHECK(thrown.status == 409);
  CHECK(thrown.body.contains("It is in use."));
  CHECK(site.get("/returns_problem").status == 418);
  CHECK(site.get("/result?good=1").body == "good, and made for this answer");
  CHECK(site.get("/result?good=0").status == 400);
}

TEST_CASE("wrapper: what throws, or refuses to answer, is a 500 named in the log") {
  LogText log;
  {
    Site site("wrapper");
    for (const std::string_view handler :
         {"throws", "bad_header", "incomplete_json", "says_nothing", "dropped"}) {
      INFO(handler);
      const Answer answer = site.get("/" + std::string(handler));
      CHECK(answer.status == 500);
      CHECK_FALSE(answer.head.contains("Evil"));
    }
    const Answer twice = site.get("/answers_twice");
    CHECK(twice.status == 200);
    CHECK_FALSE(twice.cut);
    CHECK(site.handled == site.ended);
  }
  const std::string text = log.take();
  INFO(text);
  CHECK(text.contains("plugin tested: route route-throws: threw thrown in a handler"));
  CHECK(text.contains(
      "plugin tested: handler says_nothing on route route-says_nothing: returned DONE without an answer"));
  CHECK(text.contains("completer was dropped"));
}

TEST_CASE("wrapper: a handler answers after a timer, unless the client leaves") {
  Site site("wrapper");
  CHECK(site.get("/later?ms=250").body == R"({"ms":250,"said":"hello"})");
  CHECK(site.worker().delays_ms == std::vector<uint64_t>{250});
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed("GET /later?ms=1 HTTP/1.1\r\nHost: test\r\n\r\n");
  session.disconnect();
  CHECK(site.handled == site.ended);
  site.resume_all();
}

TEST_CASE("wrapper: a handler answers with what another thread found out") {
  Site site("wrapper");
  for (int i = 0; i < 20; ++i)
    CHECK(site.get("/elsewhere").body == R"({"text":"computed on another thread","path":"/elsewhere"})");
}

TEST_CASE("wrapper: a result that comes when the client has gone is dropped and freed") {
  Site site("wrapper");
  for (int i = 0; i < 50; ++i) {
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed("GET /elsewhere HTTP/1.1\r\nHost: test\r\n\r\n");
    session.disconnect();
    site.resume_all();
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("wrapper: an object lives as long as its request, refused ones included") {
  Site site("wrapper");
  REQUIRE(site.route("counted", {"id"}));
  CHECK(site.get("/counted/1").body.ends_with("\"objects\":1}"));
  CHECK(site.get("/counted/none").status == 400);
  CHECK(site.get("/counted/2").body.ends_with("\"objects\":1}"));
}

TEST_CASE("wrapper: a streamed body comes in pieces, has its own limit, and can be refused half-way") {
  Site site("wrapper");
  CHECK(site.post("/upload", "").body == R"({"bytes":0})");
  CHECK(site.post("/upload", "0123456789").body == R"({"bytes":10})");
  CHECK(site.post("/upload", "012345678901234567890").status == 413);
  CHECK(site.post("/upload", "boom").status == 422);
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed("POST /upload HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n");
  session.feed("5\r\n56789\r\n");
  session.feed("0\r\n\r\n");
  CHECK(parse_answer(take_output(session)).body == R"({"bytes":10})");
  session.disconnect();
}

}  // namespace leat::plugin::test

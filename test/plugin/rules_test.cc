// Parameters with rules: as handlers declare them, as routes do, and what clients are told.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "pipeline/parameter_rules.h"
#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

using pipeline::In;
using pipeline::ParameterSpec;
using pipeline::ParameterType;

std::string form_post(std::string_view target, std::string_view body,
                      std::string_view type = "application/x-www-form-urlencoded") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Type: " + std::string(type) +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

constexpr std::string_view kId = "01234567-89ab-cdef-0123-456789abcdef";
std::string order_with(std::string_view members) {
  return "{\"id\":\"" + std::string(kId) + "\",\"tags\":[],\"gift\":true," + std::string(members) + "}";
}

}  // namespace

TEST_CASE("rules: texts keep their length, pattern, choices and format") {
  Site site("rules");
  CHECK(site.get("/texts?name=%C3%A4%C3%B6&code=ab1",
                 "X-Id: " + std::string(kId) + "\r\nCookie: since=2026-02-28T12:00:00Z\r\n")
            .body == "{\"name\":\"\xc3\xa4\xc3\xb6\",\"code\":\"ab1\",\"sort\":\"newest\",\"id\":\"" +
                         std::string(kId) + "\",\"since\":\"2026-02-28T12:00:00Z\"}");
  const struct {
    std::string_view target, fields, in, name, detail;
  } cases[] = {
      {"/texts", "", "query", "name", "The query parameter `name` is missing."},
      {"/texts?name=a", "", "query", "name", "`name` must be a text of 2 to 5 characters."},
      {"/texts?name=abcdef", "", "query", "name", "must be a text of 2 to 5 characters."},
      {"/texts?name=100%", "", "query", "name",
       "The query parameter `name` has a `%` that two hexadecimal digits do not follow."},
      {"/texts?name=ab&code=AB", "", "query", "code", "must be a text that matches `^[a-z]+[0-9]?$`."},
      {"/texts?name=ab&sort=best", "", "query", "sort", "must be one of `newest`, `oldest`."},
      {"/texts?name=ab", "X-Id: 7\r\n", "header", "X-Id", "The header `X-Id` must be a UUID."},
      {"/texts?name=ab", "Cookie: since=today\r\n", "cookie", "since",
       "The cookie `since` must be a date and time, such as 2026-02-28T12:00:00Z."},
  };
  for (const auto& each : cases) {
    INFO(each.target << each.fields);
    const Answer answer = site.get(each.target, each.fields);
    INFO(answer.body);
    CHECK(answer.status == 400);
    CHECK(answer.head.contains("application/problem+json"));
    CHECK(answer.body.contains(each.detail));
    CHECK(
        answer.body.contains("\"parameter\":\"" + std::string(each.name) + "\",\"errors\":[{\"detail\":\""));
    CHECK(answer.body.contains("\"in\":\"" + std::string(each.in) + "\",\"parameter\":\"" +
                               std::string(each.name) + "\"}]"));
  }
}

TEST_CASE("rules: all that is wrong with a request is told at once") {
  Site site("rules");
  const Answer answer = site.get("/texts?code=AB&sort=x&q=100%", "X-Id: 7\r\n");
  CHECK(answer.status == 400);
  CHECK(
      answer.body ==
      R"({"type":"about:blank","title":"Bad Request","status":400,"detail":"The request has 4 mistakes.","errors":[)"
      R"({"detail":"is missing","in":"query","parameter":"name"},)"
      R"({"detail":"must be a text that matches `^[a-z]+[0-9]?$`","in":"query","parameter":"code"},)"
      R"({"detail":"must be one of `newest`, `oldest`","in":"query","parameter":"sort"},)"
      R"({"detail":"must be a UUID","in":"header","parameter":"X-Id"}]})");
  CHECK(site.handled == site.ended);
}

TEST_CASE("rules: lists take what comes with their name, or with commas between") {
  Site site("rules");
  CHECK(site.get("/lists?id=3&x=1&id=%34&flag=ON&flag=0", "X-Tags: a, bc,\r\nx-tags: d\r\n").body ==
        R"({"ids":[3,4],"flags":[true,false],"tags":["a","bc","d"]})");
  CHECK(site.get("/lists?id=1").body == R"({"ids":[1],"flags":[],"tags":[]})");
  CHECK(site.get("/lists").body.contains("The query parameter `id` is missing."));
  CHECK(site.get("/lists?id=1&id=2&id=3&id=4&id=5").body.contains("`id` must have 1 to 4 values."));
  const Answer answer = site.get("/lists?id=1&id=x&id=51", "X-Tags: abcd\r\n");
  CHECK(answer.body.contains("The request has 3 mistakes."));
  CHECK(answer.body.contains(
      R"({"detail":"must be a whole number from 1 to 50","in":"query","parameter":"id","index":1},)"));
  CHECK(answer.body.contains(R"("parameter":"id","index":2})"));
  CHECK(answer.body.contains(R"("in":"header","parameter":"X-Tags","index":0})"));
}

TEST_CASE("rules: numbers keep the range of their type, and their own") {
  Site site("rules");
  CHECK(site.get("/numbers").body == R"({"big":18446744073709551615,"small":-5,"real":0.25,"yes":true})");
  CHECK(site.get("/numbers?big=0&small=-10&real=1&yes=Off").body ==
        R"({"big":0,"small":-10,"real":1.0,"yes":false})");
  for (const std::string_view wrong :
       {"big=-1", "big=18446744073709551616", "big=1.0", "big=", "small=0", "small=-11", "small=-129",
        "real=1.5", "real=nan", "real=inf", "yes=2", "big=+1"}) {
    INFO(wrong);
    CHECK(site.get("/numbers?" + std::string(wrong)).status == 400);
  }
  CHECK(site.get("/numbers?small=1").body.contains("must be a whole number from -10 to -1."));
}

TEST_CASE("rules: fields of a form are parameters as well") {
  Site site("rules");
  CHECK(site.ask(form_post("/form", "name=a+b&age=7")).body == R"({"name":"a b","age":7,"page":1})");
  CHECK(site.ask(form_post("/form?page=x", "age=200")).body.contains("The request has 3 mistakes."));
  CHECK(site.ask(form_post("/form", "")).body.contains("The form field `name` is missing."));
  CHECK(site.ask(form_post("/form", "name=%G")).body.contains("The form field `name` has a `%`"));
  CHECK(site.ask(form_post("/form", "{}", "application/json"))
            .body.contains("The body must be application/x-www-form-urlencoded."));
  // Of a name that comes several times the first counts.
  CHECK(site.ask(form_post("/form", "name=a&name=b")).body.contains(R"("name":"a")"));
}

TEST_CASE("rules: members of a body keep theirs, nested ones and elements too") {
  Site site("rules");
  REQUIRE(site.route("order", {"shop"}));
  const std::string good = order_with(R"("lines":[{"product":"ab","count":1}],"discount":0.5,"way":"sea")");
  CHECK(site.post("/order/1?page=1", good).body ==
        R"({"id":"01234567-89ab-cdef-0123-456789abcdef","lines":[{"product":"ab","count":1}],"tags":[],)"
        R"("discount":0.5,"way":"sea","gift":true})");
  CHECK(site.post("/order/1?page=1", order_with(R"("lines":[{"product":"ab","count":1}])")).status == 200);
  const struct {
    std::string_view members, pointer, detail;
  } cases[] = {
      {R"("lines":[])", "/lines", "must have 1 to 3 elements"},
      {R"("lines":[{"product":"a","count":1}])", "/lines/0/product", "must be a text of 2 to 8 characters"},
      {R"("lines":[{"product":"ab","count":1},{"product":"a1","count":1}])", "/lines/1/product",
       "must be a text that matches `^[a-z]+$`"},
      {R"("lines":[{"product":"ab","count":0}])", "/lines/0/count", "must be a whole number from 1 to 99"},
      {R"("lines":[{"product":"ab","count":1}],"discount":0.75)", "/discount",
       "must be a number from 0.0 to 0.5"},
      {R"("lines":[{"product":"ab","count":1}],"way":"rail")", "/way", "must be one of `air`, `sea`"},
  };
  for (const auto& each : cases) {
    INFO(each.members);
    const Answer answer = site.post("/order/1?page=1", order_with(each.members));
    CHECK(answer.status == 400);
    CHECK(answer.body.contains("The body's `" + std::string(each.pointer) + "` " + std::string(each.detail) +
                               "."));
    CHECK(answer.body.contains("\"pointer\":\"" + std::string(each.pointer) + "\""));
  }
}

TEST_CASE("rules: all that is wrong with a body, and with parameters, is in one answer") {
  Site site("rules");
  REQUIRE(site.route("order", {"shop"}));
  const std::string bad =
      R"({"id":"x","lines":[{"product":1,"count":1},{"count":100,"product":"ab"},{}],"tags":["abcde","a","b"],"gift":0})";
  const Answer answer = site.post("/order/0?page=12", bad);
  CHECK(answer.status == 400);
  INFO(answer.body);
  CHECK(answer.body.contains("The request has 10 mistakes."));
  for (const std::string_view each :
       {R"({"detail":"must be a whole number from 1 to 9","in":"path","parameter":"shop"})",
        R"({"detail":"must be a whole number from 1 to 9","in":"query","parameter":"page"})",
        R"({"detail":"must be a UUID","pointer":"#/id"})",
        R"({"detail":"must be a text","pointer":"#/lines/0/product"})",
        R"({"detail":"must be a whole number from 1 to 99","pointer":"#/lines/1/count"})",
        R"({"detail":"is missing","pointer":"#/lines/2/product"})",
        R"({"detail":"is missing","pointer":"#/lines/2/count"})",
        R"({"detail":"must be a text of 1 to 4 characters","pointer":"#/tags/0"})",
        R"({"detail":"must have 0 to 2 elements","pointer":"#/tags"})",
        R"({"detail":"must be true or false","pointer":"#/gift"})"}) {
    INFO(each);
    CHECK(answer.body.contains(each));
  }
  // A body that is right does not hide what is wrong with parameters, nor one of another type.
  CHECK(site.post("/order/0?page=1", order_with(R"("lines":[{"product":"ab","count":1}])"))
            .body.contains("The path parameter `shop` must be a whole number from 1 to 9."));
  CHECK(site.ask(form_post("/order/0?page=1", "a=b")).status == 415);
  CHECK(site.handled == site.ended);
}

TEST_CASE("rules: patterns of members are told with all else, of elements and nested ones too") {
  Site site("rules");
  REQUIRE(site.route("order", {"shop"}));
  const Answer answer = site.post(
      "/order/1?page=1",
      R"({"id":"x","lines":[{"product":"ab","count":1},{"product":"A","count":0}],"tags":["1","a"],"gift":true})");
  INFO(answer.body);
  CHECK(answer.status == 400);
  CHECK(answer.body.contains("The request has 5 mistakes."));
  for (const std::string_view each :
       {R"({"detail":"must be a text of 2 to 8 characters","pointer":"#/lines/1/product"})",
        R"({"detail":"must be a text that matches `^[a-z]+$`","pointer":"#/lines/1/product"})",
        R"({"detail":"must be a text that matches `^[a-z]`","pointer":"#/tags/0"})"})
    CHECK(answer.body.contains(each));

  CHECK(site.post("/matched", R"({"slow":"aaa","quoted":"7 \"x\"","some":["\u00e4",null]})").body ==
        R"({"slow":3,"quoted":"7 \"x\"","some":2})");
  CHECK(site.post("/matched", R"({"slow":"a","quoted":null,"some":[]})").status == 200);
  const Answer wrong = site.post("/matched", R"({"slow":"b","quoted":"7","some":["a"]})");
  INFO(wrong.body);
  CHECK(wrong.body.contains(R"(must be a text that matches `^\\d \"x\"$`)"));
  CHECK(wrong.body.contains("\"pointer\":\"#/some/0\""));
  CHECK(site.handled == site.ended);
}

TEST_CASE("rules: no text makes a pattern of a member slow") {
  Site site("rules");
  // Tried in all ways this would be two to the power of its length.
  const std::string text(100'000, 'a');
  CHECK(site.post("/matched", "{\"slow\":\"" + text + "\",\"some\":[]}").body.contains("\"slow\":100000"));
  CHECK(site.post("/matched", "{\"slow\":\"" + text + "!\",\"some\":[]}").status == 400);
}

TEST_CASE("rules: a pattern of a member that is none refuses its plugin, and says whose it is") {
  const auto loaded = load("bad_pattern");
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.contains(
      "`Inner.codes` has a pattern, `[a-`, that is no regular expression: missing ]"));
}

TEST_CASE("rules: what is behind something that is no JSON is not told, and nothing is told without end") {
  Site site("rules");
  const Answer broken = site.post("/tree", R"({"id":10,"below":[{"id":11,"below":[]},x]})");
  CHECK(broken.status == 400);
  CHECK(broken.body.contains(R"("pointer":"#/id")"));
  CHECK(broken.body.contains(R"("pointer":"#/below/0/id")"));
  CHECK(broken.body.contains(R"("pointer":"#/below/1")"));
  CHECK(broken.body.contains("The request has 3 mistakes."));
  const Answer cut = site.post("/tree", R"({"id":10,"below":[)");
  CHECK(cut.body.contains("The request has 2 mistakes."));
  std::string many = R"({"id":1,"below":[)";
  for (int i = 0; i < 1000; ++i) many += std::string(i == 0 ? "" : ",") + R"({"id":-1,"below":[]})";
  const Answer endless = site.post("/tree", many + "]}");
  CHECK(endless.body.contains("The request has 32 mistakes"));
  CHECK(site.get("/lists?id=0").status == 400);
}

TEST_CASE("rules: a route's rules are kept beside the handler's") {
  Site site("rules");
  ParameterSpec limit{.name = "limit", .in = In::Query, .type = ParameterType::Integer, .required = true};
  limit.least = 1;
  limit.most = 10;
  ParameterSpec key{.name = "X-Key", .in = In::Header, .max_length = 3};
  REQUIRE(site.route("any", {}, {limit, key}));
  CHECK(site.get("/any?limit=10&other=1", "x-key: abc\r\n").body == "limit=10&other=1");
  CHECK(site.get("/any").body.contains("`limit` is missing"));
  CHECK(site.get("/any?limit=11", "X-Key: abcd\r\n").body.contains("The request has 2 mistakes."));

  // Those of the handler's own become narrower.
  ParameterSpec small{.name = "small", .in = In::Query, .type = ParameterType::Integer};
  small.least = -3;
  small.fallback = "-2";
  REQUIRE(site.route("numbers", {}, {small}));
  CHECK(site.get("/numbers").body.contains(R"("small":-2)"));
  CHECK(site.get("/numbers?small=-4").body.contains("must be a whole number from -3 to -1."));
}

TEST_CASE("rules: what contradicts itself is told when the route is loaded") {
  Site site("rules");
  const auto message = [&](const std::string& name, std::vector<ParameterSpec> specs = {}) {
    const auto bound = site.route(name, {}, std::move(specs));
    REQUIRE_FALSE(bound);
    return bound.error().message;
  };
  CHECK(message("bad_pattern").contains("its pattern `[a-` cannot be used: missing ]"));
  CHECK(message("bad_default").contains("its default `long` must be a text of 2 to 3 characters"));
  CHECK(message("numbers", {{.name = "yes", .in = In::Query, .type = ParameterType::Uuid}})
            .contains("the query parameter `yes` is declared twice, as a UUID and as true or false"));
  ParameterSpec far{.name = "small", .in = In::Query, .type = ParameterType::Integer};
  far.least = 1;
  CHECK(message("numbers", {far}).contains("nothing is as much as the least"));
  CHECK(message("texts", {{.name = "code", .in = In::Query, .pattern = "x"}})
            .contains("each time with a pattern"));
  CHECK(message("texts", {{.name = "name", .in = In::Query, .list = true}}).contains("once as a list"));
  CHECK(message("any", {{.name = "id", .in = In::Path}}).contains("its path has no parameter {id}"));
  CHECK(message("streamed", {{.name = "a", .in = In::Form}}).contains("takes its body in pieces"));
  CHECK(message("order").contains("the handler needs a path parameter {shop}"));
  CHECK(message("any", std::vector<ParameterSpec>(129, {.name = "x"})).contains("more than 128 parameters"));
}

TEST_CASE("rules: handlers that stream, and those that wait, are called with what is right alone") {
  Site site("rules");
  CHECK(site.post("/streamed?n=7", "abc").body == R"({"n":7,"bytes":3})");
  CHECK(site.post("/streamed?n=256", "abc").body.contains("must be a whole number from 0 to 255"));
  CHECK(site.get("/waits?n=9").body == R"({"n":9})");
  CHECK(site.get("/waits?n=10").status == 400);
  CHECK(site.handled == site.ended);
}

TEST_CASE("rules: they are kept on the pool as well") {
  Site site("rules");
  site.executor = Executor::Pool;
  CHECK(site.get("/lists?id=3&id=4", "X-Tags: a\r\n").body == R"({"ids":[3,4],"flags":[],"tags":["a"]})");
  CHECK(site.get("/lists?id=0").body.contains("must be a whole number from 1 to 50"));
  CHECK(site.post("/tree", R"({"id":10,"below":[]})").body.contains("The body's `/id` must be"));
  CHECK(site.post("/tree", R"({"id":1,"below":[]})").body == R"({"id":1,"below":[]})");
}

TEST_CASE("rules: a plugin in C declares them, and finds what was given by numbers") {
  Site site("parameters");
  REQUIRE(site.route("lookup", {}, {{.name = "extra", .in = In::Query, .max_length = 3}}));
  CHECK(site.get("/lookup?n=-3&extra=ab").body == "-3 ab ");
  CHECK(site.get("/lookup?n=3&tag=a&tag=bc").body == "3 a bc ");
  CHECK(site.get("/lookup?n=3&tag=a&tag=b&tag=c").body == "3 a more ");
  CHECK(site.get("/lookup?n=4&tag=abcde&extra=abcd").body.contains("The request has 3 mistakes."));
  CHECK(site.handled == site.ended);
  CHECK(site.get("/fits").body == "good");
  for (const std::string name : {"no_size", "no_name", "no_place", "no_type", "no_choices", "no_range"}) {
    INFO(name);
    CHECK_FALSE(site.route(name));
  }
}

TEST_CASE("rules: a handler that judges its body itself answers for its parameters as well") {
  Site site("parameters");
  REQUIRE(site.route("judges", {}, {{.name = "a", .in = In::Query, .required = true}}));
  CHECK(site.get("/judges?a=").body ==
        R"({"type":"about:blank","title":"Bad Request","status":400,)"
        R"("detail":"The body's `/a~1b` must not be \"empty\".",)"
        R"("errors":[{"detail":"must not be \"empty\"","pointer":"#/a~1b"}]})");
  CHECK(site.get("/judges").body.contains("The query parameter `a` is missing."));
}

}  // namespace leat::plugin::test

// Conditions: what fits, what does not and why; and what is none.
#include "pipeline/condition.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "pipeline/stage.h"

namespace leat::pipeline {
namespace {

using Miss = Condition::Miss;

// What a request of these fields, for this target, does not fit in `keys`.
Miss miss(ConditionKeys keys, std::string_view target, std::string_view fields = "") {
  test::Stage stage;
  Miss found = Miss::None;
  const Condition condition(std::move(keys));
  stage.route("/{rest...}", {"GET", "POST"}).on_handle = [&](http::Exchange& exchange) {
    Facts facts{.request = exchange.request, .arena = exchange.arena()};
    found = condition.miss(facts);
    exchange.send({});
    return Verdict::Done;
  };
  REQUIRE(test::status_of(stage.get(target, fields)) == 200);
  return found;
}

TEST_CASE("condition: each list is one that a request fits or not") {
  CHECK(miss({.header = {"X-Api: 2"}}, "/", "X-Api: 2\r\n") == Miss::None);
  CHECK(miss({.header = {"x-api:2"}}, "/", "X-Api: 2\r\n") == Miss::None);
  CHECK(miss({.header = {"X-Api: 2"}}, "/", "X-Api: 22\r\n") == Miss::Header);
  CHECK(miss({.header = {"X-Api: 2"}}, "/", "X-Api: 1\r\nX-Api: 2\r\n") == Miss::None);
  CHECK(miss({.header = {"X-Api"}}, "/", "X-Api: \r\n") == Miss::None);
  CHECK(miss({.header = {"X-Api"}}, "/") == Miss::Header);
  CHECK(miss({.header = {"X-One", "X-Two"}}, "/", "X-Two: 1\r\n") == Miss::None);

  CHECK(miss({.query = {"format=csv"}}, "/?a=1&format=csv") == Miss::None);
  CHECK(miss({.query = {"format=csv"}}, "/?format=c%73v") == Miss::None);
  CHECK(miss({.query = {"format=csv"}}, "/?form%61t=csv") == Miss::None);
  CHECK(miss({.query = {"format=csv"}}, "/?format=json&format=csv") == Miss::Query);
  CHECK(miss({.query = {"format=csv"}}, "/?format=%zz") == Miss::Query);
  CHECK(miss({.query = {"a b=c+d"}}, "/?a+b=c%2Bd") == Miss::None);
  CHECK(miss({.query = {"debug"}}, "/?debug") == Miss::None);
  CHECK(miss({.query = {"debug"}}, "/?debugger") == Miss::Query);
  CHECK(miss({.query = {"debug"}}, "/") == Miss::Query);

  const auto type = [](std::string_view text) { return "Content-Type: " + std::string(text) + "\r\n"; };
  CHECK(miss({.content_type = {"application/json"}}, "/", type("Application/JSON; charset=utf-8")) ==
        Miss::None);
  CHECK(miss({.content_type = {"application/json"}}, "/", type("application/json5")) == Miss::ContentType);
  CHECK(miss({.content_type = {"image/*"}}, "/", type("image/png")) == Miss::None);
  CHECK(miss({.content_type = {"image/*"}}, "/", type("image/")) == Miss::ContentType);
  CHECK(miss({.content_type = {"image/*"}}, "/") == Miss::ContentType);

  // The harness's client is 192.0.2.1.
  CHECK(miss({.client = {"192.0.2.0/24"}}, "/") == Miss::None);
  CHECK(miss({.client = {"10.0.0.0/8", "::/0"}}, "/") == Miss::Client);
  CHECK(miss({.host = {"*.b", "a"}}, "/") == Miss::None);
  CHECK(miss({.host = {"*.a"}}, "/") == Miss::Host);
  CHECK(miss({.method = {"POST"}}, "/") == Miss::Method);
  CHECK(miss({}, "/") == Miss::None);
}

TEST_CASE("condition: all lists have to fit, and the first that does not is told") {
  const ConditionKeys keys{.client = {"192.0.2.1"}, .header = {"X-A"}, .query = {"q"}};
  CHECK(miss(keys, "/?q", "X-A: 1\r\n") == Miss::None);
  CHECK(miss(keys, "/?q") == Miss::Header);
  CHECK(miss(keys, "/", "X-A: 1\r\n") == Miss::Query);
  CHECK(Condition::miss_name(Miss::ContentType) == "content type");
  CHECK(Condition(keys).text() == "client 192.0.2.1, header X-A, query q");
  CHECK(Condition({.header = {"A", "B: 1"}}).text() == "header A or B: 1");
}

TEST_CASE("condition: what is no item of a list is told with what one is") {
  CHECK(check_condition_header("`header`", "X-A: 1").empty());
  CHECK(check_condition_header("`header`", "X A").contains("write NAME, or NAME: VALUE"));
  CHECK(check_condition_header("`header`", "X-A: 1\r\nX-B: 2").contains("no header field"));
  CHECK(check_condition_query("`query`", "=x").contains("no parameter"));
  CHECK(check_condition_content_type("`content_type`", "json").contains("write application/json"));
  CHECK(check_condition_content_type("`content_type`", "*/*").contains("no type of content"));
  CHECK(check_condition_content_type("`content_type`", "text/html; charset=utf-8").contains("no type"));
  CHECK(check_condition_host("`host`", "example.org:80").contains("no host without a port"));
  CHECK(check_condition_method("`method`", "get").contains("capitals"));
  CHECK(!check_condition_client("`client`", "10.0.0.0/33").empty());
}

}  // namespace
}  // namespace leat::pipeline

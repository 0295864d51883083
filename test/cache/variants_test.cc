// Answers that differ by fields of the request: each is kept for whom it was made.
#include "cache/site.h"

namespace leat::cache {

TEST_CASE("response cache: answers that vary are kept apart by the fields they name") {
  Site site;
  site.script->fields = {{"Vary", "Accept-Language, X-Kind"}};
  CHECK(site.body("/a", "Accept-Language: de, en\r\n") == "run 1");
  CHECK(site.body("/a", "Accept-Language: en\r\n") == "run 2");
  CHECK(site.get("/a", "Accept-Language: fr\r\n").field("Cache-Status") == "leat; fwd=vary-miss; stored");
  CHECK(site.body("/a", "X-Kind: 1\r\n") == "run 4");
  CHECK(site.body("/a") == "run 5");
  CHECK(site.body("/a", "X-Kind: \r\n") == "run 6");
  CHECK(site.body("/a", "Accept-Language:  de,en \r\nX-Other: 1\r\n") == "run 1");
  CHECK(site.body("/a", "Accept-Language: en\r\n") == "run 2");
  CHECK(site.body("/a", "x-kind: 1\r\n") == "run 4");
  CHECK(site.body("/a") == "run 5");
  CHECK(site.script->runs == 6);
}

TEST_CASE(
    "response cache: thousands of variants take no more room than is allowed, and never the wrong answer") {
  Policy policy = minute();
  policy.variants = 8;
  Site site(policy);
  site.script->fields = {{"Vary", "X-Kind"}};
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, exchange.request.header("X-Kind"));
  };
  for (int i = 0; i < 3000; ++i) {
    const std::string kind = std::to_string(i % 1500);
    CHECK(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
  }
  CHECK(site.statistics().entries <= 9);
  const int runs = site.script->runs;
  CHECK(site.body("/a", "X-Kind: 1499\r\n") == "1499");
  CHECK(site.script->runs == runs);
}

TEST_CASE("response cache: thousands of variants take turns in the places of one target, and nobody else's") {
  Policy policy = minute();
  policy.variants = 16;
  Site site(policy);
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, exchange.request.header("X-Kind"));
  };
  CHECK(site.body("/other", "X-Kind: mine\r\n") == "mine");
  site.script->fields = {{"Vary", "X-Kind"}};
  for (int i = 0; i < 5000; ++i) {
    const std::string kind = std::to_string(i);
    REQUIRE(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
    REQUIRE(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
    REQUIRE(site.statistics().entries <= 2 + policy.variants);
  }
  CHECK(site.script->runs == 5001);
  CHECK(site.body("/a", "X-Kind: 4990\r\n") == "4990");
  CHECK(site.body("/other", "X-Kind: mine\r\n") == "mine");
  CHECK(site.script->runs == 5001);
}

}  // namespace leat::cache

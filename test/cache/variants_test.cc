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

TEST_CASE(
    "response cache: names of Vary count as its values do: an answer for one tenant is never another's") {
  Site site(minute(), {.bytes = 1 << 20, .entry_bytes = 2000});
  // Varies by what it looked at, and is too large to be stored where it looked at the language.
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string tenant(exchange.request.header("X-Tenant"));
    const bool by_language = exchange.request.header("X-Lang").data() != nullptr;
    REQUIRE(exchange.response.add("Vary", by_language ? "X-Lang" : "X-Tenant"));
    std::string body = "of " + tenant;
    if (exchange.request.target() == "/large") body.resize(by_language ? 3000 : body.size(), '.');
    return site.script->say(exchange, body);
  };
  for (const char* target : {"/large", "/small"}) {
    INFO(target);
    const int runs = site.script->runs;
    CHECK(site.body(target, "X-Tenant: 1\r\n") == "of 1");
    CHECK(site.body(target, "X-Lang: 1\r\nX-Tenant: 3\r\n").starts_with("of 3"));
    CHECK(site.body(target, "X-Tenant: 1\r\n") == "of 1");  // the one has not pushed out the other
    CHECK(site.script->runs == runs + 2);
    CHECK(site.body(target, "X-Tenant: 2\r\n") == "of 2");
    CHECK(site.script->runs == runs + 3);
  }
  CHECK(site.body("/large", "X-Lang: 1\r\nX-Tenant: 2\r\n") == "of 2");
  // What says that it is for all with that language is for them; that is its handler's word.
  CHECK(site.body("/small", "X-Lang: 1\r\nX-Tenant: 4\r\n") == "of 3");
}

TEST_CASE("response cache: a handler that varies by ever other fields costs room, never a wrong answer") {
  Policy policy = minute();
  policy.variants = 8;
  Site site(policy);
  int by = 0;
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string name = fmt::format("X-{}", by);
    REQUIRE(exchange.response.add_copy(exchange.arena(), "Vary", name));
    return site.script->say(exchange, fmt::format("{} {}", name, exchange.request.header(name)));
  };
  for (by = 0; by < 100; ++by) {
    const std::string mine = fmt::format("X-{}: {}\r\nX-{}: 7\r\n", by, by, by + 1);
    CHECK(site.body("/a", mine) == fmt::format("X-{} {}", by, by));
    CHECK(site.body("/a", mine) == fmt::format("X-{} {}", by, by));
    CHECK(site.script->runs == by + 1);
  }
  CHECK(site.statistics().entries <= 9);
  // One with names without end is sent and not stored.
  site.script->answer = [&](http::Exchange& exchange) {
    REQUIRE(exchange.response.add_copy(exchange.arena(), "Vary", "X-" + std::string(2000, 'n')));
    return site.script->say(exchange, "endless");
  };
  CHECK(site.get("/b").field("Cache-Status") == "leat; fwd=uri-miss");
}

TEST_CASE("response cache: what a field that is no list says is compared as it came") {
  Site site;
  site.script->fields = {{"Vary", "X-Tenant"}};
  const std::vector<std::string> tenants = {"1",
                                            "1,",
                                            ",1",
                                            "1,1",
                                            "1, 1",
                                            "1,  1",
                                            "\"1\"",
                                            "",
                                            "1\r\nX-Tenant: 1",
                                            "1\r\nX-Tenant: ",
                                            "1\r\nX-Tenant: 1, 1"};
  for (int round = 0; round < 2; ++round)
    for (size_t i = 0; i < tenants.size(); ++i) {
      INFO(tenants[i]);
      CHECK(site.body("/a", "X-Tenant: " + tenants[i] + "\r\n") == fmt::format("run {}", i + 1));
    }
}

TEST_CASE("response cache: an answer that cannot be stored leaves those to others where they are") {
  Policy policy = minute();
  policy.client_control = true;
  policy.stale_if_error_ms = 30'000;
  Site site(policy);
  site.script->fields = {{"Vary", "X-Kind"}};
  const auto body = [&](std::string_view kind, std::string_view more = "") {
    return site.body("/a", fmt::format("X-Kind: {}\r\n{}", kind, more));
  };
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string_view kind = exchange.request.header("X-Kind");
    if (kind == "bad") return site.script->say(exchange, "bad", 400);
    if (kind == "own") REQUIRE(exchange.response.add("Cache-Control", "private"));
    if (kind == "cookie") REQUIRE(exchange.response.add("Set-Cookie", "a=b"));
    return site.script->say(exchange, fmt::format("{} {}", kind, site.script->runs));
  };
  CHECK(body("1") == "1 1");
  CHECK(body("2") == "2 2");
  CHECK(body("bad") == "bad");
  CHECK(body("own") == "own 4");
  CHECK(body("cookie") == "cookie 5");
  CHECK(body("own", "Cache-Control: no-cache\r\n") == "own 6");
  CHECK(body("bad", "Authorization: Basic eDp5\r\n") == "bad");
  CHECK(body("1") == "1 1");
  CHECK(body("2") == "2 2");
  // A client that wants it new gets it, and the others keep theirs.
  site.script->answer = [&](http::Exchange& exchange) {
    REQUIRE(exchange.response.add("Cache-Control", "no-store"));
    return site.script->say(exchange, fmt::format("secret {}", site.script->runs));
  };
  CHECK(body("2", "Cache-Control: no-cache\r\n") == "secret 8");
  CHECK(body("1") == "1 1");
  // It was not for others any more, so the one before it is gone.
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 503); };
  site.pass(60'000);
  CHECK(body("1") == "1 1");
  CHECK(site.get("/a", "X-Kind: 2\r\n").status == 503);
}

TEST_CASE("response cache: a refused request does not push out the answer to the others") {
  Policy policy = minute();
  policy.client_control = true;
  Site site(policy);
  CHECK(site.body("/a") == "run 1");
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "no", 400); };
  CHECK(site.body("/a", "Cache-Control: no-cache\r\nX-Bad: 1\r\n") == "no");
  CHECK(site.body("/a") == "run 1");
}

TEST_CASE("response cache: an answer that has forgotten its Vary is only for who asks as its client did") {
  Site site;
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string_view tenant = exchange.request.header("X-Tenant");
    if (!tenant.empty()) REQUIRE(exchange.response.add("Vary", "X-Tenant"));
    return site.script->say(exchange, fmt::format("of {}", tenant.empty() ? "nobody" : tenant));
  };
  CHECK(site.body("/a", "X-Tenant: 1\r\n") == "of 1");
  CHECK(site.body("/a") == "of nobody");
  CHECK(site.body("/a", "X-Other: 1\r\n") == "of nobody");
  CHECK(site.script->runs == 2);
  CHECK(site.body("/a", "X-Tenant: 2\r\n") == "of 2");
  CHECK(site.body("/a", "X-Tenant: 1\r\n") == "of 1");
  CHECK(site.script->runs == 3);
}

}  // namespace leat::cache

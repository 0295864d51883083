// What is stale: who is sent it, and who has it made anew.
#include "cache/site.h"

namespace leat::cache {

TEST_CASE("response cache: what is stale is sent while it is made anew, once") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  CHECK(site.body("/a?q=1", "Accept: x/y\r\nIf-None-Match: \"z\"\r\n") == "run 1");
  site.pass(61'500);
  const Answer stale =
      site.get("/a?q=1", "Accept: x/y\r\nIf-None-Match: \"z\"\r\nConnection: keep-alive\r\n");
  CHECK(stale.body == "run 1");
  CHECK(stale.field("Cache-Status") == "leat; hit; ttl=-2");
  CHECK(stale.field("Age") == "61");
  CHECK(site.body("/a?q=1") == "run 1");
  REQUIRE(site.harness->worker.asked ==
          std::vector<std::string>{"GET /a?q=1 HTTP/1.1\r\nHost:a\r\nAccept:x/y\r\n\r\n"});
  site.refresh();
  CHECK(site.body("/a?q=1") == "run 2");
  CHECK(site.script->runs == 2);

  SECTION("one that fails is tried again after a while, and the stale one serves as long as it may") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "broken", 500); };
    site.pass(60'000);
    CHECK(site.body("/a?q=1") == "run 2");
    site.refresh();
    CHECK(site.body("/a?q=1") == "run 2");
    CHECK(site.harness->worker.asked.empty());
    site.pass(policy.wait_ms);
    CHECK(site.body("/a?q=1") == "run 2");
    CHECK(site.harness->worker.asked.size() == 1);
    site.pass(30'000);
    CHECK(site.get("/a?q=1").status == 500);
  }
  SECTION("where the worker cannot ask itself, whoever finds it stale has it made") {
    site.harness->worker.asks_self = false;
    site.pass(60'000);
    CHECK(site.body("/a?q=1") == "run 3");
  }
}

TEST_CASE("response cache: who sends as much as a request may have what is stale made anew all the same") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  http::Limits& limits = site.harness->limits;
  limits.header_count = 20;
  std::string fields = "Host:a\r\n";
  for (int i = 1; i < 20; ++i) fields += fmt::format("X-{}:v\r\n", i);
  limits.header_bytes = static_cast<uint32_t>(fields.size() + 2);
  Site::Client client(site);
  const auto ask = [&] {
    client.session().feed("GET /a HTTP/1.1\r\n" + fields + "\r\n");
    return client.take();
  };
  CHECK(ask().body == "run 1");
  site.pass(61'000);
  CHECK(ask().body == "run 1");
  REQUIRE(site.harness->worker.asked.size() == 1);
  site.refresh();
  const Answer fresh = ask();
  CHECK(fresh.body == "run 2");
  CHECK(fresh.field("Cache-Status") == "leat; hit; ttl=60");
}

TEST_CASE("response cache: what must not be sent stale is not, whoever allows it") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = policy.stale_if_error_ms = 30'000;
  policy.client_control = true;
  for (const char* directive :
       {"s-maxage=60", "max-age=60, must-revalidate", "max-age=60, proxy-revalidate"}) {
    INFO(directive);
    Site site(policy);
    site.harness->worker.asks_self = true;
    site.script->fields = {{"Cache-Control", directive}};
    CHECK(site.body("/a") == "run 1");
    site.pass(61'000);
    CHECK(site.body("/a", "Cache-Control: max-stale=20\r\n") == "run 2");
    CHECK(site.purge(PurgeBy::All, "", false).empty());
    CHECK(site.body("/a") == "run 3");
    site.pass(61'000);
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 503); };
    CHECK(site.get("/a").status == 503);
    CHECK(site.harness->worker.asked.empty());
  }
}

TEST_CASE("response cache: what is stale stands in for a handler that fails") {
  Policy policy = minute();
  policy.stale_if_error_ms = 30'000;
  Site site(policy);
  site.script->fields = {{"X-Kept", "yes"}};
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "broken", 503); };
  const Answer stale = site.get("/a");
  CHECK(stale.status == 200);
  CHECK(stale.body == "run 1");
  CHECK(stale.field("X-Kept") == "yes");
  CHECK(stale.field("Cache-Status") == "leat; fwd=stale; fwd-status=503; ttl=0");
  CHECK(site.script->runs == 2);
  // For a while nobody tries again.
  CHECK(site.body("/a") == "run 1");
  CHECK(site.script->runs == 2);
  site.pass(policy.wait_ms);
  CHECK(site.get("/a", "Authorization: Basic eDp5\r\n").status == 503);
  // Nor does an answer in pieces get through.
  site.script->answer = [](http::Exchange& exchange) {
    exchange.response.status = 500;
    exchange.begin(std::nullopt);
    exchange.write("broken");
    exchange.end();
    return Verdict::Done;
  };
  CHECK(site.body("/a") == "run 1");
  CHECK(site.script->runs == 4);
  site.pass(30'000);
  CHECK(site.get("/a").status == 500);
  // One that forgets to answer has failed as well.
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "fine"); };
  CHECK(site.body("/b") == "fine");
  site.pass(60'000);
  site.script->answer = [](http::Exchange&) { return Verdict::Error; };
  CHECK(site.body("/b") == "fine");
}

}  // namespace leat::cache

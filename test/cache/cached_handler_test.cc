// What a cached route answers from what is stored, and for whom.
#include "cache/site.h"

#include <catch2/generators/catch_generators.hpp>

#include "json/allocations.h"

namespace leat::cache {

TEST_CASE("response cache: the handler runs once, and its answer is sent until its time is over") {
  Site site;
  site.script->fields = {{"X-Kept", "yes"}};
  const Answer first = site.get("/a");
  CHECK(first.status == 200);
  CHECK(first.field("Cache-Status") == "leat; fwd=uri-miss; stored");
  site.pass(59'999);
  const Answer second = site.get("/a");
  CHECK(second.body == "run 1");
  CHECK(second.field("X-Kept") == "yes");
  CHECK(second.field("Content-Type") == "text/plain");
  CHECK(second.field("ETag") == first.field("ETag"));
  CHECK(second.field("Age") == "59");
  CHECK(second.field("Cache-Status") == "leat; hit; ttl=0");
  site.pass(1);
  CHECK(site.get("/a").field("Cache-Status") == "leat; fwd=uri-miss; stored");
  CHECK(site.script->runs == 2);
  CHECK(site.script->ended == 2);
}

TEST_CASE("response cache: HEAD is answered by what a GET has stored, and stores nothing itself") {
  Site site;
  CHECK(site.get("/a", "", "HEAD").field("Cache-Status") == "leat; fwd=uri-miss");
  CHECK(site.body("/a") == "run 2");
  const Answer head = site.get("/a", "", "HEAD");
  CHECK(head.body.empty());
  CHECK(head.field("Content-Length") == "5");
  CHECK(head.field("Cache-Status") == "leat; hit; ttl=60");
  CHECK(site.script->runs == 2);
}

TEST_CASE("response cache: no two targets share an answer, even where all hashes are one") {
  for (const bool collide : {false, true}) {
    const Store::Hash same = [](std::string_view, const SipKey&) { return uint64_t{42}; };
    Site site(minute(), {}, collide ? same : sip_hash<1, 3>);
    const std::vector<std::pair<std::string, std::string>> targets = {{"/x", ""},
                                                                      {"/x?", ""},
                                                                      {"/x?1", ""},
                                                                      {"/x?True", ""},
                                                                      {"/x?true", ""},
                                                                      {"/x?a=1", ""},
                                                                      {"/x?a=1&", ""},
                                                                      {"/X", ""},
                                                                      {"/x/", ""},
                                                                      {"/x%2F", ""},
                                                                      {"/x?b=1", ""},
                                                                      {"/x?a=1.0", ""},
                                                                      {"/x", "Host: b\r\n"},
                                                                      {"/x", "Host: a:80\r\n"}};
    for (int round = 0; round < 2; ++round)
      for (size_t i = 0; i < targets.size(); ++i) {
        INFO(targets[i].first);
        CHECK(site.body(targets[i].first, targets[i].second) == fmt::format("run {}", i + 1));
      }
    CHECK(site.script->runs == static_cast<int>(targets.size()));
  }
}

TEST_CASE(
    "response cache: an answer that has changed is not the old one: the key is the request, not the "
    "content") {
  Site site;
  std::string content = "1";
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, content); };
  CHECK(site.body("/value") == "1");
  content = "true";
  CHECK(site.body("/other") == "true");  // equal to 1 in some languages
  CHECK(site.purge(PurgeBy::Target, "/value", true).empty());
  CHECK(site.body("/value") == "true");
}

TEST_CASE("response cache: the part of the query that is in the key") {
  Policy policy = minute();
  policy.query = Policy::Query::Listed;
  policy.parameters = {"a", "b"};
  Site site(policy);
  CHECK(site.body("/x?a=1&utm=5") == "run 1");
  CHECK(site.body("/x?utm=6&a=1") == "run 1");
  CHECK(site.body("/x?a=1&a=2") == "run 2");
  CHECK(site.body("/x?a=2") == "run 3");
  CHECK(site.body("/x?b=1") == "run 4");
  CHECK(site.body("/x?ab=1") == "run 5");
  CHECK(site.body("/x") == "run 5");
  // A handler that decodes names would see a=9 here.
  CHECK(site.get("/x?%61=9").field("Cache-Status") == "leat; fwd=bypass");
  CHECK(site.body("/x") == "run 5");

  policy.query = Policy::Query::None;
  Site none(policy);
  CHECK(none.body("/x?a=1") == "run 1");
  CHECK(none.body("/x?b=%31") == "run 1");
}

TEST_CASE("response cache: credentials, cookies, ranges and bodies pass it by") {
  Site site;
  CHECK(site.body("/a") == "run 1");
  int run = 1;
  for (const char* field :
       {"Authorization: Basic eDp5\r\n", "Cookie: a=b\r\n", "Range: bytes=0-1\r\n", "If-Match: \"x\"\r\n",
        "If-Range: \"x\"\r\n", "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n"}) {
    INFO(field);
    CHECK(site.body("/a", field) == fmt::format("run {}", ++run));
  }
  CHECK(site.body("/a") == "run 1");
  // What says that it is for all is sent to those with credentials too.
  site.script->fields = {{"Cache-Control", "public, max-age=60"}};
  CHECK(site.body("/b", "Authorization: Basic eDp5\r\n") == "run 8");
  CHECK(site.body("/b", "Authorization: Basic ejp6\r\n") == "run 8");
  CHECK(site.body("/b") == "run 8");
  // Never with a cookie that it sets.
  site.script->fields = {{"Cache-Control", "public, max-age=60"}, {"Set-Cookie", "a=b"}};
  CHECK(site.body("/c") == "run 9");
  CHECK(site.body("/c") == "run 10");

  Policy policy = minute();
  policy.cookies = true;
  Site open(policy);
  CHECK(open.body("/a", "Cookie: a=1\r\n") == "run 1");
  CHECK(open.body("/a", "Cookie: a=2\r\n") == "run 1");
}

TEST_CASE("response cache: Cache-Control of requests counts where the route says so") {
  Site deaf;
  CHECK(deaf.body("/a") == "run 1");
  CHECK(deaf.body("/a", "Cache-Control: no-cache\r\n") == "run 1");

  Policy policy = minute();
  policy.client_control = true;
  Site site(policy);
  const auto body = [&](std::string_view directive) {
    return site.body("/a", fmt::format("Cache-Control: {}\r\n", directive));
  };
  CHECK(site.get("/a", "Cache-Control: only-if-cached\r\n").status == 504);
  CHECK(site.body("/a") == "run 1");
  CHECK(body("only-if-cached") == "run 1");
  CHECK(body("no-cache") == "run 2");
  CHECK(site.body("/a") == "run 2");
  CHECK(body("no-store") == "run 3");
  CHECK(site.body("/a") == "run 2");
  CHECK(site.body("/a", "Pragma: x, no-cache\r\nPragma: y\r\n") == "run 4");
  CHECK(site.body("/a", "Pragma: no-cache\r\nCache-Control: max-age=60\r\n") == "run 4");
  site.pass(10'000);
  CHECK(body("max-age=10") == "run 4");
  CHECK(body("max-age=9") == "run 5");
  CHECK(body("min-fresh=60") == "run 5");
  CHECK(body("min-fresh=61") == "run 6");
  CHECK(body("max-age=100, max-stale=5") == "run 6");
  CHECK(site.body("/a", "Cache-Control: max-age=100\r\nCache-Control: no-cache\r\n") == "run 7");
}

TEST_CASE("response cache: of a head that comes again no more is remembered than what it says") {
  Site site;
  site.script->fields = {{"ETag", "\"1\""}, {"Cache-Control", "public"}};
  Site::Client client(site);
  const auto ask = [&](std::string_view target, std::string_view fields = "") {
    client.ask(target, fields);
    return client.take();
  };
  // So often that each is known, and lies beside others that differ in one thing.
  for (int i = 0; i < 100; ++i) {
    CHECK(ask("/a").body == "run 1");
    CHECK(ask("/a?b").body == "run 2");
    CHECK(ask("/a", "If-None-Match: \"1\"\r\n").status == 304);
    CHECK(ask("/a", "If-None-Match: \"2\"\r\n").status == 200);
    CHECK(ask("/a", "Authorization: Basic eA==\r\n").body == "run 1");
    CHECK(ask("/a", "Host: b\r\n").body == "run 3");
    CHECK(ask("/a", "Cookie: a=b\r\n").field("Cache-Status") == "leat; fwd=bypass");
    --site.script->runs;
  }
  CHECK(site.script->runs == 3);
}

TEST_CASE("response cache: a hit allocates nothing, of a variant neither") {
  Site site;
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(5412, 'x'));
  };
  if (GENERATE(false, true)) site.script->fields = {{"Vary", "Accept-Language, X-Client, Accept-Encoding"}};
  Site::Client client(site);
  const std::string request =
      "GET /a HTTP/1.1\r\nHost: a\r\nAccept-Language: de-CH, de;q=0.9,  en;q=0.5\r\nX-Client: seven\r\n\r\n";
  for (int i = 0; i < 20; ++i) {
    client.session().feed(request);
    CHECK(client.take().status == 200);
  }
  const size_t before = leat::test::allocations();
  for (int i = 0; i < 100; ++i) {
    client.session().feed(request);
    client.session().sent(client.session().output().size());
  }
  CHECK(leat::test::allocations() == before);
  CHECK(site.script->runs == 1);
}

}  // namespace leat::cache

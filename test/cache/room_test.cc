// What there is no room for: answers in pieces, large ones, and a full budget.
#include "cache/site.h"

namespace leat::cache {

TEST_CASE("response cache: an answer in pieces is stored when it is whole, and never when it was cut") {
  Site site(minute(), {.bytes = 1 << 20, .entry_bytes = 4096});
  size_t pieces = 3;
  bool cut = true;
  site.script->answer = [&](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    for (size_t i = 0; i < pieces; ++i) exchange.write(std::string(1000, static_cast<char>('a' + i)));
    cut ? exchange.abort() : static_cast<void>(exchange.end());
    return Verdict::Done;
  };
  (void)site.get("/a");
  cut = false;
  const Answer made = site.get("/a");
  CHECK(made.field("Transfer-Encoding") == "chunked");
  CHECK(site.script->runs == 2);
  const Answer stored = site.get("/a");
  CHECK(stored.body == std::string(1000, 'a') + std::string(1000, 'b') + std::string(1000, 'c'));
  CHECK(stored.field("Content-Length") == "3000");
  // What was added after the handler is not stored with its answer.
  CHECK(stored.head.find("Cache-Status") == stored.head.rfind("Cache-Status"));
  CHECK(site.script->runs == 2);
  pieces = 5;  // too large
  (void)site.get("/b");
  (void)site.get("/b");
  CHECK(site.script->runs == 4);
}

TEST_CASE("response cache: a full budget evicts, and everything goes on") {
  Site site(minute(), {.bytes = 64 << 10, .entry_bytes = 8 << 10});
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(4000, exchange.request.path().back()));
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string path = fmt::format("/{}/{}", i % 200, static_cast<char>('a' + i % 26));
    CHECK(site.body(path) == std::string(4000, path.back()));
  }
  CHECK(site.statistics().bytes <= 64 << 10);
  CHECK(site.statistics().evictions > 0);
}

TEST_CASE(
    "response cache: what is larger than an entry may be is sent, not stored, and waited for by nobody") {
  Site site(minute(), {.bytes = 1 << 20, .entry_bytes = 2000});
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(3000, 'x'));
  };
  for (int i = 1; i <= 3; ++i) {
    const Answer answer = site.get("/a");
    CHECK(answer.body.size() == 3000);
    CHECK(answer.field("Cache-Status") == "leat; fwd=uri-miss");
    CHECK(site.script->runs == i);
  }
  CHECK(site.statistics().entries == 1);  // the mark that says so
}

TEST_CASE("response cache: an answer with as many fields as there is room for is sent each time") {
  Policy policy = minute();
  policy.stale_if_error_ms = 30'000;
  for (size_t count = 56; count <= http::Response::kMostFields; ++count) {
    INFO(count);
    Site site(policy);
    for (size_t i = 0; i < count; ++i) site.script->fields[fmt::format("X-{}", i)] = "v";
    CHECK(site.get("/a", "Range: bytes=0-1\r\n").status == 200);
    site.script->runs = 0;
    const auto whole = [&](const Answer& answer) {
      for (size_t i = 0; i < count; ++i) CHECK(answer.field(fmt::format("X-{}", i)) == "v");
      return answer.status == 200;
    };
    const Answer first = site.get("/a");
    CHECK(whole(first));
    CHECK(whole(site.get("/a")));
    CHECK(whole(site.get("/a", "", "HEAD")));
    if (const std::string etag = first.field("ETag"); !etag.empty())
      CHECK(site.get("/a", "If-None-Match: " + etag + "\r\n").status == 304);
    CHECK((site.script->runs == 1 || count > 62));
    // Where the stale one cannot stand in, what failed is sent as it is.
    site.pass(60'000);
    site.script->fields = {{"X-Failed", "yes"}};
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "oh", 503); };
    const Answer failed = site.get("/a");
    if (failed.status == 503) {
      CHECK(count > 62);
      CHECK(failed.field("X-Failed") == "yes");
      CHECK(failed.body == "oh");
    } else {
      CHECK(whole(failed));
    }
  }
}

TEST_CASE("response cache: a head that just about fits is sent each time") {
  // All in one field, and in many.
  for (const size_t fields : {1, 50})
    for (size_t size = 14'000; size <= 16'100; size += 50) {
      INFO(size);
      Site site;
      for (size_t i = 0; i < fields; ++i)
        site.script->fields[fmt::format("X-{}", i)] = std::string(size / fields - 8, 'v');
      Site::Client client(site);
      client.ask("/a");
      if (client.take().status == 0) break;  // more than can be sent
      for (int i = 0; i < 2; ++i) {
        client.ask("/a");
        const Answer answer = client.take();
        CHECK(answer.status == 200);
        CHECK(answer.field("X-0").size() == size / fields - 8);
      }
    }
}

TEST_CASE(
    "response cache: a 304 that brings more fields than there is room for changes nothing, and is no error") {
  Site site;
  site.script->fields = {{"ETag", "\"one\""}};
  for (int i = 0; i < 40; ++i) site.script->fields[fmt::format("X-Old-{}", i)] = "v";
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  site.script->fields = {{"ETag", "\"one\""}};
  for (int i = 0; i < 30; ++i) site.script->fields[fmt::format("X-New-{}", i)] = "v";
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 304); };
  for (int run = 2; run <= 3; ++run) {
    const Answer answer = site.get("/a");
    CHECK(answer.status == 200);
    CHECK(answer.body == "run 1");
    CHECK(answer.field("X-Old-39") == "v");
    CHECK(answer.field("X-New-0").empty());
    CHECK(answer.field("Cache-Status") == "leat; fwd=stale; fwd-status=304; ttl=0");
    CHECK(site.script->runs == run);
  }
  CHECK(site.get("/a", "If-None-Match: \"one\"\r\n").status == 304);
}

}  // namespace leat::cache

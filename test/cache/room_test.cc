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

}  // namespace leat::cache

// What makes stored answers stale or unusable: purges, and changes by other methods.
#include "cache/site.h"

namespace leat::cache {

TEST_CASE("response cache: a change by another method makes what is stored for its path invalid") {
  Site site;
  CHECK(site.body("/a?x=1") == "run 1");
  CHECK(site.get("/a", "Content-Length: 0\r\n", "POST").body == "run 2");
  CHECK(site.body("/a?x=1") == "run 3");
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "no", 422); };
  CHECK(site.get("/a", "Content-Length: 0\r\n", "POST").status == 422);
  CHECK(site.body("/a?x=1") == "run 3");
}

TEST_CASE(
    "response cache: a change is one of its own host, and where a client is only sent elsewhere nothing has "
    "changed") {
  Site site;
  const auto runs_after = [&](std::string_view host, uint16_t status, std::string_view location) {
    (void)site.body("/a", "Host: a.test\r\n");
    site.changer->answer = [&](http::Exchange& exchange) {
      REQUIRE(exchange.response.add("Location", location));
      return site.changer->say(exchange, "", status);
    };
    const int before = site.script->runs;
    (void)site.get("/changed/x", fmt::format("Host: {}\r\nContent-Length: 0\r\n", host), "PUT");
    (void)site.body("/a", "Host: a.test\r\n");
    return site.script->runs - before;
  };
  CHECK(runs_after("b.test", 201, "/a") == 0);
  CHECK(runs_after("a.test", 307, "/a") == 0);
  CHECK(runs_after("a.test", 302, "/a") == 0);
  CHECK(runs_after("A.test:80", 201, "/a") == 1);
  CHECK(runs_after("a.test", 303, "/a") == 1);
}

TEST_CASE("response cache: purged by target, folder, tag or all, softly or hard") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  site.script->fields = {{"Cache-Tag", "one, two words"}};
  const auto purge = [&](PurgeBy by, std::string_view what, bool hard) {
    CHECK(site.purge(by, what, hard).empty());
    // 'g': as if never stored; 's': stale; 'h': untouched.
    const int runs = site.script->runs;
    const std::string before = site.harness->worker.asked.empty() ? "" : "?";
    (void)site.get("/users/7?full");
    const char seen = site.script->runs != runs ? 'g' : site.harness->worker.asked.empty() ? 'h' : 's';
    site.refresh();
    return before + seen;
  };
  (void)site.get("/users/7?full");
  CHECK(purge(PurgeBy::Target, "/users/7", false) == "s");
  CHECK(purge(PurgeBy::Target, "/users/7", true) == "g");
  CHECK(purge(PurgeBy::Target, "/users/7?full", false) == "s");
  CHECK(purge(PurgeBy::Target, "/users/7?other", true) == "h");
  CHECK(purge(PurgeBy::Target, "/users", true) == "h");
  CHECK(purge(PurgeBy::Folder, "/users", false) == "s");
  CHECK(purge(PurgeBy::Folder, "/users/", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/users/7", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/user", true) == "h");
  CHECK(purge(PurgeBy::Folder, "/users/7/x", true) == "h");
  CHECK(purge(PurgeBy::Tag, "one", false) == "s");
  CHECK(purge(PurgeBy::Tag, "two words", true) == "g");
  CHECK(purge(PurgeBy::Tag, "two", true) == "h");
  CHECK(purge(PurgeBy::All, "", false) == "s");
  CHECK(purge(PurgeBy::All, "", true) == "g");
  CHECK_FALSE(site.purge(PurgeBy::Target, "users", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Folder, "/a?b", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Folder, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Tag, "", true).empty());
}

TEST_CASE("response cache: what a handler was making while it was purged is purged with it") {
  Site site;
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string read = "old";
    CHECK(site.purge(PurgeBy::Target, "/a", false).empty());
    return site.script->say(exchange, read);
  };
  CHECK(site.body("/a") == "old");
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "new"); };
  CHECK(site.body("/a") == "new");
  CHECK(site.body("/a") == "new");
  CHECK(site.script->runs == 2);
}

TEST_CASE(
    "response cache: a change makes its path invalid, however it is written and whichever route it led to") {
  Site site;
  const auto is_gone_after = [&](std::string_view method, std::string_view target, std::string_view stored) {
    (void)site.body(stored);
    const int before = site.script->runs;
    const Answer changed = site.get(target, "Content-Length: 0\r\n", method);
    CHECK(changed.status == 200);
    const int after = site.script->runs;
    (void)site.body(stored);
    CHECK(after - before == (method == "POST" ? 1 : 0));
    return site.script->runs != after;
  };
  CHECK(is_gone_after("POST", "/counte%64", "/counted"));
  CHECK(is_gone_after("POST", "/counted", "/counte%64"));
  CHECK(is_gone_after("POST", "/x/../counted", "/counted"));
  CHECK(is_gone_after("POST", "/%2e/counted?x=1", "/counted?y=2"));
  CHECK_FALSE(is_gone_after("POST", "/counted/", "/counted"));
  CHECK_FALSE(is_gone_after("POST", "/a%2Fb", "/a/b"));
  CHECK_FALSE(is_gone_after("POST", "/a%252Fb", "/a%2Fb"));
  CHECK(is_gone_after("POST", "/a%2fb", "/a%2Fb"));
  CHECK(is_gone_after("PUT", "/changed/1", "/changed/1"));
  CHECK(is_gone_after("DELETE", "/changed/%31", "/changed/1?full"));
  CHECK_FALSE(is_gone_after("QUERY", "/changed/1", "/changed/1"));
  CHECK(site.get("/counted", "Content-Length: 0\r\n", "POST").field("Cache-Status") == "leat; fwd=method");
  CHECK(site.get("/changed/1", "Content-Length: 0\r\n", "PUT").field("Cache-Status").empty());
  // One that was refused has changed nothing.
  site.changer->answer = [&](http::Exchange& exchange) { return site.changer->say(exchange, "no", 403); };
  (void)site.body("/changed/1");
  const int runs = site.script->runs;
  CHECK(site.get("/changed/1", "", "DELETE").status == 403);
  (void)site.body("/changed/1");
  CHECK(site.script->runs == runs);
}

TEST_CASE("response cache: a change makes invalid what its answer names on the same host") {
  const auto is_gone_after = [](std::string_view field, std::string_view value, std::string_view stored,
                                uint16_t status = 201) {
    Site site;
    const std::string host = "Host: Shop.test:80\r\n";
    CHECK(site.body(stored, host) == "run 1");
    site.changer->answer = [&](http::Exchange& exchange) {
      REQUIRE(exchange.response.add(field, value));
      return site.changer->say(exchange, "", status);
    };
    CHECK(site.get("/changed/list/", host + "Content-Length: 0\r\n", "PUT").status == status);
    return site.body(stored, host) != "run 1";
  };
  for (const char* field : {"Location", "content-location"}) {
    INFO(field);
    CHECK(is_gone_after(field, "/users/7", "/users/7?full"));
    CHECK(is_gone_after(field, "/users/%37?new#top", "/users/7"));
    CHECK(is_gone_after(field, "http://shop.test/users/7", "/users/7"));
    CHECK(is_gone_after(field, "HTTPS://SHOP.TEST:443/users/7", "/users/7"));
    CHECK(is_gone_after(field, "//shop.test/users/7", "/users/7"));
    CHECK(is_gone_after(field, "https://shop.test?x", "/"));
    CHECK(is_gone_after(field, "7", "/changed/list/7"));
    CHECK(is_gone_after(field, "../other/./7", "/changed/other/7"));
    CHECK(is_gone_after(field, "?page=2", "/changed/list/"));
    CHECK(is_gone_after(field, "/moved", "/moved", 303));
    CHECK_FALSE(is_gone_after(field, "http://other.test/users/7", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "http://shop.test:81/users/7", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "http://shop.test@other.test/users/7", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "ftp://shop.test/users/7", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "http:/users/7", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "/users/%zz", "/users/7"));
    CHECK_FALSE(is_gone_after(field, "/users/7", "/users/7", 409));
  }
  CHECK_FALSE(is_gone_after("X-Location", "/users/7", "/users/7"));
}

TEST_CASE("response cache: a purge finds what a path leads to, however that is written") {
  Site site;
  const auto is_gone_after = [&](PurgeBy by, std::string_view what, std::string_view stored) {
    (void)site.body(stored);
    const int runs = site.script->runs;
    CHECK(site.purge(by, what, true).empty());
    (void)site.body(stored);
    return site.script->runs != runs;
  };
  CHECK(is_gone_after(PurgeBy::Target, "/%75sers/7", "/users/7"));
  CHECK(is_gone_after(PurgeBy::Target, "/users/7", "/users/%37?full"));
  CHECK(is_gone_after(PurgeBy::Target, "/users/x/../7?full", "/%75sers/7?full"));
  CHECK(is_gone_after(PurgeBy::Target, "/a b", "/a%20b"));
  CHECK(is_gone_after(PurgeBy::Folder, "/%75sers/", "/users/7"));
  CHECK(is_gone_after(PurgeBy::Folder, "/users", "/x/../%75sers/7"));
  CHECK_FALSE(is_gone_after(PurgeBy::Folder, "/users", "/users%2F7"));
  CHECK_FALSE(is_gone_after(PurgeBy::Target, "/users/7?%66ull", "/users/7?full"));
  CHECK_FALSE(site.purge(PurgeBy::Target, "/100%", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Folder, "/%00", true).empty());
}

}  // namespace leat::cache

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

}  // namespace leat::cache

// Whose password opens what, behind a real session, with a pool of real threads.
#include "middleware/basic_auth.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/base64.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "json/allocations.h"
#include "middleware/passwords.h"
#include "middleware/support.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

std::string basic(const std::string& both) {
  return "Authorization: Basic " + encode_base64(Base64::Padded, both) + "\r\n";
}

// A stage with a pool, which is waited for before its session is resumed.
class Guarded {
 public:
  explicit Guarded(Value::Table options, metrics::Registry* metrics = nullptr)
      : stage_(kinds(), {.workers = 1, .metrics = metrics, .pool = &pool_}) {
    stage_.middleware("basic_auth", std::move(options));
    ScriptHandler& handler = stage_.route("/");
    handler.on_handle = [](http::Exchange& exchange) {
      const http::Request& request = exchange.request;
      std::string text = "user=" + std::string(request.user());
      for (const http::HeaderSlot& slot : request.head().headers())
        text += "|" + std::string(request.head().view(slot.name));
      exchange.send(exchange.arena().copy(text));
      return Verdict::Done;
    };
  }
  ThreadPool& pool() { return pool_; }
  Stage& stage() { return stage_; }
  void wait_for_pool() {
    for (;;) {
      const ThreadPool::Load load = pool_.load();
      if (load.queued == 0 && load.busy == 0) return;
      std::this_thread::yield();
    }
  }
  std::string ask(const std::string& fields) {
    std::string answer = stage_.get("/", fields);
    if (!answer.empty()) return answer;
    wait_for_pool();
    stage_.harness().resume_all();
    return leat::test::HttpHarness::take(stage_.session());
  }

 private:
  ThreadPool pool_;
  Stage stage_;
};

Value::Entry users() {
  return texts("users",
               {std::string(kOneUser), "two:$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"});
}

}  // namespace

TEST_CASE("basic_auth: a right password lets in and says who asks; without one a browser is asked for it") {
  Guarded site({users(), entry("realm", std::string("the office"))});
  CHECK(body_of(site.ask(basic("one:U*U"))) == "user=one|Host");
  CHECK(body_of(site.ask(basic("two:Hello world!") + "X-More: 1\r\n")) == "user=two|Host|X-More");
  CHECK(body_of(site.ask("authorization: bAsIc " + encode_base64(Base64::Padded, "one:U*U") + "\r\n")) ==
        "user=one|Host");
  const std::string missing = site.ask("");
  CHECK(status_of(missing) == 401);
  CHECK(field(missing, "WWW-Authenticate") == "Basic realm=\"the office\", charset=\"UTF-8\"");
  CHECK(field(missing, "Content-Type") == "application/problem+json");
  CHECK(status_of(site.ask("Authorization: Bearer abc\r\n")) == 401);
}

TEST_CASE("basic_auth: a wrong password and a name that nobody has are told the same") {
  Guarded site({users()});
  const std::string wrong = site.ask(basic("one:u*u"));
  CHECK(status_of(wrong) == 401);
  CHECK(wrong.contains("Name or password is wrong."));
  for (const char* both :
       {"three:U*U", ":", "one:", ":U*U", "one:U*U ", "One:U*U", "two:U*U", "one:two:U*U"}) {
    INFO(both);
    CHECK(site.ask(basic(both)) == wrong);
  }
}

TEST_CASE("basic_auth: what is not well made is refused before anything is verified") {
  Guarded site({users(), entry("size", int64_t{64})});
  for (const std::string& fields :
       {basic("one"), std::string("Authorization: Basic\r\n"), std::string("Authorization: Basic !!!!\r\n"),
        std::string("Authorization: Basic b25lOlUqVQ\r\n"), basic("one:U*U") + basic("one:U*U"),
        basic("one:" + std::string(50, 'x'))}) {
    INFO(fields);
    CHECK(status_of(site.stage().get("/", fields)) == 401);
  }
  CHECK(site.pool().load().threads == 0);
  CHECK(site.stage().get("/", basic("one:" + std::string(50, 'x'))).contains("too long"));
}

TEST_CASE(
    "basic_auth: what was right is remembered for a while, and asks nothing of the pool or the heap then") {
  metrics::Registry registry;
  Guarded site({users(), entry("remember", std::string("10s"))}, &registry);
  const std::string fields = basic("one:U*U");
  CHECK(status_of(site.ask(fields)) == 200);
  for (int i = 0; i < 3; ++i) CHECK(status_of(site.stage().get("/", fields)) == 200);
  CHECK(status_of(site.ask(basic("one:U*V"))) == 401);
  CHECK(status_of(site.ask(basic("one:U*V"))) == 401);  // what is wrong is not
  site.stage().harness().worker.now_ms += 10'001;
  CHECK(site.stage().get("/", fields).empty());
  site.wait_for_pool();
  site.stage().harness().resume_all();
  CHECK(status_of(leat::test::HttpHarness::take(site.stage().session())) == 200);
  CHECK(status_of(site.ask("")) == 401);
  const std::string shown = registry.text();
  for (const char* line :
       {"accepted\"} 2\n", "remembered\"} 3\n", "refused\"} 2\n", "missing\"} 1\n", "busy\"} 0\n"})
    CHECK(shown.contains("leat_basic_auth_requests_total{instance=\"basic_auth\",result=\"" +
                         std::string(line)));
}

TEST_CASE("basic_auth: a password that is remembered asks nothing of the heap") {
  Guarded site({users(), entry("pass_on", true)});
  CHECK(status_of(site.ask(basic("one:U*U"))) == 200);
  const std::string request = "GET /nowhere HTTP/1.1\r\nHost: a\r\n" + basic("one:U*U") + "\r\n";
  CHECK(leat::test::allocations_of(1000, [&] { site.stage().serve(request); }) == 0);
}

TEST_CASE("basic_auth: with remember = 0 each request is verified") {
  Guarded site({users(), entry("remember", std::string("0s"))});
  for (int i = 0; i < 2; ++i) {
    CHECK(site.stage().get("/", basic("one:U*U")).empty());
    site.wait_for_pool();
    site.stage().harness().resume_all();
    CHECK(status_of(leat::test::HttpHarness::take(site.stage().session())) == 200);
  }
}

TEST_CASE(
    "basic_auth: where the pool takes none, or too many wait, it is 503 and the client may come again") {
  metrics::Registry registry;
  Guarded site({users(), entry("concurrency", int64_t{1}), entry("queue", int64_t{0})}, &registry);
  site.pool().set_queue(0);
  const std::string busy = site.stage().get("/", basic("one:U*U"));
  CHECK(status_of(busy) == 503);
  CHECK(field(busy, "Retry-After") == "1");
  site.pool().set_queue(10);
  CHECK(status_of(site.ask(basic("one:U*U"))) == 200);
  CHECK(registry.text().contains("result=\"busy\"} 1\n"));
}

TEST_CASE("basic_auth: a client that leaves meanwhile takes its place in the line with it") {
  Guarded site({users()});
  CHECK(site.stage().get("/", basic("one:U*U")).empty());
  site.stage().session().disconnect();
  site.wait_for_pool();
  site.stage().harness().resume_all();  // stale, if it was told at all
  CHECK(site.stage().harness().exchanges.out() == 0);
}

TEST_CASE("basic_auth: options that make no sense are mistakes") {
  const auto said = [](Value::Table options) {
    const Diagnostics all = mistakes("basic_auth", std::move(options));
    REQUIRE(all.size() == 1);
    return all[0].message;
  };
  CHECK(said({}) == "nobody has a password: name a `file` of them, or `users`");
  CHECK(
      said({texts("users", {"hunter2"})}).contains("a name, a colon and the hash of a password are needed"));
  CHECK(said({texts("users", {"one:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="})})
            .contains("can be guessed in no time"));
  CHECK(said({texts("users", {"a b:" + std::string(kOneUser).substr(4)})})
            .contains("a name has neither blanks"));
  CHECK(said({users(), entry("realm", std::string("\"quoted\""))}).contains("printable ASCII alone"));
  CHECK(said({texts("users", {std::string(kOneUser), std::string(kOneUser)})}) == "`one` is there twice");
}

TEST_CASE("recent passwords: of those that share a place the one that ends first makes room") {
  RecentPasswords recent(1);  // one place, of four
  const auto digest = [](int i) { return crypto::sha256({std::to_string(i)}).value(); };
  Passwords passwords;
  REQUIRE(passwords.add(kOneUser).empty());
  REQUIRE(passwords.freeze().empty());
  const Passwords::User& user = *passwords.find("one");
  for (int i = 0; i < 5; ++i) recent.remember(digest(i), user, 0, static_cast<uint64_t>(100 + i));
  CHECK(recent.find(digest(0), 50) == nullptr);
  for (int i = 1; i < 5; ++i) CHECK(recent.find(digest(i), 50) == &user);
  CHECK(recent.find(digest(1), 101) == nullptr);
  CHECK(recent.find(digest(2), 101) == &user);
}

}  // namespace leat::middleware

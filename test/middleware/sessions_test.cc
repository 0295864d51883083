// Sessions, by themselves and behind a real session of HTTP.
#include "middleware/sessions.h"

#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <string_view>

#include "base/metrics.h"
#include "http/user_session.h"
#include "json/allocations.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using http::UserSession;

using Change = UserSession::Change;
constexpr int64_t kNow = 1'800'000'000;
const std::string kNewKey = "another key of sessions, for tests";

Value::Table keyed(std::vector<std::string> keys = {std::string(kOneSessionKey)}) {
  return {texts("keys", keys)};
}

Value::Table with(Value::Table options, Value::Entry more) {
  options.push_back(std::move(more));
  return options;
}

// A site whose only handler does something with the session, and answers with what that says.
class Site {
 public:
  explicit Site(Value::Table options = keyed(), const Surroundings& surroundings = {})
      : stage(kinds(), surroundings) {
    stage.middleware("sessions", std::move(options));
    stage.route("/", {"GET", "POST"}).on_handle = [this](http::Exchange& exchange) {
      auto* const session = exchange.states.find<UserSession>();
      REQUIRE(session != nullptr);
      exchange.send(deed(*session));
      return Verdict::Done;
    };
  }
  // What comes of a request with that cookie.
  std::string ask(std::function<std::string(UserSession&)> what, const std::string& cookie = {}) {
    deed = std::move(what);
    return stage.get("/", cookie.empty() ? "" : "Cookie: " + cookie + "\r\n");
  }

  Stage stage;
  std::function<std::string(UserSession&)> deed;
};

// "NAME=VALUE" of the Set-Cookie; "(none)".
std::string cookie_of(const std::string& answer) {
  const std::string line = field(answer, "Set-Cookie");
  return line.substr(0, line.find(';'));
}

std::string look(UserSession& session) {
  const std::string_view user = session.get("user");
  return user.data() == nullptr ? "nobody" : std::string(user);
}
std::string log_in(UserSession& session) {
  return session.set("user", "alice") == Change::Done ? "yes" : "no";
}

}  // namespace

TEST_CASE("sessions: what one request sets, the next one has") {
  Site site;
  const std::string answer = site.ask(log_in);
  CHECK(body_of(answer) == "yes");
  const std::string line = field(answer, "Set-Cookie");
  CHECK(line.starts_with("__Host-session="));
  CHECK(line.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=86400"));
  CHECK(field(answer, "Cache-Control") == "private");
  CHECK_FALSE(answer.contains("alice"));
  const std::string cookie = cookie_of(answer);
  const std::string next = site.ask(look, cookie);
  CHECK(body_of(next) == "alice");
  CHECK(field(next, "Set-Cookie") == "(none)");
  CHECK(body_of(site.ask(look, "a=b; " + cookie + "; c=d")) == "alice");
  CHECK(body_of(site.ask(look)) == "nobody");
}

TEST_CASE("sessions: an empty one that nobody touches says nothing to the client") {
  Site site;
  const std::string answer = site.ask(look);
  CHECK(field(answer, "Set-Cookie") == "(none)");
  CHECK(field(answer, "Cache-Control") == "(none)");
  CHECK(field(site.ask([](UserSession& session) {
          session.clear();
          return std::string();
        }),
              "Set-Cookie") == "(none)");
}

TEST_CASE("sessions: cookies say what is configured") {
  Site site(with(with(with(with(keyed(), entry("cookie", std::string("sid"))), entry("secure", false)),
                      entry("same_site", std::string("strict"))),
                 entry("path", std::string("/"))));
  const std::string line = field(site.ask(log_in), "Set-Cookie");
  CHECK(line.starts_with("sid="));
  CHECK(line.ends_with("; Path=/; HttpOnly; SameSite=Strict; Max-Age=86400"));
}

TEST_CASE("sessions: values are replaced, removed and cleared, and a renewed session keeps them") {
  Site site;
  std::string cookie = cookie_of(site.ask([](UserSession& session) {
    CHECK(session.set("a", "1") == Change::Done);
    CHECK(session.set("b", "") == Change::Done);
    CHECK(session.set("a", "22") == Change::Done);
    CHECK(session.set("c", "3") == Change::Done);
    CHECK(session.remove("b") == Change::Done);
    CHECK(session.remove("unknown") == Change::Done);
    return std::string();
  }));
  std::string seed;
  CHECK(body_of(site.ask(
            [&](UserSession& session) {
              seed = session.seed();
              CHECK(session.get("b").data() == nullptr);
              CHECK(session.get("c") == "3");
              return std::string(session.get("a"));
            },
            cookie)) == "22");
  CHECK(seed.size() == UserSession::kSeed);
  cookie = cookie_of(site.ask(
      [](UserSession& session) {
        CHECK(session.renew() == Change::Done);
        return std::string();
      },
      cookie));
  site.ask(
      [&](UserSession& session) {
        CHECK(session.get("a") == "22");
        CHECK(session.seed() != seed);
        return std::string();
      },
      cookie);
  const std::string cleared = site.ask(
      [](UserSession& session) {
        CHECK(session.clear() == Change::Done);
        CHECK(session.empty());
        return look(session);
      },
      cookie);
  CHECK(cookie_of(cleared) == "__Host-session=");
  CHECK(field(cleared, "Set-Cookie").ends_with("; Max-Age=0"));
}

TEST_CASE("sessions: a cookie that is changed, cut, foreign, huge or there twice is an empty session") {
  metrics::Registry registry;
  Site site(keyed(), {.workers = 1, .metrics = &registry});
  const std::string cookie = cookie_of(site.ask(log_in));
  const size_t begin = cookie.find('=') + 1;
  size_t refused = 0;
  const auto is_refused = [&](const std::string& sent) {
    ++refused;
    const std::string answer = site.ask(look, sent);
    CHECK(status_of(answer) == 200);
    CHECK(body_of(answer) == "nobody");
    CHECK(field(answer, "Set-Cookie") == "(none)");
  };
  for (size_t at = begin; at < cookie.size(); ++at) {
    std::string changed = cookie;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    is_refused(changed);
  }
  for (size_t size = begin; size < cookie.size(); size += 3) is_refused(cookie.substr(0, size));
  is_refused(cookie + "A");
  is_refused(cookie + "!");
  is_refused(cookie + "; " + cookie);
  is_refused("__Host-session=" + std::string(8000, 'A'));
  // Of the same keys, and another name.
  Site other(with(keyed(), entry("cookie", std::string("__Host-other"))));
  is_refused("__Host-session=" + cookie_of(other.ask(log_in)).substr(std::string("__Host-other=").size()));
  // Of other keys.
  Site foreign(keyed({kNewKey}));
  is_refused(cookie_of(foreign.ask(log_in)));
  CHECK(body_of(site.ask(look, cookie)) == "alice");
  const auto counted = [&](const std::string& result, size_t number) {
    return registry.text().contains("leat_sessions_requests_total{instance=\"sessions\",result=\"" + result +
                                    "\"} " + std::to_string(number) + "\n");
  };
  CHECK(counted("refused", refused));
  CHECK(counted("none", 1));
  CHECK(counted("good", 1));
  CHECK(registry.text().contains("leat_sessions_sent_total{instance=\"sessions\"} 1\n"));
}

TEST_CASE("sessions: keys are rotated: the first seals, and each opens") {
  Site old(keyed());
  const std::string cookie = cookie_of(old.ask(log_in));
  Site both(keyed({kNewKey, std::string(kOneSessionKey)}));
  CHECK(body_of(both.ask(look, cookie)) == "alice");
  const std::string next = cookie_of(both.ask(log_in, cookie));
  CHECK(body_of(old.ask(look, next)) == "nobody");
  Site last(keyed({kNewKey}));
  CHECK(body_of(last.ask(look, next)) == "alice");
  CHECK(body_of(last.ask(look, cookie)) == "nobody");
}

TEST_CASE("sessions: what is too large or too many is refused, and the rest stays") {
  Site site(with(with(keyed(), entry("values", int64_t{3})), entry("size", std::string("512B"))));
  const std::string answer = site.ask([](UserSession& session) {
    CHECK(session.set("", "a") == Change::TooMuch);
    CHECK(session.set(std::string(256, 'n'), "a") == Change::TooMuch);
    CHECK(session.set("big", std::string(512, 'v')) == Change::TooMuch);
    CHECK(session.empty());
    CHECK(session.set("a", "1") == Change::Done);
    CHECK(session.set("b", std::string(100, 'v')) == Change::Done);
    CHECK(session.set("b", std::string(400, 'v')) == Change::TooMuch);
    CHECK(session.set("c", "3") == Change::Done);
    CHECK(session.set("d", "4") == Change::TooMuch);
    CHECK(session.set("c", "33") == Change::Done);
    size_t size = 100;
    while (session.set("b", std::string(size + 1, 'v')) == Change::Done) ++size;
    return std::to_string(size);
  });
  CHECK(field(answer, "Set-Cookie").size() <= 512);
  CHECK(field(answer, "Set-Cookie").size() > 500);
  const std::string size = body_of(answer);
  CHECK(body_of(site.ask(
            [](UserSession& session) {
              CHECK(session.get("a") == "1");
              CHECK(session.get("c") == "33");
              return std::to_string(session.get("b").size());
            },
            cookie_of(answer))) == size);
}

TEST_CASE("sessions: once the answer has begun nothing is changed any more") {
  Stage stage(kinds());
  stage.middleware("sessions", keyed());
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    UserSession& session = *exchange.states.find<UserSession>();
    CHECK(session.set("a", "1") == Change::Done);
    exchange.begin(std::nullopt);
    CHECK(session.set("b", "2") == Change::Late);
    CHECK(session.remove("a") == Change::Late);
    CHECK(session.clear() == Change::Late);
    CHECK(session.renew() == Change::Late);
    CHECK(session.get("a") == "1");
    exchange.end();
    return Verdict::Done;
  };
  CHECK(cookie_of(stage.get("/")).starts_with("__Host-session="));
}

TEST_CASE("session: by the clock") {
  const http::SessionRules rules{.max_age_s = 1000, .idle_s = 100, .values = 4, .bytes = 1000};
  Stage stage(kinds());
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    Arena& arena = exchange.arena();
    // What is read of one that was created and renewed at these times, from now.
    const auto read_after = [&](int64_t created_s, int64_t renewed_s, bool& due, int64_t& rest_s) {
      UserSession made(rules, arena, kNow + created_s);
      REQUIRE(made.set("a", "1") == Change::Done);
      std::string bytes(made.size(), '\0');
      made.write(bytes.data());
      for (int i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>((kNow + renewed_s) >> (56 - 8 * i));
      UserSession read(rules, arena, kNow);
      const UserSession::Outcome outcome = read.read(bytes);
      CHECK(read.empty() == (outcome != UserSession::Outcome::Good));
      due = read.is_due();
      rest_s = read.empty() ? 0 : read.rest_s();
      return outcome;
    };
    struct Case {
      int64_t created_s, renewed_s;
      UserSession::Outcome outcome;
      bool due;
      int64_t rest_s;
    };
    using enum UserSession::Outcome;
    for (const auto& [created_s, renewed_s, outcome, due, rest_s] :
         {Case{0, 0, Good, false, 100}, Case{-11, -11, Good, false, 89}, Case{-12, -12, Good, true, 88},
          Case{-99, -99, Good, true, 1}, Case{-100, -100, Over, false, 0}, Case{-999, 0, Good, false, 1},
          Case{-1000, 0, Over, false, 0}, Case{-950, -5, Good, false, 50}, Case{60, 60, Good, false, 160},
          Case{61, 0, Over, false, 0}, Case{0, 61, Over, false, 0}}) {
      INFO(created_s << ' ' << renewed_s);
      bool is_due = false;
      int64_t rest = -1;
      CHECK(read_after(created_s, renewed_s, is_due, rest) == outcome);
      CHECK(is_due == due);
      CHECK(rest == rest_s);
    }
    exchange.send("");
    return Verdict::Done;
  };
  CHECK(status_of(stage.get("/")) == 200);
}

TEST_CASE("session: bytes that write() has not made are none") {
  const http::SessionRules rules{.max_age_s = 1000, .idle_s = 100, .values = 2, .bytes = 1000};
  Stage stage(kinds());
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    UserSession made(rules, exchange.arena(), kNow);
    REQUIRE(made.set("name", "value") == Change::Done);
    REQUIRE(made.set("b", "") == Change::Done);
    std::string bytes(made.size(), '\0');
    made.write(bytes.data());
    const auto is_good = [&](std::string_view text) {
      UserSession read(rules, exchange.arena(), kNow);
      const bool good = read.read(text) == UserSession::Outcome::Good;
      CHECK(read.empty() != good);
      CHECK((read.get("name") == "value") == (good && text.size() >= 48 + 12));
      return good;
    };
    CHECK(is_good(bytes));
    // Whole where a value ends.
    for (size_t size = 0; size < bytes.size(); ++size)
      CHECK(is_good(std::string_view(bytes).substr(0, size)) == (size == 48 || size == 48 + 12));
    CHECK_FALSE(is_good(bytes + std::string("\0\0\0", 3)));     // a name without characters
    CHECK_FALSE(is_good(bytes + std::string("\x01\0\0c", 4)));  // one value more than there may be
    std::string late = bytes;
    late[0] = '\x7f';
    CHECK_FALSE(is_good(late));
    exchange.send("");
    return Verdict::Done;
  };
  CHECK(status_of(stage.get("/")) == 200);
}

TEST_CASE("sessions: a request without a cookie asks nothing of the heap") {
  Stage stage(kinds());
  stage.middleware("sessions", keyed());
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.states.find<UserSession>()->empty() ? "empty" : "full");
    return Verdict::Done;
  };
  CHECK(stage.get("/").ends_with("\r\n\r\nempty"));
  const auto serve = [&] { stage.serve("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); };
  CHECK(leat::test::allocations_of(100, serve) == 0);
}

TEST_CASE("sessions: mistakes") {
  const auto said = [](Value::Table options) {
    const Diagnostics found = mistakes("sessions", std::move(options));
    return found.size() == 1 ? found.front().message : std::to_string(found.size());
  };
  CHECK(said({}).contains("there is no key"));
  CHECK(said({texts("keys", {})}).contains("there is no key in it"));
  CHECK(said(keyed({"short"})).contains("32 to 512 characters"));
  CHECK(said(keyed({std::string(513, 'k')})).contains("32 to 512 characters"));
  CHECK_FALSE(said(keyed({"short"})).contains("short"));
  CHECK(said(keyed(std::vector<std::string>(9, std::string(kOneSessionKey)))).contains("8 keys at most"));
  CHECK(said(with(keyed(), entry("cookie", std::string("a b")))).contains("names no cookie"));
  CHECK(said(with(keyed(), entry("cookie", std::string()))).contains("names no cookie"));
  CHECK(said(with(keyed(), entry("path", std::string("here")))).contains("is a path"));
  CHECK(said(with(keyed(), entry("path", std::string("/a;b")))).contains("is a path"));
  CHECK(said(with(keyed(), entry("path", std::string("/app")))).contains("only for the path"));
  CHECK(said(with(keyed(), entry("secure", false))).contains("only where it is `secure`"));
  CHECK(said(with(with(with(keyed(), entry("secure", false)), entry("cookie", std::string("sid"))),
                  entry("same_site", std::string("none"))))
            .contains("for all sites"));
  CHECK(said(with(with(keyed(), entry("idle", std::string("2h"))), entry("max_age", std::string("1h"))))
            .contains("longer than `max_age`"));
  CHECK(mistakes("sessions", with(keyed(), entry("max_age", std::string("1h")))).empty());
}

}  // namespace leat::middleware

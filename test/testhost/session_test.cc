// Sessions of clients, as a plugin's author tests what is made of them: on the worker, on the pool, in C and C++.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>
#include <map>
#include <string>

namespace leat::testing {
namespace {

using Values = std::map<std::string, std::string>;

std::string plugin(const std::string& name) { return TEST_PLUGINS "/" + name + ".so"; }

bool any_contains(const std::vector<std::string>& lines, std::string_view text) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.contains(text); });
}

// All handlers of the plugin, twice: below /pool on a thread of the pool, where they can be.
std::string routes(const std::string& before, bool pooled = true) {
  std::string text = "[[plugin]]\nname = \"sessions\"\nfile = \"" + plugin("sessions") +
                     "\"\n[[plugin]]\nname = \"c\"\nfile = \"" + plugin("session_c") + "\"\n" + before;
  for (const std::string name : {"sessions:log_in", "sessions:me", "sessions:log_out", "sessions:set",
                                 "sessions:get", "sessions:remove", "sessions:maybe", "sessions:careless",
                                 "sessions:pieces", "sessions:waits", "c:all", "c:late", "c:after"})
    for (const bool pool : {false, true}) {
      if (pool && (!pooled || name == "sessions:waits")) continue;
      text += "[[route]]\npath = \"" + std::string(pool ? "/pool/" : "/") + name.substr(name.find(':') + 1) +
              "\"\nmethods = [\"GET\", \"POST\"]\nhandler = \"" + name + "\"\n" +
              (pool ? "executor = \"pool\"\n" : "");
    }
  return text;
}

constexpr std::string_view kSessions =
    "[[middleware]]\nkind = \"sessions\"\nkeys = [\"0123456789abcdef0123456789abcdef\"]\nvalues = 3\n";

const std::string kBoth[] = {"", "/pool"};

}  // namespace

TEST_CASE("session: what a handler sets is the client's, on the worker and on the pool") {
  Host host(plugin("sessions"), {.text = routes(std::string(kSessions))});
  for (const std::string& at : kBoth) {
    INFO(at);
    CHECK(host.request("GET", at + "/me").send().status == 401);
    const Reply in = host.request("POST", at + "/log_in?user=alice").send();
    CHECK(in.status == 204);
    CHECK(in.session == Values{{"user", "alice"}});
    CHECK(in.session_renewed);
    const Reply me = host.request("GET", at + "/me").session({{"user", "alice"}}).send();
    CHECK(me.body == R"({"user":"alice"})");
    CHECK_FALSE(me.session);
    CHECK_FALSE(me.has_header("Set-Cookie"));
    const Reply out = host.request("POST", at + "/log_out").session({{"user", "alice"}, {"a", "b"}}).send();
    CHECK(out.session == Values{});
    CHECK(out.header("Set-Cookie").contains("Max-Age=0"));
    const Reply removed =
        host.request("POST", at + "/remove?name=a").session({{"user", "alice"}, {"a", "b"}}).send();
    CHECK(removed.session == Values{{"user", "alice"}});
    CHECK_FALSE(removed.session_renewed);
    CHECK(host.request("GET", at + "/get?name=a").session({{"a", ""}}).send().body == R"({"value":""})");
    CHECK(host.request("GET", at + "/get?name=b").session({{"a", ""}}).send().body == R"({"value":null})");
  }
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: who logs in has another session than the one that was brought") {
  Host host(plugin("sessions"), {.sessions = true});
  const Reply in = host.request("GET", "/log_in?user=bob").session({{"cart", "7"}}).send();
  CHECK(in.session == Values{{"cart", "7"}, {"user", "bob"}});
  CHECK(in.session_renewed);
  const Reply set = host.request("GET", "/set?name=cart&value=8").session({{"cart", "7"}}).send();
  CHECK(set.session == Values{{"cart", "8"}});
  CHECK_FALSE(set.session_renewed);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: too many values, too long ones and bad names are refused, and nothing is lost") {
  Host host(plugin("sessions"), {.text = routes(std::string(kSessions))});
  const Values full = {{"a", "1"}, {"b", "2"}, {"c", "3"}};
  for (const std::string& at : kBoth) {
    const auto set = [&](const std::string& query) {
      return host.request("POST", at + "/set?" + query).session(full).send();
    };
    CHECK(set("name=d&value=4").status == 507);
    CHECK_FALSE(set("name=d&value=4").session);
    CHECK(set("name=&value=4").status == 507);
    CHECK(set("name=" + std::string(256, 'n')).status == 507);
    CHECK(set("name=a&value=" + std::string(4000, 'v')).status == 507);
    CHECK(set("name=a&value=4").session == Values{{"a", "4"}, {"b", "2"}, {"c", "3"}});
  }
  CHECK_THROWS_AS(host.request("GET", "/me").session({{"a", ""}, {"b", ""}, {"c", ""}, {"d", ""}}).send(),
                  Error);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: once the answer has begun nothing changes any more") {
  Host host(plugin("sessions"), {.text = routes(std::string(kSessions))});
  for (const std::string& at : kBoth) {
    const Reply pieces = host.request("GET", at + "/pieces").send();
    CHECK(pieces.body == "0 -2");
    CHECK(pieces.session == Values{{"early", "1"}});
    const Reply after = host.request("GET", at + "/after").session({{"a", "0"}}).send();
    CHECK(after.body == "sent");
    CHECK_FALSE(after.session);
  }
  CHECK(any_contains(host.problems(), "leat.session/1 set: the answer has begun"));
  host.close();
}

TEST_CASE("session: each function in C") {
  Host host(plugin("sessions"), {.text = routes(std::string(kSessions))});
  for (const std::string& at : kBoth) {
    const Reply all = host.request("GET", at + "/all").send();
    CHECK(all.body == "1 01 0 0:3 0 010 -1 -1 -1 0 0 0");
    CHECK(all.session == Values{{std::string("a\0b", 3), std::string("a\0b", 3)}});
  }
  host.close();
}

TEST_CASE("session: a coroutine has it before and after it waits") {
  Host host(plugin("sessions"), {.text = routes(std::string(kSessions))});
  const Reply waits = host.request("GET", "/waits").session({{"user", "eve"}}).send();
  CHECK(waits.body == R"({"before":"eve","after":"eve"})");
  CHECK(waits.session == Values{{"user", "eve"}, {"waited", "yes"}});
  CHECK(host.for_each_suspension(host.request("GET", "/waits").session({{"user", "eve"}})) > 0);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: where memory is refused the answer is one that says so") {
  Host host(plugin("sessions"), {.sessions = true});
  const Request in = host.request("GET", "/log_in?user=bob").session({{"cart", "7"}});
  size_t failed = 0;
  CHECK(host.for_each_allocation(in, [&](const Reply& reply) {
    CHECK(reply.status == 503);
    // What was done before goes out with whatever is answered.
    if (reply.session) CHECK((reply.session == Values{{"cart", "7"}} && reply.session_renewed));
    ++failed;
  }) > 0);
  CHECK(failed > 0);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: middleware reads it before handlers, and changes it with the answer") {
  const std::string door = std::string(kSessions) + "[[middleware]]\nkind = \"sessions:door\"\n";
  Host host(plugin("sessions"), {.text = routes(door)});
  for (const std::string& at : kBoth) {
    CHECK(host.request("GET", at + "/me").send().status == 401);
    const Reply me = host.request("GET", at + "/me").session({{"user", "alice"}, {"seen", "x"}}).send();
    CHECK(me.status == 200);
    CHECK(me.session == Values{{"user", "alice"}, {"seen", "xx"}});
    // Behind what the handler has done.
    const Reply set = host.request("GET", at + "/set?name=a&value=1").session({{"user", "alice"}}).send();
    CHECK(set.session == Values{{"user", "alice"}, {"a", "1"}, {"seen", "x"}});
  }
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("session: without one there is a clear error, for who asks all the same") {
  const std::string maybe = "[[plugin]]\nname = \"sessions\"\nfile = \"" + plugin("sessions") +
                            "\"\n[[route]]\npath = \"/maybe\"\nhandler = \"sessions:maybe\"\n"
                            "[[route]]\npath = \"/careless\"\nhandler = \"sessions:careless\"\n";
  Host host(plugin("sessions"), {.text = maybe});
  CHECK(host.request("GET", "/maybe").send().body == R"({"there":false,"user":null})");
  CHECK(host.problems().empty());
  CHECK(host.request("GET", "/careless").send().status == 500);
  CHECK(any_contains(host.problems(), "no `sessions` is in front of route GET /careless"));
  CHECK_THROWS_AS(host.request("GET", "/maybe").session({{"a", "1"}}).send(), Error);
  host.close();
}

TEST_CASE("session: a handler that cannot do without is told of when it is loaded") {
  try {
    Host host(plugin("sessions"), {.text = routes("", false)});
    FAIL("it was loaded");
  } catch (const Error& error) {
    const std::string text = error.what();
    INFO(text);
    CHECK(text.contains("the handler `sessions:me` needs a session"));
    CHECK(text.contains("`GET,POST /me`"));
    CHECK_FALSE(text.contains("sessions:maybe"));
  }
}

TEST_CASE("session: what was made by one is stored for nobody else") {
  const std::string cached = std::string(kSessions) + "[[plugin]]\nname = \"sessions\"\nfile = \"" +
                             plugin("sessions") +
                             "\"\n[[route]]\npath = \"/get\"\nhandler = \"sessions:get\"\n[route.cache]\nttl "
                             "= \"1m\"\ncookies = true\n"
                             "[[route]]\npath = \"/pool\"\nhandler = \"sessions:get\"\nexecutor = \"pool\"\n"
                             "[route.cache]\nttl = \"1m\"\ncookies = true\n";
  Host host(plugin("sessions"), {.text = cached});
  for (const std::string path : {"/get?name=user", "/pool?name=user"}) {
    for (const std::string user : {"alice", "bob"})
      CHECK(host.request("GET", path).session({{"user", user}}).send().body ==
            R"({"value":")" + user + "\"}");
    CHECK(host.request("GET", path).send().body == R"({"value":null})");
    CHECK(host.request("GET", path).session({{"user", "carol"}}).send().body == R"({"value":"carol"})");
  }
  host.close();
  CHECK(host.problems().empty());
}

}  // namespace leat::testing

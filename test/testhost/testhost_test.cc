// The test host as a plugin's author uses it.
#include <leat/plugin.h>
#include <algorithm>
#include <atomic>
#include <catch2/catch_test_macros.hpp>
#include <catch2/matchers/catch_matchers_exception.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
#include <leat/testhost.hpp>

#include "support/sanitized.h"

namespace leat::testing {
namespace {

using namespace std::chrono_literals;
using Problems = std::vector<std::string>;

std::string plugin(const std::string& name) { return TEST_PLUGINS "/" + name + ".so"; }

Setup demo_setup() {
  return {.routes = {{"GET", "/json", "json"},
                     {"GET", "/sleep/{ms}", "sleep"},
                     {"GET", "/bytes/{n}", "bytes"},
                     {"POST", "/echo", "echo"},
                     {"GET, POST", "/notes", "notes"},
                     {"PUT", "/note/{id}", "note"}}};
}
Setup tasks_setup() {
  return {.routes = {{"GET", "/steps/{n}", "steps"},
                     {"GET", "/elsewhere", "elsewhere"},
                     {"GET", "/alive", "living"},
                     {"POST", "/tail", "tail"}}};
}
bool any_contains(const Problems& lines, std::string_view text) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.contains(text); });
}
std::string failure_of(const std::function<void()>& made) {
  try {
    made();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("test host: a plugin answers without a socket") {
  Host host(DEMO_PLUGIN, demo_setup());
  const Reply reply = host.request("GET", "/json").send();
  CHECK(reply.status == 200);
  CHECK(reply.header("CONTENT-type") == "application/json");
  CHECK_FALSE(reply.has_header("Content-Encoding"));
  CHECK(reply.body == R"({"message":"Hello, World!"})");
  CHECK_FALSE(reply.cut);
  CHECK(host.request("POST", "/notes").body(R"({"text":"a"})").send().header("Location") == "/notes/1");
  host.close();
  CHECK(host.problems() == Problems{});
  CHECK(failure_of([&] { (void)host.request("GET", "/json").send(); }) == "the host was closed");
}

TEST_CASE("test host: early hints come before their answer") {
  Host host(plugin("responses"), {.text = "[[plugin]]\nname = \"r\"\nfile = \"responses.so\"\n"
                                          "[[route]]\npath = \"/hinted\"\nhandler = \"r:hinted\"\n"});
  const Reply reply = host.request("GET", "/hinted?times=2&wrong=false").send();
  CHECK(reply.status == 200);
  CHECK(reply.early_hints ==
        std::vector<std::string>{"</a.css>; rel=preload; as=style", "<https://b.example>; rel=preconnect",
                                 "</a.css>; rel=preload; as=style", "<https://b.example>; rel=preconnect"});
  CHECK(host.request("GET", "/hinted?times=0&wrong=false").send().early_hints.empty());
}

TEST_CASE("test host: memory that is refused to a plugin is an exception, and a 500 that names it") {
  if (test::kSanitized) SKIP("a sanitizer has an operator new of its own");
  Host host(plugin("bends"), {.routes = {{"GET", "/allocate", "allocate"}}});
  for (const std::string how : {"new", "array", "aligned", "string", "shared", "vector"}) {
    INFO(how);
    CHECK(host.request("GET", "/allocate?how=" + how).send().status == 500);
  }
  CHECK(any_contains(host.problems(), "route GET /allocate: threw std::bad_alloc"));
  CHECK(host.request("GET", "/allocate?how=nothrow").send().body == "null");
}

TEST_CASE("test host: a request comes from a peer, for a client, by a scheme") {
  Host host(plugin("who"),
            {.text = "[server]\ntrusted_proxies = [\"10.0.0.1\"]\n[[plugin]]\nname = \"who\"\n"
                     "file = \"who.so\"\n[[route]]\npath = \"/who\"\nhandler = \"who:who\"\n"});
  const auto who = [&](Request request) { return request.send().body; };
  const auto begins = [](std::string_view peer, std::string_view client, std::string_view scheme,
                         bool in_doubt) {
    return Catch::Matchers::StartsWith(std::string(R"({"peer":")").append(peer) + R"(","client":")" +
                                       std::string(client) + R"(","scheme":")" + std::string(scheme) +
                                       R"(","host":"test","in_doubt":)" + (in_doubt ? "true" : "false"));
  };
  const Request plain = host.request("GET", "/who");
  CHECK_THAT(who(plain), begins("192.0.2.7", "192.0.2.7", "http", false));
  CHECK_THAT(who(host.request("GET", "/who").from("198.51.100.1").for_client("203.0.113.9", "https")),
             begins("198.51.100.1", "203.0.113.9", "https", false));
  Request forwarded = host.request("GET", "/who");
  forwarded.header("X-Forwarded-For", "203.0.113.9").header("X-Forwarded-Proto", "https");
  CHECK_THAT(who(forwarded), begins("192.0.2.7", "192.0.2.7", "http", true));
  CHECK_THAT(who(forwarded), !Catch::Matchers::ContainsSubstring("203.0.113.9"));
  CHECK_THAT(who(forwarded.from("10.0.0.1")), begins("10.0.0.1", "203.0.113.9", "https", false));
  CHECK_THAT(who(forwarded), Catch::Matchers::ContainsSubstring("X-Forwarded-For"));
  CHECK_THAT(who(plain), Catch::Matchers::ContainsSubstring(R"("tls":"","certificate":"none")"));
  CHECK_THAT(who(host.request("GET", "/who").over_tls()),
             begins("192.0.2.7", "192.0.2.7", "https", false) &&
                 Catch::Matchers::ContainsSubstring(R"("tls":"TLSv1.3","certificate":"none")"));
  CHECK_THAT(who(host.request("GET", "/who")
                     .over_tls({.subject = "CN=alice", .cn = "alice", .names = "", .sha256 = ""})),
             Catch::Matchers::ContainsSubstring(R"("certificate":"CN=alice")"));
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("test host: each handler has a route where none was given") {
  Host host(plugin("misuse"));
  CHECK(host.request("GET", "/keeps_request").send().body == "kept");
  CHECK(host.request("PUT", "/keeps_request").send().status == 200);
}

TEST_CASE("test host: a plugin that is compiled in") {
  Host host(leat_plugin, {.options = "greeting = \"good \\\"day\\\"\""});
  CHECK(host.request("GET", "/greet?name=ann").send().body == R"({"greeting":"good \"day\"","name":"ann"})");
  Host second(leat_plugin);
  CHECK(second.request("GET", "/greet?name=you").send().body == R"({"greeting":"hello","name":"you"})");
  Host whole(leat_plugin,
             {.text = "[[plugin]]\nname = \"g\"\nfile = \"static:compiled-in\"\n[[route]]\npath = "
                      "\"/hi\"\nhandler = \"g:greet\"\n"});
  CHECK(whole.request("GET", "/hi?name=me").send().status == 200);
}

TEST_CASE("test host: what cannot be loaded says why, with its line") {
  const auto load = [](const std::string& file, const Setup& setup = {}) {
    return failure_of([&] { Host host(file, setup); });
  };
  CHECK(load("nowhere.so").contains("cannot open the plugin `nowhere.so`"));
  CHECK(load(plugin("no_note")).contains("note"));
  const std::string unknown = load(DEMO_PLUGIN, {.options = "most_nots = 1"});
  CHECK(unknown.contains("most_nots"));
  CHECK(unknown.contains("--> configuration:5"));
  CHECK(load(DEMO_PLUGIN, {.routes = {{"GET", "/", "welcom"}}}).contains("welcom"));
  CHECK(load(DEMO_PLUGIN, {.text = "[[plugin]"}).contains("configuration:1"));
  CHECK(load(DEMO_PLUGIN, {.text = "# nothing"}).contains("does not load the plugin demo"));
  CHECK(load(DEMO_PLUGIN, {.file = "/nowhere.toml"}).contains("/nowhere.toml"));
  CHECK(load(DEMO_PLUGIN, {.text = "a = 1", .options = "b = 1"}).contains("a setup is"));
}

TEST_CASE("test host: time stands still until it is moved on") {
  Host host(DEMO_PLUGIN, demo_setup());
  Pending pending = host.request("GET", "/sleep/50000").start();
  CHECK_FALSE(pending.done());
  host.advance(49'999ms);
  CHECK_FALSE(pending.done());
  CHECK(pending.so_far().status == 0);
  host.advance(1ms);
  CHECK(pending.done());
  CHECK(pending.wait().body == R"({"slept_ms":50000})");
  // send() moves it on by itself.
  CHECK(host.request("GET", "/sleep/60000").send().status == 200);
  Pending first = host.request("GET", "/sleep/20").start();
  Pending second = host.request("GET", "/sleep/10").start();
  CHECK(second.wait().status == 200);
  CHECK_FALSE(first.done());
  host.close();
  CHECK(any_contains(host.problems(), "GET /sleep/20 was still waiting when its host was closed"));
}

TEST_CASE("test host: the daemon's limits hold") {
  Host host(DEMO_PLUGIN,
            {.text = "[limits]\nanswer_timeout = \"1s\"\nbody = \"10B\"\n"
                     "[[plugin]]\nname = \"demo\"\nfile = \"demo.so\"\n"
                     "[[route]]\npath = \"/sleep/{ms}\"\nhandler = \"demo:sleep\"\n"
                     "[[route]]\npath = \"/notes\"\nmethods = [\"POST\"]\nhandler = \"demo:notes\"\n"});
  CHECK(host.request("GET", "/sleep/2000").send().status == 504);
  CHECK(host.request("POST", "/notes").body("12345678901").send().status == 413);
}

TEST_CASE("test host: a body arrives in whatever pieces the test wants") {
  Host host(DEMO_PLUGIN, demo_setup());
  const std::string text = R"({"text":"caf\u00e9"})";
  CHECK(host.request("POST", "/notes").body(text).split_body_at_each_byte().send().status == 201);
  CHECK(host.request("POST", "/echo").body("abcdef").split_body(4).send().body == "abcdef");
  CHECK(host.request("POST", "/echo").body("abcdef").trailer("X-Sum", "1").split_body(1).send().body ==
        "abcdef");
  size_t replies = 0;
  const size_t splits =
      host.for_each_split(host.request("POST", "/echo").body(text), [&](const Reply& reply) {
        ++replies;
        CHECK(reply.body == text);
      });
  CHECK(splits == text.size() - 1);
  CHECK(replies == splits);
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: a client that reads slowly makes writing wait") {
  Host host(DEMO_PLUGIN, demo_setup());
  CHECK((host.request("GET", "/bytes/3000000").read_at_most(10'000).send().body ==
         std::string(3'000'000, 'x')));
  CHECK(host.for_each_suspension(host.request("GET", "/bytes/3000000").read_at_most(500'000)) >= 3);
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: the client leaves at each point where a request waits") {
  Host host(plugin("tasks"), tasks_setup());
  CHECK(host.request("GET", "/alive").send().body == R"({"alive":0})");
  size_t points = 0;
  // Two waits in each of two steps.
  const size_t steps = host.for_each_suspension(host.request("GET", "/steps/2"), [&](size_t point) {
    CHECK(point == points++);
    CHECK(host.request("GET", "/alive").send().body == R"({"alive":0})");
  });
  CHECK(steps >= 4);
  CHECK(steps == points);
  CHECK(host.for_each_suspension(host.request("POST", "/tail").body("abc").split_body_at_each_byte()) >= 4);
  CHECK(host.for_each_suspension(host.request("GET", "/elsewhere?before=2")) >= 1);
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: what other threads complete goes on in the test's") {
  Host host(plugin("tasks"), tasks_setup());
  CHECK(host.request("GET", "/elsewhere?before=0").send().status == 200);
  Pending pending = host.request("GET", "/elsewhere?before=0").start();
  CHECK(host.run_until([&] { return pending.done(); }));
  CHECK(pending.wait().status == 200);
  pending.cancel();  // too late to matter
  CHECK(pending.wait().status == 200);
}

TEST_CASE("test host: work on the pool, also of a client that has gone") {
  Host host(plugin("pool"), {.patience = 200ms});
  CHECK(host.request("GET", "/squares?n=5").send().body == "25 9");
  host.request("GET", "/blocks").start().cancel();
  CHECK(host.run_until([&] { return host.request("GET", "/counts").send().body.contains("without 1"); }));
  // Work that does not look whether it is wanted holds up the end of its instance.
  Pending pending = host.request("GET", "/stays").start();
  CHECK(host.for_each_suspension(host.request("GET", "/stays")) >= 1);
  CHECK(
      any_contains(host.problems(), "has not ended 200 ms after its client had left; ask cancelled() in it"));
  host.forget_problems();
  CHECK(host.request("GET", "/opens").send().body == "open");
  pending.cancel();
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: other servers are functions of the test") {
  Host host(
      plugin("fetches"),
      {.options = "upstream = \"http://users.example:9000\"\nbody_bytes = 10",
       .routes = {{"GET", "/pass/{rest...}", "pass"}, {"POST", "/post", "post"}, {"GET", "/down", "down"}}});
  std::vector<Asked> asked;
  Answered answer = {.status = 203, .headers = {{"Content-Type", "text/x"}}, .body = "an answer"};
  host.upstream("http://users.example:9000", [&](const Asked& request) {
    asked.push_back(request);
    return answer;
  });
  CHECK(host.request("GET", "/pass/some").send().body ==
        R"({"status":203,"type":"text/x","size":9,"body":"an answer"})");
  CHECK(host.request("POST", "/post").body("sent").send().body == "text/x: an answer");
  REQUIRE(asked.size() == 2);
  CHECK(asked[1].method == "POST");
  CHECK(asked[1].target == "/echo");
  CHECK(asked[1].body == "sent");
  CHECK(asked[1].headers == std::vector<std::pair<std::string, std::string>>{{"Content-Type", "text/plain"}});

  answer.after = 2s;
  Pending pending = host.request("GET", "/pass/x").start();
  host.advance(1'999ms);
  CHECK_FALSE(pending.done());
  host.advance(1ms);
  CHECK(pending.wait().status == 200);
  CHECK(host.for_each_suspension(host.request("GET", "/pass/x")) >= 1);
  answer.after = 31s;
  CHECK(host.request("GET", "/pass/x").send().status == 504);
  answer.after = 0s;
  answer.body = "more than ten bytes";
  CHECK(host.request("GET", "/pass/x").send().status == 502);
  answer.failure = "Connection refused";
  CHECK(host.request("GET", "/pass/x").send().status == 502);
  host.forget_problems();
  // One that the test does not play cannot be reached.
  CHECK(host.request("GET", "/down").send().body ==
        "-8 cannot connect to http://127.0.0.1:1: the test has no answer for it");
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: what the plugin counts can be looked at, and each host begins at zero") {
  const auto counts = [](int requests) {
    Host host(plugin("metrics"), {.routes = {{"GET", "/count/{n}", "count"}}});
    for (int i = 0; i < requests; ++i) CHECK(host.request("GET", "/count/3").send().status == 200);
    return host.metrics();
  };
  CHECK(counts(2).contains("tested_total{kind=\"a\",plugin=\"metrics\"} 2\n"));
  CHECK(counts(1).contains("tested_bytes_sum{plugin=\"metrics\"} 3\n"));
  CHECK(failure_of([] {
          Host host(plugin("metrics"),
                    {.text = "[metrics]\nseries = 2\n[[plugin]]\nname = \"m\"\nfile = \"metrics.so\"\n"});
        }).contains("metrics.series allows 2"));
}

TEST_CASE("test host: an answer that was given up arrives nowhere") {
  Host host(plugin("fetches"), {.options = "upstream = \"http://users.example:9000\"",
                                .routes = {{"GET", "/", "given_up_and_on"}}});
  host.upstream("http://users.example:9000", [](const Asked& asked) -> Answered {
    return {.body = asked.target, .after = asked.target == "/sleep/100" ? 100ms : 200ms};
  });
  CHECK(host.request("GET", "/").send().body == "given up 200");
  CHECK(host.for_each_suspension(host.request("GET", "/")) >= 2);
  host.close();
  CHECK(host.problems() == Problems{});
}

TEST_CASE("test host: mistakes are problems, in the words of the log") {
  Host host(plugin("misuse"));
  CHECK(host.request("GET", "/other_thread").send().body == "-4");
  CHECK(any_contains(host.problems(), "the request is not that of this callback, or this is another thread"));
  host.forget_problems();
  CHECK(host.request("GET", "/throws").send().status == 500);
  CHECK(any_contains(host.problems(), "threw an exception: a broken promise"));
  CHECK(any_contains(host.log(), "the request is not that of this callback"));
}

TEST_CASE("test host: allocations fail without a malloc of one's own too") {
  Host host(plugin("tasks"), tasks_setup());
  size_t answers = 0;
  const size_t allocations =
      host.for_each_allocation(host.request("GET", "/steps/2"), [&](const Reply& reply) {
        ++answers;
        CHECK(reply.status >= 500);
      });
  CHECK(allocations >= 6);
  CHECK(answers == 2 * allocations);
  CHECK(host.request("GET", "/alive").send().body == R"({"alive":0})");
  host.close();
  CHECK(host.problems() == Problems{});
}

}  // namespace leat::testing

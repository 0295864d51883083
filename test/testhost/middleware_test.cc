// Middleware of plugins, as its author tests it.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::testing {
namespace {

std::string example(const std::string& name) { return EXAMPLE_PLUGINS "/" + name + ".so"; }
std::string plugin(const std::string& name) { return TEST_PLUGINS "/" + name + ".so"; }

// The demo plugin behind middleware of `tested`.
Setup behind(const std::string& tested, const std::string& middleware, const std::string& route = "") {
  return {.text = "[[plugin]]\nname = \"tested\"\nfile = \"" + tested +
                  "\"\n[[plugin]]\nname = \"demo\"\nfile = \"" + DEMO_PLUGIN "\"\n" + middleware +
                  "[[route]]\npath = \"/json\"\nhandler = \"demo:json\"\n" + route +
                  "[[route]]\npath = \"/bytes/{n}\"\nhandler = \"demo:bytes\"\n"
                  "[[route]]\npath = \"/echo\"\nmethod = \"POST\"\nhandler = \"demo:echo\"\n"
                  "[[route]]\npath = \"/notes\"\nmethod = \"POST\"\nhandler = \"demo:notes\"\n"};
}

bool any_contains(const std::vector<std::string>& lines, std::string_view text) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return line.contains(text); });
}

constexpr std::string_view kKey = "[[middleware]]\nkind = \"tested:key\"\nkeys = [\"alice=sesame\"]\n";
constexpr std::string_view kReplace =
    "[[middleware]]\nkind = \"tested:replace\"\nword = \"World\"\nby = \"reader of this\"\n";

}  // namespace

TEST_CASE("middleware: a key is asked for before any handler, and every answer is marked") {
  Host host(example("guard"), behind(example("guard"), std::string(kKey)));
  const Reply refused = host.request("GET", "/json").send();
  CHECK(refused.status == 401);
  CHECK(refused.header("X-Guarded-By") == "guard");
  const Reply nowhere = host.request("GET", "/nowhere").header("X-API-Key", "sesame").send();
  CHECK(nowhere.status == 404);
  CHECK(nowhere.header("X-Guarded-By") == "guard");
  const Reply reply = host.request("GET", "/json").header("X-API-Key", "sesame").send();
  CHECK(reply.status == 200);
  CHECK(reply.header("X-Guarded-By") == "guard");
  CHECK(reply.header("Content-Length") == "27");
  CHECK(host.request("GET", "/json").header("X-API-Key", "guess").send().status == 401);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("middleware: a setup puts it before what the test answers, with its options") {
  const std::vector<Middleware> both = {{"replace", "word = \"cat\"\nby = \"dog\""},
                                        {"key", "keys = [\"alice=sesame\"]"}};
  {
    Host host(example("guard"), {.middleware = both});
    CHECK(host.request("GET", "/whatever").send().status == 401);
    const Request echo = host.request("PUT", "/")
                             .header("X-API-Key", "sesame")
                             .header("Content-Type", "text/plain")
                             .body("a cat, a cow");
    const Reply reply = echo.send();
    CHECK(reply.header("Content-Type") == "text/plain");
    CHECK(reply.header("X-Guarded-By") == "guard");
    CHECK(host.for_each_split(echo, [](const Reply& split) { CHECK(split.body == "a dog, a cow"); }) == 11);
    CHECK(host.for_each_allocation(echo) > 0);
    host.close();
    CHECK(host.problems().empty());
  }
  int asked = 0;
  const Upstream behind = [&](const Asked& request) -> Answered {
    ++asked;
    if (request.target == "/slow") return {.body = "late", .after = std::chrono::hours(1)};
    if (request.target == "/fails") return {.failure = "on purpose"};
    return {.status = 203,
            .headers = {{"Content-Type", "text/plain"}, {"ETag", "\"1\""}, {"X-Method", request.method}},
            .body = "cat" + request.body};
  };
  Host host(example("guard"), {.middleware = {both[0]}, .behind = behind});
  const Reply reply = host.request("POST", "/a/b?c").body("cat").send();
  CHECK(reply.status == 203);
  CHECK(reply.header("X-Method") == "POST");
  CHECK_FALSE(reply.has_header("ETag"));
  CHECK(reply.body == "dogdog");
  CHECK(host.request("GET", "/slow").send().status == 504);
  CHECK(host.request("GET", "/fails").send().status == 500);
  CHECK(asked == 3);
}

TEST_CASE("middleware: a setup puts it before the plugin's own routes") {
  Host host(plugin("bad_middleware"), {.middleware = {{"count"}}});
  CHECK(host.request("GET", "/held").send().body == "{\"held\":0} seen 1");
  const auto said = [](const Setup& setup) -> std::string {
    try {
      const Host refused(plugin("bad_middleware"), setup);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  CHECK(said({.middleware = {{"counts"}}}).contains("did you mean `bad_middleware:count`?"));
  CHECK(said({.middleware = {{"naps", "ms = \"long\""}}}).contains("ms"));
  CHECK(said({.text = "[server]\n", .middleware = {{"count"}}}).contains("a setup is"));
  CHECK(
      said({.behind = [](const Asked&) { return Answered(); }}).contains("`behind` is for plugins without"));
}

TEST_CASE("middleware: in C, a key and capitals") {
  Host host(example("gate"), behind(example("gate"),
                                    "[[middleware]]\nkind = \"tested:key\"\nkey = \"sesame\"\n"
                                    "[[middleware]]\nkind = \"tested:upper\"\n"));
  CHECK(host.request("GET", "/json").send().status == 401);
  const Reply json = host.request("GET", "/json").header("X-API-Key", "sesame").send();
  CHECK(json.header("X-Guarded-By") == "gate");
  CHECK(json.body == R"({"MESSAGE":"HELLO, WORLD!"})");
  const Reply text = host.request("POST", "/echo")
                         .header("X-API-Key", "sesame")
                         .header("Content-Type", "text/plain")
                         .body("some text")
                         .send();
  CHECK(text.body == "SOME TEXT");
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("middleware: a word is replaced wherever the body is cut") {
  Host host(example("guard"), behind(example("guard"), std::string(kReplace)));
  const Reply reply = host.request("GET", "/json").send();
  CHECK(reply.body == R"({"message":"Hello, reader of this!"})");
  CHECK(reply.header("Transfer-Encoding") == "chunked");
  const Request echo =
      host.request("POST", "/echo").header("Content-Type", "text/plain").body("WoWorldWorldWorWor");
  CHECK(host.for_each_split(echo, [](const Reply& split) {
    CHECK(split.body == "Woreader of thisreader of thisWorWor");
  }) > 10);
  CHECK(host.request("HEAD", "/json").send().body.empty());
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("middleware: what is changed before the cache is stored, and what is changed behind it each time") {
  const std::string cached = "[route.cache]\nttl = \"1h\"\n";
  const std::string count = "[[middleware]]\nkind = \"tested:count\"\n";
  const std::string count_content = "[[middleware]]\nkind = \"tested:count_content\"\n";
  {
    Host host(plugin("bad_middleware"), behind(plugin("bad_middleware"), count, cached));
    CHECK(host.request("GET", "/json").send().body == R"({"message":"Hello, World!"} seen 1)");
    CHECK(host.request("GET", "/json").send().body == R"({"message":"Hello, World!"} seen 2)");
  }
  Host host(plugin("bad_middleware"), behind(plugin("bad_middleware"), count_content, cached));
  CHECK(host.request("GET", "/json").send().body == R"({"message":"Hello, World!"} seen 1)");
  CHECK(host.request("GET", "/json").send().body == R"({"message":"Hello, World!"} seen 1)");
}

TEST_CASE("middleware: what is wrong with its declaration is said at its line") {
  const auto said = [](const std::string& middleware) -> std::string {
    try {
      const Host host(example("guard"), behind(example("guard"), middleware));
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  const std::string keys = "keys = [\"alice=sesame\"]\n";
  CHECK(said("[[middleware]]\nkind = \"tested:key\"\n" + keys).empty());
  CHECK(said("[[middleware]]\nkind = \"nobody:key\"\n").contains("no [[plugin]] is named `nobody`"));
  CHECK(said("[[middleware]]\nkind = \"tested:keys\"\n").contains("did you mean `tested:key`?"));
  CHECK(said("[[middleware]]\nkind = \"tested:key\"\nkeys = [\"alice\"]\n")
            .contains("plugin tested: middleware key: a key is written as NAME=KEY"));
  CHECK(said("[[middleware]]\nkind = \"tested:key\"\n").contains("without any key nobody could come in"));
  CHECK(said("[[middleware]]\nkind = \"tested:key\"\ncolour = 1\n" + keys).contains("unknown"));
  CHECK(said("[[middleware]]\nkind = \"tested:key\"\noptional = 1\n" + keys).contains("`optional`"));
  // The file is wrong by itself, and no plugin is loaded: its middleware is not to blame.
  const std::string other =
      said("[[middleware]]\nkind = \"tested:key\"\n" + keys + "[limits]\nnonsense = 1\n");
  CHECK(other.contains("nonsense"));
  CHECK_FALSE(other.contains("tested:key"));
}

TEST_CASE("middleware: the same twice is one") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"),
                   "[[middleware]]\nkind = \"tested:count\"\n[[middleware]]\nkind = \"tested:count\"\n"));
  CHECK(host.request("GET", "/json").send().body == R"({"message":"Hello, World!"} seen 1)");
}

TEST_CASE("middleware: what it does wrong with a request is a 500 that names it, and the next is served") {
  for (const auto& [kind, said] : std::vector<std::pair<std::string, std::string>>{
           {"throws", "threw an exception: a broken promise"},
           {"done_without_answer", "returned DONE without an answer"},
           {"never_answers", "returned PENDING, but no suspension"},
           {"no_verdict", "returned something that is not a verdict: 1234"},
           {"fails", "failed on"},
           {"throws_late", "threw an exception: late"},
           {"head_throws", "threw an exception: in the head"},
           {"head_nonsense", "not LEAT_BODY_* from head(): 77"}}) {
    INFO(kind);
    Host host(plugin("bad_middleware"),
              behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:" + kind + "\"\n"));
    CHECK(host.request("GET", "/json").send().status == 500);
    CHECK(host.request("GET", "/bytes/10").send().status == 500);
    CHECK(any_contains(host.log(), "plugin tested"));
    CHECK(any_contains(host.log(), said));
  }
}

TEST_CASE(
    "middleware: one that answers twice, or goes on after its answer, changes nothing about the first") {
  for (const std::string kind : {"twice", "next_after_answer", "error_after_answer"}) {
    INFO(kind);
    Host host(plugin("bad_middleware"),
              behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:" + kind + "\"\n"));
    CHECK(host.request("GET", "/json").send().body == "once");
    CHECK(host.request("GET", "/json").send().body == "once");
  }
}

TEST_CASE("middleware: one that never resumes is ended by the answer's timeout, and named") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:never_resumes\"\n"));
  CHECK(host.request("GET", "/json").send().status == 504);
  CHECK(any_contains(host.log(), "plugin tested did not answer in time"));
}

TEST_CASE("middleware: one that waits lets the request go on, with and without a body") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:waits\"\n"));
  CHECK(host.request("GET", "/json").send().status == 200);
  CHECK(host.request("POST", "/echo").body("a body").send().body == "a body");
  CHECK(host.request("POST", "/echo").body("a body in pieces").split_body(3).send().body ==
        "a body in pieces");
  CHECK(host.for_each_suspension(host.request("GET", "/json"), {}) > 0);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("middleware: a piece that fails cuts the answer") {
  for (const std::string kind : {"piece_throws", "piece_fails", "end_fails"}) {
    INFO(kind);
    Host host(plugin("bad_middleware"),
              behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:" + kind + "\"\n"));
    CHECK(host.request("GET", "/json").send().cut);
    CHECK(any_contains(host.log(), "failed with the body of an answer: it is cut"));
  }
}

TEST_CASE("middleware: fields that frame an answer are refused, and so are answers in its place") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:frames\"\n"));
  const Reply reply = host.request("GET", "/json").send();
  CHECK(reply.status == 200);
  CHECK(reply.header("Content-Length") == "27");
  CHECK(reply.header("X-Refused") == "-1 -1 -2 -2 -2 -2");
}

TEST_CASE("middleware: a body that grows without end is cut for a client that is slow") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:grows\"\n"));
  CHECK(host.request("GET", "/json").read_at_most(1000).send().cut);
  CHECK(any_contains(host.log(), "made more of an answer than its client took"));
}

TEST_CASE("middleware: another body can stand in the place of the request's, or none") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:shouts\"\n"));
  CHECK(host.request("POST", "/echo").body("a body").send().body == "A BODY");
  CHECK(host.request("POST", "/echo").body("a body").chunked().split_body(2).send().body == "A BODY");
  Host refusing(plugin("bad_middleware"),
                behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:refuses_body\"\n"));
  CHECK(refusing.request("POST", "/echo").body("a good body").send().body == "a good body");
  CHECK(refusing.request("POST", "/notes").body(R"({"text":"good"})").send().status == 201);
  CHECK(refusing.request("POST", "/notes").body(R"({"text":"bad"})").send().status == 422);
  // This handler has begun its answer by then.
  CHECK(refusing.request("POST", "/echo").body("a bad body").send().cut);
}

TEST_CASE("middleware: notes and state last from the request to its answer") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:remembers\"\n"));
  for (int i = 0; i < 2; ++i) {
    const Reply reply = host.request("GET", "/json").send();
    CHECK(reply.header("X-User") == "Ada");
    CHECK(reply.header("X-Seen") == "1");
    CHECK(reply.header("X-Absent") == "absent");
  }
}

TEST_CASE("middleware: who watches a body sees all of it, and it is sent as it is") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:watches\"\n"));
  CHECK(host.request("GET", "/json").send().header("Content-Length") == "27");
  CHECK(host.request("GET", "/bytes/100000").send().body.size() == 100'000);
  CHECK(any_contains(host.log(), "watched 27"));
  CHECK(any_contains(host.log(), "watched 100000"));
}

TEST_CASE("middleware: a coroutine decides about a request") {
  Host host(plugin("bad_middleware"),
            behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:sleeps\"\n"));
  CHECK(host.request("GET", "/json").send().status == 200);
  CHECK(host.request("GET", "/json").header("X-Refuse", "1").send().status == 403);
  CHECK(host.for_each_suspension(host.request("GET", "/json"), {}) > 0);
  host.close();
  CHECK(host.problems().empty());
}

TEST_CASE("middleware: wherever memory runs out, there is an answer") {
  for (const std::string kind : {"count", "waits", "sleeps", "remembers"}) {
    INFO(kind);
    Host host(plugin("bad_middleware"),
              behind(plugin("bad_middleware"), "[[middleware]]\nkind = \"tested:" + kind + "\"\n"));
    CHECK(host.for_each_allocation(host.request("GET", "/json")) > 0);
    host.close();
    CHECK(host.problems().empty());
  }
}

}  // namespace leat::testing

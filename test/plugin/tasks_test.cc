// Handlers that are coroutines: what they answer, and that they end cleanly wherever they are left.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

// The site of the plugin "tasks", with its path parameters. At its end every local of every task is gone.
class Tasks : public Site {
 public:
  Tasks() : Site("tasks") {
    for (const char* name : {"plain", "at_once", "steps", "loop", "pieces"}) REQUIRE(route(name, {"n"}));
    REQUIRE(route("nap", {"ms"}));
    REQUIRE(route("deep", {"depth"}));
  }
  std::string alive() { return get("/living").body; }
};

constexpr std::string_view kNoneAlive = R"({"alive":0})";

}  // namespace

TEST_CASE("task: one that waits for nothing answers like any other handler") {
  Tasks site;
  CHECK(site.get("/at_once/7").body == R"({"n":7})");
  CHECK(site.get("/at_once/x").status == 400);
  CHECK(site.get("/loop/1000?wait=no").body == R"({"sum":332833500})");
  CHECK(site.handled == site.ended);
}

TEST_CASE("task: sleeps without holding up others, and finds its parameters and its request again") {
  Tasks site;
  http1::Session sleeper(site.environment(), "192.0.2.7", 0);
  sleeper.feed("GET /nap/250?q=a%20b HTTP/1.1\r\nHost: test\r\nX-Some: thing\r\n\r\n");
  CHECK(site.worker().delays_ms == std::vector<uint64_t>{250});
  CHECK(site.get("/at_once/7").status == 200);
  CHECK(parse_answer(take_output(sleeper)).body ==
        R"({"ms":250,"q":"a b","path":"/nap/250","header":"thing"})");
  sleeper.disconnect();
}

TEST_CASE("task: many waits and many tasks, one after the other, need no more memory than one") {
  Tasks site;
  site.limits.request_memory_bytes = 16 * 1024;
  CHECK(site.get("/loop/2000?wait=yes").body == R"({"sum":2664667000})");
  CHECK(site.get("/loop/100000?wait=no").body == R"({"sum":333328333350000})");
}

TEST_CASE("task: what is thrown in a task, soon or late, reaches the client as from any handler") {
  LogText log;
  {
    Tasks site;
    for (const std::string_view depth : {"0", "1", "50"}) {
      const std::string target = "/deep/" + std::string(depth) + "?end=";
      INFO(target);
      CHECK(site.get(target + "wait").body == R"({"depth":)" + std::string(depth) + "}");
      CHECK(site.get(target + "throw").status == 500);
      CHECK(site.get(target + "throw_late").status == 500);
      CHECK(site.get(target + "problem").status == 409);
      CHECK(site.get(target + "problem_late").body.contains("It was deep."));
    }
    CHECK(site.alive() == kNoneAlive);
    CHECK(site.get("/result?good=1").body == "good");
    CHECK(site.get("/result?good=0").status == 422);
  }
  const std::string text = log.take();
  CHECK(text.contains("plugin tested: route route-deep: threw thrown at the bottom"));
  CHECK(text.contains("plugin tested: route route-deep: threw thrown late"));
}

TEST_CASE("task: when the client leaves, the locals of all tasks that wait are destroyed before its memory") {
  Tasks site;
  const int waits = GENERATE(0, 1, 2, 3, 4);
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for("/steps/2"));
  for (int i = 0; i < waits; ++i) site.resume_all();
  const bool answered = waits == 4;
  CHECK(parse_answer(take_output(session)).body ==
        (answered ? R"({"passed":["step number 0","step number 1"]})" : ""));
  CHECK((site.alive() == kNoneAlive) == answered);
  session.disconnect();
  CHECK(site.alive() == kNoneAlive);
  site.resume_all();
  CHECK(site.handled == site.ended);
}

TEST_CASE("task: a result of another thread is waited for, whether it comes before or after") {
  Tasks site;
  for (const char* before : {"0", "1", "20"}) {
    INFO(before);
    CHECK(site.get("/elsewhere?before=" + std::string(before)).body == R"({"text":"from another thread"})");
  }
  CHECK(site.alive() == kNoneAlive);
}

TEST_CASE("task: a result of another thread for one that has gone is freed") {
  Tasks site;
  for (int i = 0; i < 50; ++i) {
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed(request_for("/elsewhere?before=" + std::to_string(i % 3)));
    for (int steps = 0; steps < i % 4; ++steps) site.resume_all();
    session.disconnect();
  }
  site.resume_all();
  CHECK(site.get("/unwanted").body == "answered without");
  CHECK(site.handled == site.ended);
}

TEST_CASE("task: a completer that is dropped fails the task that waits") {
  LogText log;
  {
    Tasks site;
    CHECK(site.get("/dropped").status == 500);
  }
  CHECK(log.take().contains("a completer was dropped without a result"));
}

TEST_CASE("task: writes its answer in pieces, as fast as the client reads") {
  Tasks site;
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for("/pieces/100"));
  CHECK(site.alive() == R"({"alive":1})");
  const std::string wire = take_output(session);
  CHECK(wire.size() > 1'000'000);
  CHECK(wire.ends_with("0\r\n\r\n"));
  CHECK(site.alive() == kNoneAlive);
  session.feed(request_for("/pieces/100"));
  session.disconnect();
  CHECK(site.alive() == kNoneAlive);
}

TEST_CASE("task: the end of a streamed body can be a coroutine, over the object that saw the pieces") {
  Tasks site;
  CHECK(site.post("/tail", "0123456789").body == R"({"bytes":10})");
  CHECK(site.alive() == kNoneAlive);
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed("POST /tail HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(site.alive() == R"({"alive":2})");
  session.disconnect();
  CHECK(site.alive() == kNoneAlive);
}

TEST_CASE("task: wrong uses fail the request and nothing else") {
  Tasks site;
  CHECK(site.get("/empty").status == 500);
  CHECK(site.get("/no_room").status == 500);
  CHECK(site.get("/unawaited").body == kNoneAlive);
  CHECK(site.handled == site.ended);
}

}  // namespace leat::plugin::test

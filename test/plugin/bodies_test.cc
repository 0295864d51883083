// Streamed bodies that are held up, and what the verdict of on_body means.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

// A body of two pieces, chunked so that the end is apart from the last of them.
std::string post(std::string_view target, std::string_view fields = "") {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" +
         std::string(fields) + "\r\n3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n";
}

}  // namespace

TEST_CASE("bodies: a handler may rest after each piece, by a timer or another thread, the last one too") {
  Site site("bodies");
  for (const char* handler : {"/paced", "/rested", "/elsewhere"}) {
    INFO(handler);
    for (const bool chunked : {true, false}) {
      const Answer answer = chunked ? site.ask(post(handler)) : site.post(handler, "abcdefg");
      CHECK(answer.status == 200);
      CHECK(answer.body == R"({"bytes":7})");
    }
    CHECK(site.post(handler, "").body == R"({"bytes":0})");
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("bodies: one that is paused with nothing that could go on with it is the handler's mistake") {
  Site site("bodies");
  LogText log;
  CHECK(site.ask(post("/forgotten")).status == 500);
  CHECK(log.take().contains("paused the body, and nothing is left that could go on with it"));
}

TEST_CASE("bodies: DONE and PENDING both mean `go on` until the body has ended") {
  Site site("bodies");
  const struct {
    std::string_view fields, body;
    int status = 200;
  } cases[] = {
      {"X-Do: done\r\n", "whole"},
      {"X-Do: pending\r\n", "whole"},
      {"X-Do: timer done\r\n", "whole"},
      {"X-Do: timer pending\r\nX-Then: pending\r\n", "whole"},
      {"X-Do: pause timer done\r\n", "whole"},
      {"X-Do: pause timer pending\r\n", "whole"},
      {"X-Do: pause timer done\r\nX-Then: pending\r\n", "whole"},
      // The answer may come in the midst of the body, from wherever.
      {"X-Do: send done\r\n", "early"},
      {"X-Do: send pending\r\n", "early"},
      {"X-Do: pause timer pending\r\nX-Then: send\r\n", "from the timer"},
      // Without an answer in the end something must still be under way.
      {"X-Do: timer\r\nX-Then: send\r\nX-End: pending\r\n", "from the timer"},
      {"X-Do: timer\r\nX-Then: send\r\nX-End: done\r\n", "", 500},
      {"X-Do: pause timer\r\nX-End: done\r\n", "", 500},
      // The others are what they are elsewhere.
      {"X-Do: next\r\n", "", 404},
      {"X-Do: error\r\n", "", 500},
      {"X-Do: none\r\n", "", 500},
      {"X-Do: pause done\r\n", "", 500},
      {"X-Do: pause pending\r\n", "", 500},
      {"X-Do: pause timer\r\nX-Then: next\r\n", "", 404},
      {"X-Do: pause timer\r\nX-Then: error\r\n", "", 500},
  };
  for (const auto& each : cases) {
    INFO(each.fields);
    LogText log;
    const Answer answer = site.ask(post("/told", each.fields));
    CHECK(answer.status == each.status);
    if (each.status == 200) CHECK(answer.body == each.body);
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("bodies: without an on_body_end the answer may come from what on_body began") {
  Site site("bodies");
  CHECK(site.ask(post("/endless", "X-Do: timer\r\nX-Then: send\r\n")).body == "from the timer");
  LogText log;
  CHECK(site.ask(post("/endless", "X-Do: done\r\n")).status == 500);
  CHECK(log.take().contains("DONE without an answer"));
}

}  // namespace leat::plugin::test

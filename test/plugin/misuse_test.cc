// Containment: what a plugin does wrong with a request is refused or becomes a 500, is logged with the
// plugin's name, and the next request is served as if nothing had been.
#include <catch2/catch_test_macros.hpp>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

// Asks for `handler`, and afterwards for one that behaves.
Answer ask(Site& site, std::string_view handler) {
  const Answer answer = site.get("/" + std::string(handler));
  CHECK(site.get("/write_before_begin").body == "-2");
  CHECK(site.handled == site.ended);
  return answer;
}

// The answer to `handler` is a 500, and the log says `what`.
void check_failure(std::string_view handler, std::string_view what) {
  INFO(handler);
  LogText log;
  {
    Site site("misuse");
    const Answer answer = ask(site, handler);
    CHECK(answer.status == 500);
    CHECK(answer.head.contains("application/problem+json"));
    CHECK_FALSE(answer.body.contains("promise"));  // nothing of the plugin's inside goes to clients
  }
  const std::string text = log.take();
  INFO(text);
  CHECK(text.contains("plugin tested"));
  CHECK(text.contains(what));
}

}  // namespace

TEST_CASE("request: what is asked for by number is there, and beyond it nothing") {
  Site site("misuse");
  CHECK(site.get("/by_number?a=1&&b=%20x+y&c&d=%zz", "User-Agent: me\r\n").body ==
        "10 me absent absent 0 a=1 b= x y c= -1 -5 refused later");
  CHECK(site.get("/by_number").body == "10 absent absent absent 0 -5 refused later");
}

TEST_CASE("misuse: exceptions become a 500 and name the plugin, the handler and the route") {
  check_failure("throws", "handler throws on route route-throws: threw an exception: a broken promise");
  check_failure("throws_a_number", "not a std::exception");
  check_failure("throws_when_resumed", "threw an exception: late");
}

TEST_CASE("misuse: promised answers that nobody gives become a 500") {
  check_failure("done_without_answer", "DONE without an answer");
  check_failure("never_answers", "PENDING, but no suspension");
  check_failure("no_verdict", "something that is not a verdict: 1234");
}

TEST_CASE("misuse: a handler's own failure is a 500, its passing a 404") {
  Site site("misuse");
  CHECK(ask(site, "fails").status == 500);
  CHECK(ask(site, "passes").status == 404);
  CHECK(ask(site, "passes_when_resumed").status == 404);
}

TEST_CASE("misuse: an answer that is begun and never ended is cut") {
  Site site("misuse");
  for (const std::string_view handler : {"throws_after_begin", "begins_only", "writes_too_little"}) {
    INFO(handler);
    const Answer answer = ask(site, handler);
    CHECK(answer.status == 200);
    CHECK(answer.cut);
  }
}

TEST_CASE("misuse: a second answer changes nothing about the first") {
  Site site("misuse");
  for (const auto& [handler, body] :
       std::vector<std::pair<std::string, std::string>>{{"twice", "once"},
                                                        {"next_after_answer", "answered"},
                                                        {"error_after_answer", "answered"},
                                                        {"suspends_after_answer", "answered"}}) {
    INFO(handler);
    const Answer answer = ask(site, handler);
    CHECK(answer.status == 200);
    CHECK(answer.body == body);
    CHECK(answer.rest.empty());
    CHECK_FALSE(answer.cut);
  }
  const Answer streamed = ask(site, "write_after_end");
  CHECK(streamed.body == "4\r\nbody\r\n0\r\n\r\n");
}

TEST_CASE("misuse: a body is held to the length that was announced") {
  Site site("misuse");
  const Answer answer = ask(site, "writes_too_much");
  CHECK(answer.body == "1234");
  CHECK(answer.rest.empty());
  CHECK(ask(site, "begins_badly").body == "-1");
}

TEST_CASE("misuse: headers cannot smuggle other headers or framing") {
  Site site("misuse");
  const Answer answer = ask(site, "injects");
  CHECK(answer.body == "-1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1 -1");
  CHECK_FALSE(answer.head.contains("another"));
  CHECK_FALSE(answer.head.contains("Evil"));
  CHECK_FALSE(answer.head.contains("chunked"));
  CHECK(ask(site, "too_many_headers").body == "-1");
}

TEST_CASE("misuse: a status must be a final one") {
  Site site("misuse");
  CHECK(ask(site, "bad_status").body == "-1 -1 -1 -1 -1 -1");
}

TEST_CASE("misuse: texts that are NULL are empty, if their length agrees") {
  Site site("misuse");
  CHECK(ask(site, "null_texts").body == "0 -1 1 1 1");
  const Answer answer = ask(site, "sends_null");
  CHECK(answer.status == 200);
  CHECK(answer.body.empty());
}

TEST_CASE("misuse: a request's memory has a limit") {
  Site site("misuse");
  CHECK(ask(site, "too_much_memory").body == "refused");
}

TEST_CASE("misuse: requests are used only in their own callbacks, on their own thread") {
  Site site("misuse");
  CHECK(ask(site, "keeps_request").body == "kept");
  // On two connections at once, so that the kept one is another object.
  http1::Session first(site.environment(), "192.0.2.7", 0);
  first.feed("GET /keeps_request HTTP/1.1\r\nHost: test\r\n\r\nGET /ticks HTTP/1.1\r\nHost: test\r\n\r\n");
  CHECK(site.get("/uses_kept_request").body == "refused");
  first.disconnect();
  CHECK(ask(site, "uses_null_request").body == "-4");
  CHECK(ask(site, "other_thread").body == "-4");
}

TEST_CASE("misuse: a suspension is completed once, by its own ticket") {
  Site site("misuse");
  CHECK(ask(site, "completes_twice").body == "first");
  CHECK(ask(site, "suspends_often").body == "2");
  CHECK(ask(site, "foreign_tickets").body == "0");
}

TEST_CASE("misuse: timers follow each other and the request stays open between them") {
  Site site("misuse");
  CHECK(ask(site, "ticks").body == "three ticks");
  CHECK(site.worker().delays_ms == std::vector<uint64_t>{1, 1, 1});
}

TEST_CASE("misuse: when the client goes, nothing is answered or waited for any more") {
  LogText log;
  {
    Site site("misuse");
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed("POST /streams_and_never_answers HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n12345");
    session.disconnect();
    CHECK(site.handled == 1);
    CHECK(site.ended == 1);
    CHECK(site.post("/streams_and_never_answers", "12345").status == 500);
  }
  const std::string text = log.take();
  CHECK(text.contains("threw an exception: in on_done"));
}

TEST_CASE("misuse: a plugin cannot forge a line of the log") {
  LogText log;
  {
    Site site("misuse");
    CHECK(site.get("/forges_a_log_line").body == "logged");
  }
  CHECK(log.take().contains("plugin tested: line one?2026 ERROR forged\n"));
}

}  // namespace leat::plugin::test

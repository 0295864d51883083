// access_log: what a line says of a request, however that ended, and which requests have one.
#include <unistd.h>

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "json/allocations.h"
#include "json/valid.h"
#include "logging/sinks.h"
#include "middleware/access_fields.h"
#include "middleware/access_line.h"
#include "middleware/identified.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

// The names of the members of a flat object, in order.
std::vector<std::string> keys(const std::string& object) {
  std::vector<std::string> names;
  bool in_text = false;
  size_t begin = 0;
  for (size_t i = 0; i < object.size(); ++i) {
    if (object[i] == '\\') {
      ++i;
    } else if (object[i] == '"') {
      if (in_text && object[i + 1] == ':') names.push_back(object.substr(begin, i - begin));
      in_text = !in_text;
      begin = i + 1;
    }
  }
  return names;
}

// The line of one request to a site with that log and a route for everything.
std::string line_of(Value::Table options, std::string_view request) {
  LogText log;
  {
    Stage stage(kinds());
    stage.middleware("access_log", std::move(options));
    stage.route("/{rest...}", {"GET", "POST"});
    stage.feed(request);
  }
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  return all[0];
}

constexpr std::string_view kRequest =
    "GET /a/b?x=1&word=s3cret HTTP/1.1\r\nHost: example.org:81\r\nUser-Agent: curl/8\r\n"
    "Referer: http://example.org/?word=s3cret\r\nX-Two: a\r\nAuthorization: Basic c2VjcmV0\r\nX-Two: "
    "b\r\n\r\n";

}  // namespace

TEST_CASE("access_log: a request is one JSON object with what most want to know") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
  stage.middleware("request_id");
  stage.middleware("trace_context");
  stage.route("/users/{id}");
  const std::string answer =
      stage.get("/users/7?x=1", "Authorization: Basic c2VjcmV0\r\nCookie: session=secret\r\n");
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  const std::string& line = all[0];
  CHECK(json::is_json_value(line));
  CHECK(keys(line) == std::vector<std::string>{"ts", "client", "method", "host", "target", "status", "route",
                                               "bytes_out", "duration_us", "request_id", "trace_id"});
  CHECK(member(line, "ts").size() == std::string_view("\"2026-11-23T12:00:00.000Z\"").size());
  CHECK(member(line, "request_id") == "\"" + field(answer, "X-Request-Id") + "\"");
  CHECK(member(line, "client") == "\"192.0.2.1\"");
  CHECK(member(line, "method") == "\"GET\"");
  CHECK(member(line, "host") == "\"a\"");
  CHECK(member(line, "target") == "\"/users/7?x=1\"");
  CHECK(member(line, "route") == "\"GET /users/{id}\"");
  CHECK(member(line, "status") == "200");
  CHECK(member(line, "bytes_out") == "5");
  CHECK(member(line, "trace_id").size() == 34);
  CHECK_FALSE(line.contains("ecret"));
  CHECK_FALSE(line.contains("c2Vj"));
}

TEST_CASE("access_log: all fields, in the order in which they are asked for") {
  const std::string line = line_of({texts("fields", {"header:X-Two", "all", "header:x-none"})}, kRequest);
  INFO(line);
  CHECK(json::is_json_value(line));
  std::vector<std::string> expected = {"header_x_two"};
  for (const AccessField& each : access_fields()) expected.emplace_back(each.name);
  // What is empty is left out.
  for (const char* empty : {"tls_version", "tls_cipher", "certificate_subject", "certificate_cn",
                            "certificate_names", "certificate_sha256", "user", "listener", "reason", "plugin",
                            "cache", "upstream", "request_id", "trace_id", "span_id"})
    std::erase(expected, empty);
  CHECK(keys(line) == expected);
  CHECK(member(line, "header_x_two") == "\"a, b\"");
  CHECK(member(line, "path") == "\"/a/b\"");
  CHECK(member(line, "query") == "\"x=1&word=s3cret\"");
  CHECK(member(line, "protocol") == "\"HTTP/1.1\"");
  CHECK(member(line, "host") == "\"example.org:81\"");
  CHECK(member(line, "user_agent") == "\"curl/8\"");
  CHECK(member(line, "referer") == "\"http://example.org/?word=s3cret\"");
  CHECK(member(line, "peer") == member(line, "client"));
  CHECK(member(line, "complete") == "true");
  CHECK(member(line, "bytes_in") == std::to_string(kRequest.size()));
}

TEST_CASE("access_log: what TLS knows is told, and what a certificate says stays one line") {
  LogText log;
  {
    Stage stage(identified_kinds());
    stage.middleware("identified");
    stage.middleware("access_log",
                     {texts("fields", {"tls_version", "tls_cipher", "certificate_subject", "certificate_cn",
                                       "certificate_names", "certificate_sha256"})});
    stage.route("/");
    stage.get("/", "X-Subject: CN=\"a\"\r\nX-Cn: \"a\"\r\nX-Names: dns:a.example\r\nX-Sha256: 00ff\r\n");
    stage.get("/");
  }
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 2);
  CHECK(all[0] ==
        R"({"tls_version":"TLSv1.3","tls_cipher":"TLS_AES_128_GCM_SHA256","certificate_subject":"CN=\"a\"",)"
        R"("certificate_cn":"\"a\"","certificate_names":"dns:a.example","certificate_sha256":"00ff"})");
  CHECK(all[1] == "{}");
}

TEST_CASE("access_log: a log without a field is one of empty objects") {
  CHECK(line_of({texts("fields", {})}, kRequest) == "{}");
  CHECK(line_of({texts("fields", {"cache"})}, kRequest) == "{}");
  CHECK(line_of({texts("fields", {"cache", "status"})}, kRequest) == "{\"status\":200}");
}

TEST_CASE("access_log: the forms that other servers have, and one's own") {
  const auto form = [](std::string format) { return Value::Table{entry("format", std::move(format))}; };
  const std::string combined = line_of(form("combined"), kRequest);
  CHECK(combined.starts_with("192.0.2.1 - - ["));
  CHECK(
      combined.contains(" +0000] \"GET /a/b?x=1&word=s3cret HTTP/1.1\" 200 5 "
                        "\"http://example.org/?word=s3cret\" \"curl/8\""));
  const size_t bracket = combined.find('[');
  CHECK(combined.find(']') - bracket == std::string_view("[29/Nov/2026:10:00:00 +0000").size());
  const std::string text = line_of(form("text"), kRequest);
  CHECK(text.contains("Z 192.0.2.1 \"GET /a/b?x=1&word=s3cret\" 200 5 "));
  CHECK(text.ends_with("us - -"));
  CHECK(line_of(form("{{{method}}} {status}/{cache} {header:x-two}|"), kRequest) == "{GET} 200/- a, b|");
  CHECK(line_of(form("{user_agent}"), "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: \"q\\\xff\xc3\xa9\r\n\r\n") ==
        "\\\"q\\\\\xef\xbf\xbd\xc3\xa9");
}

TEST_CASE("access_log: values of chosen fields and parameters are hidden, however they are written") {
  const auto hidden = [](std::string_view target) {
    return line_of(
        {texts("redact_query", {"word", "api key"}), entry("format", std::string("{target} {query}"))},
        "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n");
  };
  CHECK(hidden("/a?x=1&word=s3cret&y=2") == "/a?x=1&word=[redacted]&y=2 x=1&word=[redacted]&y=2");
  CHECK(hidden("/a?w%6frd=s3cret") == "/a?w%6frd=[redacted] w%6frd=[redacted]");
  CHECK(hidden("/a?WORD=s3cret;api+key=s3&word") ==
        "/a?WORD=[redacted];api+key=[redacted]&word WORD=[redacted];api+key=[redacted]&word");
  CHECK(hidden("/word=free?words=2") == "/word=free?words=2 words=2");
  CHECK(hidden("/a?") == "/a? -");
  CHECK(line_of({texts("redact_query", {"word"}), entry("format", std::string("{referer}"))}, kRequest) ==
        "http://example.org/?word=[redacted]");
  CHECK(line_of({entry("format", std::string("{header:authorization} {header:x-two}"))}, kRequest) ==
        "[redacted] a, b");
  CHECK(line_of({texts("redact_headers", {"User-Agent", "X-Two"}),
                 entry("format", std::string("{user_agent} {header:x-two} {header:authorization}"))},
                kRequest) == "[redacted] [redacted] Basic c2VjcmV0");
  // Unless something else is said, what is most often a secret.
  CHECK(line_of({entry("format", std::string("{query}"))},
                "GET /a?access_token=s&key=k&Password=p HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "access_token=[redacted]&key=k&Password=[redacted]");
  // Of one that is cut, too.
  const std::string long_one = "/a?x=" + std::string(2030, 'x') + "&word=s3cret";
  CHECK_FALSE(hidden(long_one).contains("s3c"));
}

TEST_CASE("access_log: what is kept of a head and of an outcome is that of the request") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log",
                   {entry("format", std::string("{method} {target} {status} {host} {route} {user_agent}"))});
  stage.route("/one");
  ScriptHandler& two = stage.route("/two/{id}");
  int turn = 0;
  two.on_handle = [&](http::Exchange& exchange) {
    exchange.response.status = ++turn % 2 == 0 ? 200 : 503;
    exchange.send("two");
    return Verdict::Done;
  };
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    stage.get("/one", "User-Agent: a\r\n");
    expected.emplace_back("GET /one 200 a GET /one a");
    stage.get("/two/7", "User-Agent: b\r\n");
    expected.emplace_back(std::string("GET /two/7 ") + (i % 2 == 0 ? "503" : "200") + " a GET /two/{id} b");
    // Many different ones, which are never known, and some that are.
    const std::string id = std::to_string(i % 40);
    stage.get("/two/" + id, "User-Agent: c" + id + "\r\n");
    expected.emplace_back("GET /two/" + id + (i % 2 == 0 ? " 200" : " 503") + " a GET /two/{id} c" + id);
  }
  // Each second one of the route fails.
  turn = 0;
  size_t wrong = 0;
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == expected.size());
  for (size_t i = 0; i < all.size(); ++i) {
    std::string line = expected[i];
    if (i % 3 != 0) {
      ++turn;
      const size_t at = line.find(" 200 ") != std::string::npos ? line.find(" 200 ") : line.find(" 503 ");
      line.replace(at, 5, turn % 2 == 0 ? " 200 " : " 503 ");
    }
    wrong += all[i] != line ? 1 : 0;
  }
  CHECK(wrong == 0);
}

TEST_CASE("access_log: what no route or nobody answers is logged too") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log", {texts("fields", {"status", "route", "bytes_out", "complete", "reason"})});
  stage.route("/later").on_handle = [](http::Exchange& exchange) {
    exchange.suspend();
    return Verdict::Pending;
  };
  stage.get("/nowhere");
  stage.get("/later");
  stage.session().disconnect();
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 2);
  CHECK(member(all[0], "status") == "404");
  CHECK(member(all[0], "route") == "\"(none)\"");
  CHECK(member(all[0], "complete") == "true");
  CHECK(member(all[1], "status") == "499");
  CHECK(member(all[1], "bytes_out") == "0");
  CHECK(member(all[1], "complete") == "false");
  CHECK(member(all[1], "reason") == "\"The client left before the answer was complete.\"");
}

namespace {

// Logs what becomes of an answer in pieces that `what` happens to.
template <class What>
std::string logged_of_pieces(What what) {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log",
                   {texts("fields", {"status", "bytes_in", "bytes_out", "complete", "reason"})});
  ScriptHandler& handler = stage.route("/pieces", {"POST"});
  handler.streams = true;
  handler.on_handle = [](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write("piece");
    return Verdict::Done;
  };
  handler.on_end = [](http::Exchange& exchange) {
    exchange.abort();
    return Verdict::Done;
  };
  const std::string answer =
      stage.feed("POST /pieces HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  CHECK(status_of(answer) == 200);
  stage.feed("3\r\nabc\r\n");
  what(stage);
  CHECK(stage.session().cut());
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace

TEST_CASE("access_log: an answer that was cut is no success, and why it was is told") {
  struct Case {
    void (*what)(Stage&);
    std::string status, reason;
  };
  const Case cases[] = {
      {[](Stage& stage) { stage.feed("nonsense\r\n"); }, "400", "A chunk of the body has a malformed size."},
      {[](Stage& stage) {
         stage.harness().worker.now_ms += 10'000;
         stage.session().deadline_passed();
       },
       "408", "The request's body did not arrive in time."},
      {[](Stage& stage) { stage.session().disconnect(); }, "499",
       "The client left before the answer was complete."},
      {[](Stage& stage) { stage.feed("0\r\n\r\n"); }, "500", "The server gave the answer up half-way."},
  };
  for (const Case& each : cases) {
    INFO(each.reason);
    const std::string line = logged_of_pieces(each.what);
    CHECK(json::is_json_value(line));
    CHECK(member(line, "status") == each.status);
    CHECK(member(line, "bytes_out") == "5");
    CHECK(member(line, "bytes_in") == "65");  // 62 of the head, 3 of the body
    CHECK(member(line, "complete") == "false");
    CHECK(member(line, "reason") == "\"" + each.reason + "\"");
  }
}

TEST_CASE("access_log: a request that is refused is logged with what was read of it") {
  const auto refused = [](std::string_view request, bool late = false) {
    LogText log;
    Stage stage(kinds());
    stage.middleware("access_log",
                     {texts("fields", {"client", "method", "host", "target", "path", "query", "protocol",
                                       "user_agent", "status", "route", "complete", "reason"})});
    stage.feed(request);
    if (late) {
      stage.harness().worker.now_ms += 60'000;
      stage.session().deadline_passed();
    }
    const std::vector<std::string> all = lines(log.take());
    REQUIRE(all.size() == 1);
    CHECK(json::is_json_value(all[0]));
    return all[0];
  };
  CHECK(
      refused("DELETE /accounts/7?all HTTP/1.1\r\nHost: t\r\nUser-Agent: x\r\nNo colon here\r\n\r\n") ==
      R"({"client":"192.0.2.1","method":"DELETE","host":"t","target":"/accounts/7?all","path":"/accounts/7",)"
      R"("query":"all","protocol":"HTTP/1.1","user_agent":"x","status":400,"complete":true,)"
      R"("reason":"A header field has a character that is not allowed."})");
  // A line that is longer than it may be.
  const std::string long_line = refused("GET /" + std::string(20'000, 'l') + " HTTP/1.1\r\nHost: t\r\n\r\n");
  CHECK(member(long_line, "status") == "414");
  CHECK(member(long_line, "method") == "\"GET\"");
  CHECK(member(long_line, "target").starts_with("\"/llll"));
  // More fields than there may be.
  std::string many = "GET /many HTTP/1.1\r\nHost: t\r\n";
  for (int i = 0; i < 500; ++i) many += "X-" + std::to_string(i) + ": y\r\n";
  const std::string fields = refused(many + "\r\n");
  CHECK(member(fields, "status") == "431");
  CHECK(member(fields, "target") == "\"/many\"");
  CHECK(member(fields, "host") == "\"t\"");
  // A head that does not come in time.
  const std::string late = refused("POST /late HTTP/1.1\r\nHost: t\r\nX-Ha", true);
  CHECK(member(late, "status") == "408");
  CHECK(member(late, "method") == "\"POST\"");
  CHECK(member(late, "target") == "\"/late\"");
  // No request at all.
  const std::string nonsense = refused("\x16\x03\x01\x02 hello\r\n\r\n");
  CHECK(member(nonsense, "status") == "400");
  CHECK(member(nonsense, "method") == "(none)");
  CHECK(member(nonsense, "target") == "(none)");
}

TEST_CASE("access_log: whatever a client sends stays one line, one object, and UTF-8") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log", {texts("fields", {"all", "header:x-name"})});
  stage.middleware("request_id", {entry("trust", true)});
  const std::string id(128, '~');  // longest of all it could be: a request's id, its target and its route
  stage.route("/" + std::string(900, '"') + "/{rest...}").on_handle = [&](http::Exchange& exchange) {
    exchange.request.set_id(id);
    exchange.send("");
    return Verdict::Done;
  };
  stage.get("/\"},{\"x\":\"\\", "X-Request-Id: \",\"\r\n");
  stage.get("/" + std::string(5000, '"'),
            "User-Agent: " + std::string(5000, '"') + "\r\nReferer: " + std::string(5000, '\\') + "\r\n");
  stage.get("/" + std::string(900, '"') + "/" + std::string(1000, '"'));
  stage.get("/", "X-Name: \xff\r\n");
  stage.get("/", "X-Name: " + std::string(3000, '\xe2') + "\r\n");
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 5);
  for (const std::string& line : all) {
    CHECK(json::is_json_value(line));
    CHECK(line.size() < AccessLine::kMostBytes);
  }
  CHECK_FALSE(all[0].contains(R"({"x")"));
  CHECK(member(all[3], "header_x_name") == "\"\xef\xbf\xbd\"");
  // What stands behind what was cut is there.
  CHECK(keys(all[1]).back() == "request_id");
}

TEST_CASE("access_log: a text that is cut ends with a whole character") {
  const std::string line = line_of(
      {entry("format", std::string("{header:x-name}"))}, "GET / HTTP/1.1\r\nHost: a\r\nX-Name: a" + [] {
        std::string text;
        for (int i = 0; i < 2000; ++i) text += "\xe2\x82\xac";
        return text;
      }() + "\r\n\r\n");
  CHECK(line.size() <= AccessLine::kMostText);
  CHECK(line.size() > AccessLine::kMostText - 4);
  CHECK(line.ends_with("\xe2\x82\xac"));
}

TEST_CASE("access_log: the time is told by where it was spent") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log", {texts("fields", {"duration_us", "before_us", "handler_us", "answer_us"})});
  stage.route("/slow").on_handle = [](http::Exchange& exchange) {
    ::usleep(30'000);
    exchange.send("slow");
    return Verdict::Done;
  };
  stage.route("/stream").on_handle = [](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    ::usleep(30'000);
    exchange.end();
    return Verdict::Done;
  };
  const auto feed = [&](std::string_view target) {
    // The clock of the harness is not the one that handlers spend.
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    stage.harness().worker.now_ms =
        static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
    stage.get(target);
  };
  feed("/slow");
  feed("/stream");
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 2);
  const auto us = [](const std::string& line, const char* name) { return std::stoll(member(line, name)); };
  CHECK(us(all[0], "handler_us") >= 30'000);
  CHECK(us(all[0], "answer_us") < us(all[0], "handler_us"));
  CHECK(us(all[1], "answer_us") >= 30'000);
  CHECK(us(all[1], "handler_us") < us(all[1], "answer_us"));
  for (const std::string& line : all)
    // Each is cut to microseconds.
    CHECK(us(line, "duration_us") - us(line, "before_us") - us(line, "handler_us") - us(line, "answer_us") <=
          3);
}

TEST_CASE("access_log: some requests are logged, by their status and their time, and a share of the others") {
  const auto count = [](Value::Table options) {
    LogText log;
    {
      Stage stage(kinds());
      options.push_back(entry("format", std::string("{status}")));
      stage.middleware("access_log", std::move(options));
      stage.route("/{code}").on_handle = [](http::Exchange& exchange) {
        exchange.response.status =
            static_cast<uint16_t>(std::stoi(std::string(exchange.request.params()[0])));
        exchange.send("");
        return Verdict::Done;
      };
      stage.harness().worker.now_ms = monotonic_ms();
      for (int i = 0; i < 1000; ++i) stage.get(i % 10 == 0 ? "/503" : i % 10 == 1 ? "/404" : "/200");
    }
    const std::vector<std::string> all = lines(log.take());
    struct {
      long ok, missing, failed;
    } counts{std::ranges::count(all, "200"), std::ranges::count(all, "404"), std::ranges::count(all, "503")};
    return counts;
  };
  const auto all = count({});
  CHECK(all.ok == 800);
  CHECK(all.missing == 100);
  CHECK(all.failed == 100);
  const auto failures = count({texts("status", {"5xx"})});
  CHECK(failures.ok == 0);
  CHECK(failures.missing == 0);
  CHECK(failures.failed == 100);
  CHECK(count({texts("status", {"404", "500-502"})}).missing == 100);
  CHECK(count({texts("status", {"404", "500-502"})}).failed == 0);
  const auto some = count({texts("status", {"5xx"}), entry("sample", 0.5)});
  CHECK(some.failed == 100);
  CHECK(some.ok > 250);  // 400, and less than this once in 10^20 times
  CHECK(some.ok < 550);
  const auto tenth = count({entry("sample", 0.1)});
  CHECK(tenth.failed < 60);
  CHECK(tenth.ok > 20);
  CHECK(tenth.ok < 200);
  CHECK(count({entry("sample", 0.0)}).ok == 0);
  CHECK(count({entry("slower_than", std::string("1h"))}).failed == 0);
}

TEST_CASE("access_log: who is slower than allowed is logged whatever its status") {
  LogText log;
  {
    Stage stage(kinds());
    stage.middleware("access_log", {texts("status", {"5xx"}), entry("slower_than", std::string("1s")),
                                    entry("format", std::string("{target}"))});
    stage.route("/{rest...}");
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t& clock = stage.harness().worker.now_ms;
    clock = static_cast<uint64_t>(now.tv_sec) * 1000;
    stage.get("/quick");
    clock -= 2000;
    stage.get("/slow");
  }
  CHECK(log.take() == "/slow\n");
}

TEST_CASE("access_log: the journal gets a message, and fields by its own names") {
  const std::string record = [] {
    const AccessLine line = AccessLine::record(
        "{method} {target}", std::vector<std::string>{"status", "cache", "header:x-two"}, {});
    std::string text;
    struct Writer final : Middleware {
      Writer(const AccessLine& compiled, std::string& into) : writer(compiled), text(into) {}
      [[nodiscard]] uint8_t hooks() const override { return kDone; }
      void on_done(http::Exchange& exchange) override {
        char room[AccessLine::kMostBytes + AccessLine::kBeyond];
        const AccessFacts facts{
            .exchange = exchange, .head = exchange.request.head(), .refused = nullptr, .ended_ns = 1};
        text.assign(room, writer.write(room, facts));
      }
      AccessLineWriter writer;
      std::string& text;
    };
    static const AccessLine* the_line;
    static std::string* the_text;
    the_line = &line;
    the_text = &text;
    const MiddlewareKind kind{
        "writer", Phase::Observe, "Writes.", {}, [](const BuildContext&) -> std::unique_ptr<Middleware> {
          return std::make_unique<Writer>(*the_line, *the_text);
        }};
    Stage stage(std::span(&kind, 1));
    stage.middleware("writer");
    stage.route("/{rest...}");
    stage.feed(kRequest);
    return text;
  }();
  CHECK(record == std::string("PRIORITY=6\nSYSLOG_IDENTIFIER=leat\nMESSAGE=GET /a/b?x=1&word=s3cret\n"
                              "LEAT_STATUS=200\nLEAT_HEADER_X_TWO=a, b\n") +
                      '\0');
}

TEST_CASE("access_log: what an option is wrong about, and what does not go together") {
  const auto said = [](Value::Table options) {
    std::string all;
    for (const Diagnostic& each : mistakes("access_log", std::move(options)))
      all += std::to_string(each.code) + " " + each.message + (each.hint.empty() ? "" : " | " + each.hint) +
             "\n";
    return all;
  };
  CHECK(said({entry("format", std::string("xml"))}) ==
        "213 `format` is \"json\", \"combined\", \"text\" or a text with {field} in it\n");
  CHECK(said({entry("format", std::string("{stats}"))})
            .contains("there is no field `stats`: did you mean `status`?"));
  CHECK(said({entry("format", std::string("{status"))}).contains("`format` has a `{` that stands alone"));
  CHECK(said({entry("format", std::string("{status}}"))}).contains("`format` has a `}` that stands alone"));
  CHECK(said({entry("format", std::string("{header:a b}"))}).contains("`header:a b` names no header field"));
  CHECK(said({entry("format", int64_t{1})}).starts_with("213 "));
  CHECK(said({texts("fields", {"status", "stauts"})}).contains("did you mean `status`?"));
  CHECK(said({texts("status", {"6"})}).contains("`6` is no status"));
  for (const char* bad : {"0xx", "4x", "500-400", "500-", "1000", "-404", "abc", "500-6000", ""})
    CHECK_FALSE(said({texts("status", {bad})}).empty());
  CHECK(said({entry("sample", 1.5)}).starts_with("213 "));
  CHECK(said({entry("to", std::string("file"))}) == "140 an access log in a file needs `file`\n");
  CHECK(
      said({entry("to", std::string("stderr")), entry("file", std::string("a"))}).starts_with("140 `file`"));
  CHECK(said({entry("rotate_size", std::string("1MiB"))}) ==
        "140 `rotate_size` is for an access log in a file\n");
  CHECK(said({entry("facility", std::string("local0"))})
            .starts_with("140 `facility` is for an access log to syslog"));
  CHECK(
      said({entry("format", std::string("combined")), texts("fields", {"ts"})}).starts_with("140 `fields`"));
  CHECK(said({entry("to", std::string("journald")), entry("format", std::string("json"))})
            .starts_with("140 the journal"));
  CHECK(said({entry("listner", true)}).contains("unknown option `listner`"));
  CHECK(said({entry("format", "{status}" + std::string(9000, 'x'))})
            .starts_with("140 what is the same in each line"));
  CHECK(said({texts("fields", std::vector<std::string>(40, "header:x-" + std::string(300, 'n')))})
            .starts_with("140 "));
  CHECK(said({texts("fields", std::vector<std::string>(65, "ts"))})
            .starts_with("140 a line has at most 64 fields"));
  CHECK(said({entry("to", std::string("syslog")), entry("socket", std::string("/tmp/a")),
              entry("format", std::string("combined"))})
            .empty());
}

TEST_CASE("access_log: into a file by the thread that writes, and it asks nothing of the heap") {
  const std::string path = "/tmp/leat-access-test-" + std::to_string(::getpid());
  std::remove(path.c_str());
  logging::Sinks sinks;
  sinks.start();
  constexpr size_t kRequests = 1000;
  {
    Stage stage(kinds(), {.logs = &sinks});
    stage.middleware("access_log", {entry("file", path), texts("fields", {"all"})});
    for (const char* kind : {"request_id", "trace_context", "security_headers"}) stage.middleware(kind);
    stage.route("/");
    const auto serve = [&] { stage.serve("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); };
    for (int i = 0; i < 100; ++i) serve();
    const size_t before = leat::test::allocations();
    for (size_t i = 100; i < kRequests; ++i) {
      serve();
      if (i % 100 == 0) ::usleep(1000);  // the buffer has room for some 600
    }
    const size_t after = leat::test::allocations();
    // The writer's thread asks for a few bytes a write.
    CHECK(after - before < 200);
  }
  sinks.stop();
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::vector<std::string> all = lines(text);
  CHECK(all.size() + sinks.counts().dropped == kRequests);
  CHECK(all.size() > 500);
  for (const std::string& line : all) CHECK(json::is_json_value(line));
  std::remove(path.c_str());
}

}  // namespace leat::middleware

// The middleware that comes with the daemon, each behind a real session.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <set>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "json/valid.h"
#include "middleware/kinds.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using pipeline::test::entry;
using pipeline::test::LogText;
using pipeline::test::ScriptHandler;
using pipeline::test::Stage;
using pipeline::test::status_of;
using pipeline::test::table;

const MiddlewareKind& kind_named(std::string_view name) {
  const auto found = std::ranges::find(kinds(), name, &MiddlewareKind::name);
  REQUIRE(found != kinds().end());
  return *found;
}

// The value of a field of the answer; "(none)" if there is none.
std::string field(std::string_view answer, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const size_t at = answer.find(start);
  if (at == std::string_view::npos) return "(none)";
  const size_t from = at + start.size();
  return std::string(answer.substr(from, answer.find("\r\n", from) - from));
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    all.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return all;
}

// A member of a flat JSON object, as it stands.
std::string member(std::string_view object, std::string_view name) {
  const std::string start = "\"" + std::string(name) + "\":";
  const size_t at = object.find(start);
  if (at == std::string_view::npos) return "(none)";
  const size_t from = at + start.size();
  const size_t end = object[from] == '"' ? object.find('"', from + 1) + 1 : object.find_first_of(",}", from);
  return std::string(object.substr(from, end - from));
}

Diagnostics mistakes(std::string_view name, Value::Table options) {
  Diagnostics diagnostics;
  const Value value = table(std::move(options));
  const MiddlewareKind& kind = kind_named(name);
  (void)kind.create({.kind = kind,
                     .options = value,
                     .place = value.place,
                     .name = {},
                     .diagnostics = diagnostics,
                     .surroundings = {}});
  return diagnostics;
}

}  // namespace

TEST_CASE("access_log: a request is one JSON object with what is known of it") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
  stage.middleware("request_id");
  stage.route("/users/{id}");
  const std::string answer =
      stage.get("/users/7?x=1", "Authorization: Basic c2VjcmV0\r\nCookie: session=secret\r\n");
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  const std::string& line = all[0];
  CHECK(json::is_json_value(line));
  CHECK(member(line, "ts").size() == std::string_view("\"2026-11-23T12:00:00.000Z\"").size());
  CHECK(member(line, "request_id") == "\"" + field(answer, "X-Request-Id") + "\"");
  CHECK(member(line, "peer") == "\"192.0.2.1\"");
  CHECK(member(line, "method") == "\"GET\"");
  CHECK(member(line, "target") == "\"/users/7?x=1\"");
  CHECK(member(line, "route") == "\"GET /users/{id}\"");
  CHECK(member(line, "status") == "200");
  CHECK(member(line, "bytes") == "5");
  CHECK(member(line, "duration_us") != "(none)");
  CHECK_FALSE(line.contains("ecret"));
  CHECK_FALSE(line.contains("c2Vj"));
}

TEST_CASE("access_log: what no route or nobody answers is logged too") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
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
  CHECK(member(all[1], "status") == "499");
  CHECK(member(all[1], "bytes") == "0");
}

// Logs what becomes of an answer in pieces that `what` happens to, once for programs and once for people.
template <class What>
std::vector<std::string> logged_of_pieces(What what) {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
  stage.middleware("access_log", {entry("format", std::string("text"))});
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
  what(stage);
  CHECK(stage.session().cut());
  return lines(log.take());
}

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
    std::vector<std::string> all = logged_of_pieces(each.what);
    std::ranges::sort(all);  // the text begins with a digit
    REQUIRE(all.size() == 2);
    CHECK(all[0].contains(" " + each.status + " 5 "));
    CHECK(all[0].ends_with(" cut: " + each.reason));
    CHECK(json::is_json_value(all[1]));
    CHECK(member(all[1], "status") == each.status);
    CHECK(member(all[1], "bytes") == "5");
    CHECK(member(all[1], "cut") == "\"" + each.reason + "\"");
  }
}

TEST_CASE("access_log: a request that HTTP refuses is logged with what is known") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
  CHECK(status_of(stage.feed("nonsense\r\n\r\n")) == 400);
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  CHECK(json::is_json_value(all[0]));
  CHECK(member(all[0], "status") == "400");
  CHECK(member(all[0], "target") == "\"\"");
}

TEST_CASE("access_log: whatever a client sends stays one line and one object") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log");
  stage.middleware("request_id", {entry("trust", true)});
  const std::string id(128, '"');  // longest of all it could be: a request's id, its target and its route
  stage.route("/" + std::string(900, '"') + "/{rest...}").on_handle = [&](http::Exchange& exchange) {
    exchange.request.set_id(id);
    exchange.send("");
    return Verdict::Done;
  };
  stage.get("/\"},{\"x\":\"\\", "X-Request-Id: \",\"\r\n");
  stage.get("/" + std::string(5000, '"'));
  stage.get("/" + std::string(900, '"') + "/" + std::string(1000, '"'));
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 3);
  for (const std::string& line : all) CHECK(json::is_json_value(line));
  CHECK_FALSE(all[0].contains(R"({"x")"));
}

TEST_CASE("access_log: a line of text has the same for people") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("access_log", {entry("format", std::string("text"))});
  stage.route("/");
  stage.get("/");
  const std::vector<std::string> all = lines(log.take());
  REQUIRE(all.size() == 1);
  CHECK(all[0].contains("Z 192.0.2.1 \"GET /\" 200 5 "));
  CHECK(all[0].ends_with("us -"));
}

TEST_CASE("access_log: by which address a request came is told where that is asked for") {
  for (const bool asked : {false, true}) {
    LogText log;
    Stage stage(kinds());
    stage.middleware("access_log", {entry("listener", asked)});
    stage.route("/");
    stage.get("/");
    const std::vector<std::string> all = lines(log.take());
    REQUIRE(all.size() == 1);
    CHECK(json::is_json_value(all[0]));
    CHECK(all[0].contains("\"listener\":\"\"") == asked);  // a session alone has none
  }
}

TEST_CASE("access_log: the format is one of two") {
  const Diagnostics diagnostics =
      mistakes("access_log", {entry("format", std::string("xml")), entry("fromat", true)});
  REQUIRE(diagnostics.size() == 2);
  CHECK(diagnostics[0].code == kBadOption);
  CHECK(diagnostics[0].message == "`format` is \"json\" or \"text\"");
  CHECK(diagnostics[1].message == "unknown option `fromat`");
  CHECK(diagnostics[1].hint.contains("`format`"));
  CHECK(mistakes("access_log", {entry("format", std::string(""))}).size() == 1);
  CHECK(mistakes("access_log", {entry("format", int64_t{1})}).size() == 1);
}

TEST_CASE("request_id: every request has its own, in the answer and in errors") {
  Stage stage(kinds());
  stage.middleware("request_id");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.request.id());
    return Verdict::Done;
  };
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string answer = stage.get("/", "X-Request-Id: mine\r\n");
    const std::string id = field(answer, "X-Request-Id");
    REQUIRE(id.size() == 32);
    REQUIRE(id.find_first_not_of("0123456789abcdef") == std::string::npos);
    REQUIRE(answer.ends_with("\r\n\r\n" + id));
    REQUIRE(seen.insert(id).second);
  }
  const std::string missing = stage.get("/nowhere");
  CHECK(missing.contains("\"request_id\":\"" + field(missing, "X-Request-Id") + "\""));
}

TEST_CASE("request_id: a client's own is taken only where it is trusted and well made") {
  Stage stage(kinds());
  stage.middleware("request_id", {entry("trust", true)});
  stage.route("/");
  const auto given = [&](const std::string& id) {
    return field(stage.get("/", "X-Request-Id: " + id + "\r\n"), "X-Request-Id");
  };
  CHECK(given("abc-123") == "abc-123");
  CHECK(given(std::string(128, 'x')) == std::string(128, 'x'));
  for (const std::string& id : {std::string(129, 'x'), std::string("a b"), std::string("\"quoted\""),
                                std::string("a/b"), std::string("")}) {
    INFO(id);
    CHECK(given(id) != id);
    CHECK(given(id).size() == 32);
  }
  CHECK(field(stage.get("/"), "X-Request-Id").size() == 32);
}

TEST_CASE("request_id: an option of the wrong type is an error") {
  CHECK(mistakes("request_id", {entry("trust", std::string("yes"))}).size() == 1);
  CHECK(mistakes("request_id", {entry("trust", true)}).empty());
}

TEST_CASE("security_headers: the defaults are there, also on errors") {
  Stage stage(kinds());
  stage.middleware("security_headers");
  stage.route("/");
  for (const char* target : {"/", "/nowhere", "/%zz"}) {
    INFO(target);
    const std::string answer = stage.get(target);
    CHECK(field(answer, "X-Content-Type-Options") == "nosniff");
    CHECK(field(answer, "Referrer-Policy") == "strict-origin-when-cross-origin");
    CHECK(field(answer, "X-Frame-Options") == "DENY");
    CHECK(field(answer, "Content-Security-Policy") == "(none)");
    CHECK(field(answer, "Strict-Transport-Security") == "(none)");
  }
}

TEST_CASE("security_headers: options replace, add and leave out; a handler's own field stays") {
  Stage stage(kinds());
  stage.middleware("security_headers", {entry("frame_options", std::string("")),
                                        entry("content_security_policy", std::string("default-src 'self'")),
                                        entry("strict_transport_security", std::string("max-age=60"))});
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    (void)exchange.response.add("referrer-policy", "no-referrer");
    exchange.send("");
    return Verdict::Done;
  };
  const std::string answer = stage.get("/");
  CHECK(field(answer, "X-Frame-Options") == "(none)");
  CHECK(field(answer, "Content-Security-Policy") == "default-src 'self'");
  CHECK(field(answer, "Strict-Transport-Security") == "max-age=60");
  CHECK(field(answer, "referrer-policy") == "no-referrer");
  CHECK(field(answer, "Referrer-Policy") == "(none)");
}

TEST_CASE("security_headers: a value that would be two fields is an error") {
  CHECK(mistakes("security_headers", {entry("frame_options", std::string("DENY\r\nX: y"))}).size() == 1);
  CHECK(mistakes("security_headers", {entry("frame_options", true)}).size() == 1);
}

TEST_CASE("middleware kinds: each has a name, a sentence, and options with theirs; defaults are accepted") {
  std::set<std::string_view> names;
  for (const MiddlewareKind& kind : kinds()) {
    INFO(kind.name);
    CHECK(names.insert(kind.name).second);
    CHECK(kind.sentence.ends_with('.'));
    Value::Table options;
    for (const schema::Row& option : kind.options) {
      CHECK(option.sentence.ends_with('.'));
      const std::string text = schema::default_text(option);
      if (option.type == schema::Type::Boolean)
        options.push_back(entry(std::string(option.name), text == "true"));
      else
        options.push_back(entry(std::string(option.name), text.substr(1, text.size() - 2)));
    }
    CHECK(mistakes(kind.name, {}).empty());
    CHECK(mistakes(kind.name, std::move(options)).empty());
  }
}

TEST_CASE("middleware kinds: requests through all of them ask nothing of the heap") {
  Stage stage(kinds());
  for (const MiddlewareKind& kind : kinds())
    if (kind.name != "access_log") stage.middleware(std::string(kind.name));
  stage.route("/");
  http1::Session& session = stage.session();
  const auto serve = [&] {
    session.feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    std::string_view parts[8];
    const size_t count = session.output().gather(parts);
    size_t size = 0;
    for (size_t i = 0; i < count; ++i) size += parts[i].size();
    session.sent(size);
    pipeline::test::calls.clear();
  };
  for (int i = 0; i < 100; ++i) serve();
  const size_t before = leat::test::allocations();
  for (int i = 0; i < 1000; ++i) serve();
  CHECK(leat::test::allocations() - before == 0);
}

}  // namespace leat::middleware

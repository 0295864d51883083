// The middleware that comes with the daemon, each behind a real session.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <set>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "middleware/kinds.h"
#include "middleware/request_id.h"
#include "middleware/support.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

}  // namespace

TEST_CASE("request_id: every request has its own, in the answer and in errors") {
  Stage stage(kinds());
  stage.middleware("request_id");
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    exchange.send(exchange.request.id());
    return Verdict::Done;
  };
  std::set<std::string> seen;
  std::string last;
  for (int i = 0; i < 10'000; ++i) {
    const std::string answer = stage.get("/", "X-Request-Id: mine\r\n");
    const std::string id = field(answer, "X-Request-Id");
    REQUIRE(is_uuid7(id));
    REQUIRE(id > last);  // in order
    last = id;
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
    CHECK(is_uuid7(given(id)));
  }
  CHECK(is_uuid7(field(stage.get("/"), "X-Request-Id")));
}

TEST_CASE(
    "request_id: names tell the time, go on where the clock is set back a little, and follow it otherwise") {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto before =
      static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  Stage stage(kinds());
  stage.middleware("request_id");
  stage.route("/");
  const std::string id = field(stage.get("/"), "X-Request-Id");
  ::clock_gettime(CLOCK_REALTIME, &now);
  const auto after =
      static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
  const uint64_t told = std::stoull(id.substr(0, 8) + id.substr(9, 4), nullptr, 16);
  CHECK(told >= before);
  CHECK(told <= after);
  CHECK(next_uuid_ms(0, 5) == 5);
  CHECK(next_uuid_ms(100'000, 100'001) == 100'001);
  CHECK(next_uuid_ms(100'000, 100'000) == 100'000);
  CHECK(next_uuid_ms(100'000, 90'000) == 100'000);
  CHECK(next_uuid_ms(100'000, 89'999) == 89'999);
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

TEST_CASE("security_headers: an answer that has no room for them is a 500 that has, and the log says so") {
  LogText log;
  // Fields of the handler, and how many of them are ours.
  const auto [many, same] =
      GENERATE(Catch::Generators::table<size_t, size_t>({{60, 0}, {61, 0}, {62, 0}, {64, 0}, {64, 3}}));
  const int way = GENERATE(0, 1, 2);
  INFO(many << " fields, way " << way);
  Stage stage(kinds());
  stage.middleware("security_headers");
  stage.middleware("request_id");
  const std::string large(100'000, 'x');
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    http::Response& response = exchange.response;
    const char* const names[] = {"X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options"};
    for (size_t i = 0; i < same; ++i) CHECK(response.add(names[i], "own"));
    for (size_t i = same; i < many; ++i) CHECK(response.add("X-Many", "1"));
    CHECK(response.add("Content-Type", "text/css"));
    if (way == 0) exchange.send("hello");
    if (way == 1) exchange.send_pinned(large, {});
    if (way == 2) {
      CHECK(exchange.begin(std::nullopt));
      exchange.write("hello");
      exchange.end();
    }
    return Verdict::Done;
  };
  const std::string answer = stage.get("/");
  const bool fits = many + 3 - same <= http::Response::kMostFields;
  CHECK(answer.starts_with(fits ? "HTTP/1.1 200" : "HTTP/1.1 500"));
  CHECK(answer.contains("X-Many") == fits);
  CHECK(field(answer, "X-Content-Type-Options") == (same != 0 ? "own" : "nosniff"));
  CHECK(field(answer, "Referrer-Policy") == (same != 0 ? "own" : "strict-origin-when-cross-origin"));
  CHECK(field(answer, "X-Frame-Options") == (same != 0 ? "own" : "DENY"));
  CHECK(field(answer, "Content-Type") == (fits ? "text/css" : "application/problem+json"));
  const std::string said = log.take();
  CHECK(said.contains("security_headers needs 3 fields of an answer that has") == !fits);
  if (!fits) CHECK(said.contains("on GET / " + field(answer, "X-Request-Id")));
}

TEST_CASE("security_headers: they are on the 500 that takes the place of a head that is too large") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("security_headers");
  stage.middleware("request_id");
  const std::string large(16'300, 'x');
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    CHECK(exchange.response.add("X-Large", large));
    exchange.send("hello");
    return Verdict::Done;
  };
  const std::string answer = stage.get("/");
  CHECK(answer.starts_with("HTTP/1.1 500"));
  CHECK(field(answer, "X-Content-Type-Options") == "nosniff");
  CHECK(field(answer, "X-Frame-Options") == "DENY");
  CHECK(is_uuid7(field(answer, "X-Request-Id")));
  CHECK_FALSE(answer.contains("X-Large"));
}

TEST_CASE("security_headers: values that leave no answer room are an error") {
  const Diagnostics found =
      mistakes("security_headers", {entry("content_security_policy", std::string(8200, 'x'))});
  REQUIRE(found.size() == 1);
  CHECK(found[0].message.contains("8192 is the most"));
}

TEST_CASE("middleware kinds: each has a name, a sentence, and options with theirs; defaults are accepted") {
  std::set<std::string_view> names;
  for (const MiddlewareKind& kind : kinds()) {
    INFO(kind.name);
    CHECK(names.insert(kind.name).second);
    CHECK(kind.sentence.ends_with('.'));
    Value::Table options = needed_options(kind);
    for (const schema::Row& option : kind.options) {
      CHECK(option.sentence.ends_with('.'));
      const schema::Content content = schema::default_of(option);
      const std::string name(option.name);
      const auto* const number = std::get_if<int64_t>(&content);
      if (option.type == schema::Type::Boolean)
        options.push_back(entry(name, *number != 0));
      else if (option.type == schema::Type::Choice && number != nullptr)
        options.push_back(
            entry(name, std::string(schema::words(option.choices)[static_cast<size_t>(*number)])));
      else if (option.type == schema::Type::Duration && number != nullptr)
        options.push_back(entry(name, std::to_string(*number) + "ms"));
      else if (number != nullptr && *number == 0 && !option.zero.empty())
        options.push_back(entry(name, std::string(option.zero)));
      else if (number != nullptr)
        options.push_back(entry(name, *number));
      else if (const auto* text = std::get_if<std::string>(&content))
        options.push_back(entry(name, *text));
    }
    CHECK(mistakes(kind.name, needed_options(kind)).empty());
    CHECK(mistakes(kind.name, std::move(options)).empty());
  }
}

TEST_CASE("middleware kinds: requests through all of them ask nothing of the heap") {
  Stage stage(kinds());
  for (const MiddlewareKind& kind : kinds())
    // Those that look for something else in Authorization have tests of their own; lines of logs, and questions to others, are
    // somebody else's memory.
    if (kind.name != "access_log" && kind.name != "basic_auth" && kind.name != "jwt" &&
        kind.name != "forward_auth")
      stage.middleware(std::string(kind.name), needed_options(kind));
  stage.route("/");
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(kOneKeyField) + "\r\n";
  CHECK(leat::test::allocations_of(1000, [&] { stage.serve(request); }) == 0);
}

}  // namespace leat::middleware

// cors: the Fetch standard's questions and what is answered to them, behind a real session.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "middleware/cors.h"
#include "middleware/kinds.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

const std::string kGood = "https://app.example";

std::string origin(std::string_view text) { return "Origin: " + std::string(text) + "\r\n"; }
std::string preflight(std::string_view from, std::string_view method, std::string_view more = "",
                      std::string_view target = "/") {
  return "OPTIONS " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + origin(from) +
         "Access-Control-Request-Method: " + std::string(method) + "\r\n" + std::string(more) + "\r\n";
}
std::string asks(std::string_view headers) {
  return "Access-Control-Request-Headers: " + std::string(headers) + "\r\n";
}
bool was_handled() { return std::ranges::contains(calls, "handle"); }
size_t count(std::string_view text, std::string_view part) {
  size_t found = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

// What a page of that origin is let read by what the answer says, as the standard's "CORS check" decides.
bool may_read(const std::string& answer, std::string_view from, bool credentials) {
  const std::string allowed = field(answer, "Access-Control-Allow-Origin");
  if (count(answer, "Access-Control-Allow-Origin:") != 1) return false;
  if (!credentials && allowed == "*") return true;
  if (allowed != from) return false;
  return !credentials || field(answer, "Access-Control-Allow-Credentials") == "true";
}

}  // namespace

TEST_CASE("cors: which origins are let in, by the standard's check") {
  struct Case {
    std::vector<std::string> origins;
    std::string from;
    bool let_in;
  };
  const std::vector<std::string> below = {"https://*.example.com", "http://*.dev.example:8080"};
  const Case cases[] = {
      {{"*"}, "https://anybody.example", true},
      {{"*"}, "null", true},
      {{kGood}, kGood, true},
      {{kGood}, "http://app.example", false},
      {{kGood}, "https://app.example:8443", false},
      {{kGood}, "https://app.example.evil.example", false},
      {{kGood}, "https://evil.example", false},
      {{kGood}, "https://app.exampl", false},
      {{kGood}, "https://APP.example", false},
      {{kGood}, "null", false},
      {{kGood}, kGood + ", " + kGood, false},
      {{kGood}, kGood + "/", false},
      {{kGood}, "", false},
      {{kGood, "null"}, "null", true},
      {{kGood, "null"}, "Null", false},
      {{"http://b.example", kGood, "http://a.example"}, "http://a.example", true},
      {{"http://b.example", kGood, "http://a.example"}, "http://c.example", false},
      {{"http://[::1]:3000"}, "http://[::1]:3000", true},
      {{"chrome-extension://abcdef"}, "chrome-extension://abcdef", true},
      {below, "https://a.example.com", true},
      {below, "https://a.b-c.example.com", true},
      {below, "http://x.dev.example:8080", true},
      {below, "https://example.com", false},
      {below, "https://.example.com", false},
      {below, "https://a..example.com", false},
      {below, "https://evilexample.com", false},
      {below, "http://a.example.com", false},
      {below, "https://a.example.com:444", false},
      {below, "http://x.dev.example", false},
      {below, "https://evil.example/.example.com", false},
      {below, "https://evil.example:1.example.com", false},
      {below, "https://user@x.example.com", false},
      {below, "https://evil.example#.example.com", false},
      {below, "https://A.example.com", false},
      {below, "null", false},
  };
  for (const Case& each : cases) {
    INFO(each.from << " of " << each.origins[0]);
    Stage stage(kinds());
    stage.middleware("cors", {texts("origins", each.origins)});
    stage.route("/");
    const std::string answer = stage.get("/", origin(each.from));
    // Whoever asks is answered: it is the browser that keeps it from the page.
    CHECK(status_of(answer) == 200);
    CHECK(answer.ends_with("hello"));
    CHECK(may_read(answer, each.from, false) == each.let_in);
    CHECK_FALSE(may_read(answer, each.from, true));
    CHECK(field(answer, "Vary") == (each.origins[0] == "*" ? "(none)" : "Origin"));
    calls.clear();
    const std::string asked = stage.feed(preflight(each.from, "GET"));
    CHECK(status_of(asked) == (each.let_in ? 204 : 403));
    CHECK(may_read(asked, each.from, false) == each.let_in);
    CHECK_FALSE(was_handled());
  }
}

TEST_CASE("cors: what a preflight is told") {
  struct Case {
    std::string_view what;
    Value::Table options;
    std::string method, more;
    int status;
    std::string methods, headers, age, vary;
  };
  const std::vector<std::string> any = {"*"};
  const Case cases[] = {
      {"defaults", {}, "POST", "", 204, "GET, HEAD, POST", "(none)", "600", "Origin"},
      {"one that is not in the list gets the list",
       {},
       "DELETE",
       "",
       204,
       "GET, HEAD, POST",
       "(none)",
       "600",
       "Origin"},
      {"lists",
       {texts("methods", std::vector<std::string>{"PUT", "DELETE"}),
        texts("headers", std::vector<std::string>{"Content-Type", "Authorization"}),
        entry("max_age", std::string("90s"))},
       "PUT",
       asks("content-type"),
       204,
       "PUT, DELETE",
       "Content-Type, Authorization",
       "90",
       "Origin"},
      {"mirrored",
       {texts("methods", any), texts("headers", any), entry("max_age", std::string("0s"))},
       "PATCH",
       asks("authorization,x-one, x-two"),
       204,
       "PATCH",
       "authorization,x-one, x-two",
       "0",
       "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"},
      {"mirrored, and nothing asked for",
       {texts("headers", any)},
       "GET",
       "",
       204,
       "GET, HEAD, POST",
       "(none)",
       "600",
       "Origin, Access-Control-Request-Headers"},
      {"no list of methods",
       {texts("methods", std::vector<std::string>{})},
       "GET",
       "",
       204,
       "(none)",
       "(none)",
       "600",
       "Origin"},
      {"what is no method",
       {texts("methods", any)},
       "A B",
       "",
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Method"},
      {"an empty one",
       {texts("methods", any)},
       "",
       "",
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Method"},
      {"what is no list of names",
       {texts("headers", any)},
       "GET",
       asks("a b"),
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Headers"},
      {"a list with a hole",
       {texts("headers", any)},
       "GET",
       asks("a,,b"),
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Headers"},
      {"one that ends with a comma",
       {texts("headers", any)},
       "GET",
       asks("a,"),
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Headers"},
      {"too long a list",
       {texts("headers", any), entry("mirrored", std::string("64B"))},
       "GET",
       asks(std::string(65, 'x')),
       403,
       "(none)",
       "(none)",
       "(none)",
       "Origin, Access-Control-Request-Headers"},
      {"one that just fits",
       {texts("headers", any), entry("mirrored", std::string("64B"))},
       "GET",
       asks(std::string(64, 'x')),
       204,
       "GET, HEAD, POST",
       std::string(64, 'x'),
       "600",
       "Origin, Access-Control-Request-Headers"},
  };
  for (const Case& each : cases) {
    INFO(each.what);
    Stage stage(kinds());
    Value::Table options = each.options;
    options.push_back(texts("origins", std::vector<std::string>{kGood}));
    stage.middleware("cors", std::move(options));
    stage.route("/");
    const std::string answer = stage.feed(preflight(kGood, each.method, each.more));
    CHECK(status_of(answer) == each.status);
    CHECK(field(answer, "Access-Control-Allow-Methods") == each.methods);
    CHECK(field(answer, "Access-Control-Allow-Headers") == each.headers);
    CHECK(field(answer, "Access-Control-Max-Age") == each.age);
    CHECK(field(answer, "Vary") == each.vary);
    CHECK(count(answer, "Vary:") == 1);
    // A page learns why it is refused.
    CHECK(may_read(answer, kGood, false));
    CHECK(field(answer, "Access-Control-Allow-Private-Network") == "(none)");
    CHECK(field(answer, "Access-Control-Expose-Headers") == "(none)");
    CHECK_FALSE(was_handled());
  }
}

TEST_CASE("cors: with credentials the origin itself is named, and nothing is exposed by a star") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood, "https://*.example.com"}),
                            entry("credentials", true),
                            texts("expose", std::vector<std::string>{"X-Request-Id", "ETag"})});
  stage.route("/");
  for (const std::string& from : {kGood, std::string("https://a.example.com")}) {
    INFO(from);
    for (const std::string& answer : {stage.get("/", origin(from)), stage.feed(preflight(from, "GET"))}) {
      CHECK(may_read(answer, from, true));
      CHECK(field(answer, "Vary") == "Origin");
    }
    CHECK(field(stage.get("/", origin(from)), "Access-Control-Expose-Headers") == "X-Request-Id, ETag");
  }
  const std::string other = stage.get("/", origin("https://evil.example"));
  CHECK(field(other, "Access-Control-Allow-Origin") == "(none)");
  CHECK(field(other, "Access-Control-Allow-Credentials") == "(none)");
  CHECK(field(other, "Access-Control-Expose-Headers") == "(none)");
  CHECK(field(other, "Vary") == "Origin");
}

TEST_CASE("cors: what is said to all is said to who sends no origin, too") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{"*"}),
                            texts("expose", std::vector<std::string>{"*"})});
  stage.route("/");
  const std::string answer = stage.get("/");
  CHECK(field(answer, "Access-Control-Allow-Origin") == "*");
  CHECK(field(answer, "Access-Control-Expose-Headers") == "*");
  CHECK(field(answer, "Vary") == "(none)");
  // Errors are answers as well.
  CHECK(field(stage.get("/nowhere"), "Access-Control-Allow-Origin") == "*");
}

TEST_CASE("cors: private networks are opened only where that is said") {
  const std::string asked = "Access-Control-Request-Private-Network: true\r\n";
  for (const bool open : {false, true}) {
    Stage stage(kinds());
    stage.middleware("cors",
                     {texts("origins", std::vector<std::string>{kGood}), entry("private_network", open)});
    stage.route("/");
    CHECK(field(stage.feed(preflight(kGood, "GET", asked)), "Access-Control-Allow-Private-Network") ==
          (open ? "true" : "(none)"));
    CHECK(field(stage.feed(preflight(kGood, "GET", "Access-Control-Request-Private-Network: yes\r\n")),
                "Access-Control-Allow-Private-Network") == "(none)");
    CHECK(field(stage.feed(preflight(kGood, "GET")), "Access-Control-Allow-Private-Network") == "(none)");
    CHECK(field(stage.feed(preflight("https://evil.example", "GET", asked)),
                "Access-Control-Allow-Private-Network") == "(none)");
  }
}

TEST_CASE("cors: what a handler says of origins is taken away, and its Vary goes on") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood})});
  std::string vary = "Accept";
  stage.route("/").on_handle = [&](http::Exchange& exchange) {
    http::Response& response = exchange.response;
    CHECK(response.add("access-control-allow-origin", "*"));
    CHECK(response.add("Access-Control-Allow-Credentials", "true"));
    CHECK(response.add("Access-Control-Expose-Headers", "*"));
    if (!vary.empty()) CHECK(response.add("Vary", vary));
    exchange.send("hello");
    return Verdict::Done;
  };
  for (const std::string& from : {kGood, std::string("https://evil.example")}) {
    INFO(from);
    const std::string answer = stage.get("/", origin(from));
    CHECK(may_read(answer, from, false) == (from == kGood));
    CHECK_FALSE(answer.contains("access-control-allow-origin"));
    CHECK_FALSE(answer.contains("Credentials"));
    CHECK_FALSE(answer.contains("Expose"));
    CHECK(answer.contains("\r\nVary: Accept\r\n"));
    CHECK(answer.contains("\r\nVary: Origin\r\n"));
  }
  for (const char* enough : {"origin", "Accept , ORIGIN", "*"}) {
    vary = enough;
    INFO(vary);
    CHECK(count(stage.get("/", origin(kGood)), "Vary:") == 1);
  }
  for (const char* other : {"Origin-Trial", "X-Origin", ","}) {
    vary = other;
    INFO(vary);
    CHECK(stage.get("/", origin(kGood)).contains("\r\nVary: Origin\r\n"));
  }
}

TEST_CASE("cors: two origins, or a field more, are no origin") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood})});
  stage.route("/");
  CHECK_FALSE(may_read(stage.get("/", origin(kGood) + origin(kGood)), kGood, false));
  CHECK(status_of(stage.feed(preflight(kGood, "GET", origin("https://evil.example")))) == 403);
}

TEST_CASE("cors: an OPTIONS that is no preflight comes to its handler") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood})});
  stage.route("/", {"GET", "OPTIONS"});
  const std::string head = "OPTIONS / HTTP/1.1\r\nHost: a\r\n";
  const std::string plain = stage.feed(head + origin(kGood) + "\r\n");
  CHECK(plain.ends_with("hello"));
  CHECK(may_read(plain, kGood, false));
  CHECK(stage.feed(head + "Access-Control-Request-Method: GET\r\n\r\n").ends_with("hello"));
  calls.clear();
  CHECK(status_of(stage.feed(preflight(kGood, "GET"))) == 204);
  CHECK_FALSE(was_handled());
}

TEST_CASE("cors: a preflight with a body is answered, and the next request read behind it") {
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood})});
  stage.route("/");
  std::string request = preflight(kGood, "GET", "Content-Length: 4\r\n") + "body";
  const std::string answer = stage.feed(request + "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(status_of(answer) == 204);
  CHECK(answer.ends_with("hello"));
}

TEST_CASE("cors: an answer that has no room for its fields is a 500 that has them") {
  LogText log;
  Stage stage(kinds());
  stage.middleware("cors", {texts("origins", std::vector<std::string>{kGood})});
  stage.route("/").on_handle = [](http::Exchange& exchange) {
    while (exchange.response.add("X-Many", "1")) {
    }
    exchange.send("hello");
    return Verdict::Done;
  };
  const std::string answer = stage.get("/", origin(kGood));
  CHECK(status_of(answer) == 500);
  CHECK(may_read(answer, kGood, false));
  CHECK(field(answer, "Vary") == "Origin");
  CHECK_FALSE(answer.contains("X-Many"));
  CHECK(log.take().contains("cors needs 4 fields of an answer that has 64 of 64 already"));
}

TEST_CASE("cors: options that are wrong, or do not go together") {
  using List = std::vector<std::string>;
  const auto one = [](Value::Table options) {
    const Diagnostics found = mistakes("cors", std::move(options));
    REQUIRE(found.size() == 1);
    return found[0].message;
  };
  CHECK(one({}).contains("origins"));
  CHECK(one({texts("origins", List{})}).contains("nobody"));
  CHECK(one({texts("origins", List{"*", kGood})}).contains("stands alone"));
  CHECK(one({texts("origins", List{kGood}), texts("methods", List{"*", "GET"})}).contains("stands alone"));
  CHECK(one({texts("origins", List{"*"}), entry("credentials", true)}).contains("`*` do not go together"));
  CHECK(one({texts("origins", List{"null"}), entry("credentials", true)})
            .contains("`null` do not go together"));
  CHECK(one({texts("origins", List{kGood}), entry("credentials", true), texts("expose", List{"*"})})
            .contains("name of a field"));
  CHECK(one({texts("origins", List{kGood}), texts("headers", List{"Bad Name"})})
            .contains("names no header field"));
  CHECK(one({texts("origins", List{kGood}), texts("expose", List{"X\r\nY: z"})})
            .contains("names no header field"));
  CHECK(one({texts("origins", List{kGood}), texts("methods", List{"delete"})})
            .contains("`delete` is not `DELETE`"));
  CHECK(one({texts("origins", List{kGood}), texts("methods", List{"TRACE"})}).contains("no page can use"));
  CHECK(one({texts("origins", List{kGood}), texts("headers", List(200, std::string(30, 'x')))})
            .contains("4096"));
}

TEST_CASE("cors: what is an origin as browsers write it, and what is said of others") {
  for (const char* good : {"*", "null", "https://a.example", "http://localhost", "http://localhost:3000",
                           "https://a.example:8443", "http://192.0.2.1", "http://[2001:db8::1]:81",
                           "https://*.a.example", "http://*.localhost:3000", "https://xn--mnchen-3ya.example",
                           "capacitor://localhost", "http://a.example:443"})
    CHECK(check_cors_origin("", good).empty());
  const std::pair<const char*, const char*> bad[] = {
      {"", "scheme"},
      {"a.example", "scheme"},
      {"//a.example", "scheme"},
      {"://a.example", "scheme"},
      {"https://a.example/", "`https://a.example`"},
      {"https://a.example/path", "`https://a.example`"},
      {"https://a.example?q", "`https://a.example`"},
      {"https://A.example", "`https://a.example`"},
      {"HTTPS://a.example", "`https://a.example`"},
      {"https://a.example:443", "`https://a.example`"},
      {"http://a.example:80", "`http://a.example`"},
      {"https://a.example:", "port"},
      {"https://a.example:0", "port"},
      {"https://a.example:0443", "port"},
      {"https://a.example:65536", "port"},
      {"https://user@a.example", "user"},
      {"https://m\xc3\xbcnchen.example", "xn--"},
      {"https://a.example https://b.example", "spaces"},
      {"https://a.example\r\nX: y", "spaces"},
      {"https://", "host"},
      {"https://.a.example", "host"},
      {"https://a..example", "host"},
      {"https://[::1", "malformed"},
      {"https://[zz]", "malformed"},
      {"https://*", "`*`"},
      {"https://*.com", "nobody's own"},
      {"https://*a.example", "`*`"},
      {"https://a.*.example", "`*`"},
      {"https://*.*.example.com", "`*`"},
      {"*.example.com", "scheme"},
      {"ht!tp://a.example", "scheme"},
  };
  for (const auto& [text, said] : bad) {
    INFO(text);
    CHECK(check_cors_origin("", text).contains(said));
  }
}

}  // namespace leat::middleware

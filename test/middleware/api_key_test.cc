// Whose key opens what, behind a real session; and that nobody else sees it.
#include "middleware/api_key.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "crypto/digest.h"
#include "json/allocations.h"
#include "middleware/api_keys.h"
#include "middleware/support.h"
#include "pipeline/codes.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

std::string line_of(const std::string& name, const std::string& key) {
  return name + " sha256:" + crypto::hex(crypto::sha256({key}).value());
}

Value::Entry keys() {
  return texts("keys", {line_of("alice", "key-of-alice"), line_of("alice", "new-key-of-alice"),
                        line_of("bob", "key of bob")});
}

// Says whose request it is, and what is left of it.
ScriptHandler& shows(Stage& stage) {
  ScriptHandler& handler = stage.route("/");
  handler.on_handle = [](http::Exchange& exchange) {
    const http::Request& request = exchange.request;
    std::string text = "user=" + std::string(request.user()) + " target=" + std::string(request.target()) +
                       " path=" + std::string(request.path()) + " query=" + std::string(request.query());
    for (const http::HeaderSlot& slot : request.head().headers())
      text += "|" + std::string(request.head().view(slot.name)) + "=" +
              std::string(request.head().view(slot.value));
    exchange.send(exchange.arena().copy(text));
    return Verdict::Done;
  };
  return handler;
}

// What files hold, for the surroundings that read none.
std::string file_text;
std::expected<std::string, std::string> read_text(const std::string& path) {
  if (path == "/keys") return file_text;
  return std::unexpected("cannot read `" + path + "`");
}

}  // namespace

TEST_CASE("api_key: a known key lets in and says who asks; without one it is 401 and says what is needed") {
  Stage stage(kinds());
  stage.middleware("api_key", {keys()});
  shows(stage);
  CHECK(body_of(stage.get("/", "X-Api-Key: key-of-alice\r\n")).starts_with("user=alice "));
  CHECK(body_of(stage.get("/", "x-api-KEY: new-key-of-alice\r\n")).starts_with("user=alice "));
  CHECK(body_of(stage.get("/", "X-Api-Key: key of bob\r\n")).starts_with("user=bob "));
  const std::string missing = stage.get("/");
  CHECK(status_of(missing) == 401);
  CHECK(field(missing, "WWW-Authenticate") == "ApiKey field=\"X-Api-Key\"");
  CHECK(field(missing, "Content-Type") == "application/problem+json");
  CHECK(missing.contains("This needs a key, in the field X-Api-Key."));
  for (const char* wrong : {"key-of-alic", "key-of-alicee", "Key-of-alice", "alice", ""}) {
    INFO(wrong);
    const std::string answer = stage.get("/", "X-Api-Key: " + std::string(wrong) + "\r\n");
    CHECK(status_of(answer) == 401);
    CHECK(answer.contains("This key is not known."));
  }
  // Two of them: whoever looks at one of them sees another than whoever looks at the other.
  CHECK(status_of(stage.get("/", "X-Api-Key: key-of-alice\r\nX-Api-Key: key-of-alice\r\n")) == 401);
  CHECK(status_of(stage.get("/nowhere")) == 401);
  CHECK(status_of(stage.get("/nowhere", "X-Api-Key: key of bob\r\n")) == 404);
}

TEST_CASE("api_key: in Authorization it stands behind Bearer") {
  Stage stage(kinds());
  stage.middleware("api_key", {keys(), entry("header", std::string("authorization"))});
  shows(stage);
  for (const char* good : {"Bearer key-of-alice", "bearer  key-of-alice", "BEARER key of bob"})
    CHECK(status_of(stage.get("/", "Authorization: " + std::string(good) + "\r\n")) == 200);
  CHECK(field(stage.get("/"), "WWW-Authenticate") == "Bearer");
  const std::string wrong = stage.get("/", "Authorization: Bearer nonsense\r\n");
  CHECK(status_of(wrong) == 401);
  CHECK(field(wrong, "WWW-Authenticate") == "Bearer error=\"invalid_token\"");
  for (const char* none : {"key-of-alice", "Basic key-of-alice", "Bearerkey-of-alice"}) {
    INFO(none);
    CHECK(field(stage.get("/", "Authorization: " + std::string(none) + "\r\n"), "WWW-Authenticate") ==
          "Bearer");
  }
}

TEST_CASE("api_key: nobody behind it sees the key, wherever it stood") {
  Stage stage(kinds());
  stage.middleware("api_key",
                   {keys(), entry("query", std::string("key")), entry("cookie", std::string("k"))});
  shows(stage);
  CHECK(body_of(stage.get("/?a=1&key=key-of-alice&b=%20", "X-One: 1\r\n")) ==
        "user=alice target=/?a=1&b=%20 path=/ query=a=1&b=%20|Host=a|X-One=1");
  CHECK(body_of(stage.get("/?key=key-of-alice")) == "user=alice target=/ path=/ query=|Host=a");
  CHECK(body_of(stage.get("/?%6bey=key+of%20bob")) == "user=bob target=/ path=/ query=|Host=a");
  CHECK(body_of(stage.get("/?x", "X-Api-Key: key-of-alice\r\nX-One: 1\r\n")) ==
        "user=alice target=/?x path=/ query=x|Host=a|X-One=1");
  CHECK(body_of(stage.get("/", "Cookie: a=1; k=key-of-alice; b=2\r\nX-One: 1\r\n")) ==
        "user=alice target=/ path=/ query=|Host=a|Cookie=a=1; b=2|X-One=1");
  CHECK(body_of(stage.get("/", "Cookie: k=\"key of bob\"\r\n")) == "user=bob target=/ path=/ query=|Host=a");
  CHECK(body_of(stage.feed("GET http://a/?key=key-of-alice&c HTTP/1.1\r\nHost: a\r\n\r\n")) ==
        "user=alice target=http://a/?c path=/ query=c|Host=a");
  // In two places, which are not one.
  for (const char* twice : {"/?key=key-of-alice&key=key-of-alice", "/?key=key-of-alice&key=x", "/?key=%zz",
                            "/?key=%zz&key=key-of-alice"})
    CHECK(status_of(stage.get(twice)) == 401);
  CHECK(status_of(stage.get("/?key=key-of-alice", "Cookie: k=key-of-alice\r\n")) == 401);
  CHECK(status_of(stage.get("/", "Cookie: k=key-of-alice; k=x\r\n")) == 401);
}

TEST_CASE("api_key: what is to be passed on stays") {
  Stage stage(kinds());
  stage.middleware("api_key", {keys(), entry("query", std::string("key")), entry("pass_on", true)});
  shows(stage);
  CHECK(body_of(stage.get("/?key=key-of-alice")) ==
        "user=alice target=/?key=key-of-alice path=/ query=key=key-of-alice|Host=a");
  CHECK(body_of(stage.get("/", "X-Api-Key: key of bob\r\n")).ends_with("|X-Api-Key=key of bob"));
}

TEST_CASE("api_key: no line of the log shows a key, be it right or wrong; the user is there") {
  LogText text;
  {
    Stage stage(kinds());
    stage.middleware(
        "access_log",
        {texts("fields", {"user", "target", "query", "header:x-api-key", "header:cookie", "status"}),
         texts("redact_headers", {})});
    stage.middleware("api_key",
                     {keys(), entry("query", std::string("key")), entry("cookie", std::string("k"))});
    stage.route("/");
    for (const char* key : {"key-of-alice", "key-of-nobody"}) {
      (void)stage.get("/?key=" + std::string(key));
      (void)stage.get("/", "X-Api-Key: " + std::string(key) + "\r\n");
      (void)stage.get("/", "Cookie: a=b; k=" + std::string(key) + "\r\n");
    }
    (void)stage.get("/?key=key-of-alice&key=key-of-alice");
    (void)stage.get("/?key=key-of-alice%zz");
  }
  const std::string log = text.take();
  CHECK_FALSE(log.contains("key-of"));
  CHECK(log.contains(R"({"user":"alice","target":"/","status":200})"));
  CHECK(log.contains(R"({"user":"alice","target":"/","header_cookie":"a=b","status":200})"));
  CHECK(log.contains(R"({"target":"/","status":401})"));
}

TEST_CASE("api_key: where none is required, requests without one pass as nobody's, and wrong ones do not") {
  Stage stage(kinds());
  stage.middleware("api_key", {keys(), entry("required", false)});
  shows(stage);
  CHECK(body_of(stage.get("/")).starts_with("user= "));
  CHECK(body_of(stage.get("/", "X-Api-Key: key-of-alice\r\n")).starts_with("user=alice "));
  CHECK(status_of(stage.get("/", "X-Api-Key: nonsense\r\n")) == 401);
}

TEST_CASE("api_key: who asks is a key of rate_limit, a variable of headers, and of one request alone") {
  Stage stage(kinds());
  stage.middleware("api_key", {keys(), entry("required", false)});
  stage.middleware("rate_limit", {entry("rate", std::string("1/min")), texts("key", {"user"})});
  stage.middleware("headers",
                   {texts("request_set", {"X-User: {user}"}), texts("answer_set", {"X-Told: {user}"})});
  shows(stage);
  const std::string alice = stage.get("/", "X-User: root\r\nX-Api-Key: key-of-alice\r\n");
  CHECK(body_of(alice).ends_with("|Host=a|X-User=alice"));
  CHECK(field(alice, "X-Told") == "alice");
  CHECK(status_of(stage.get("/", "X-Api-Key: new-key-of-alice\r\n")) == 429);
  CHECK(status_of(stage.get("/", "X-Api-Key: key of bob\r\n")) == 200);
  CHECK(status_of(stage.get("/")) == 200);  // counted by its client
  CHECK(status_of(stage.get("/")) == 429);
}

TEST_CASE("api_key: keys of a file, with remarks and blank lines, beside those of the option") {
  file_text = "# who has which\n\n  alice\t" + line_of("", "one").substr(1) + "  \r\n" +
              line_of("bob", "two") + "\n" + line_of("bob", "two");  // said twice, and without a line end
  Stage stage(kinds(), {.read_file = read_text});
  stage.middleware("api_key", {keys(), entry("file", std::string("/keys"))});
  shows(stage);
  CHECK(body_of(stage.get("/", "X-Api-Key: one\r\n")).starts_with("user=alice "));
  CHECK(body_of(stage.get("/", "X-Api-Key: two\r\n")).starts_with("user=bob "));
  CHECK(body_of(stage.get("/", "X-Api-Key: key of bob\r\n")).starts_with("user=bob "));
}

TEST_CASE("api_key: what is wrong with a file is told by the numbers of its lines, and shows none of them") {
  const auto told = [](const std::string& text) {
    file_text = text;
    std::vector<std::string> messages;
    for (const Diagnostic& each :
         mistakes("api_key", {entry("file", std::string("/keys"))}, {.read_file = read_text})) {
      CHECK(each.code == kCredentials);
      CHECK(each.place.line == 1);
      CHECK_FALSE(each.message.contains("hunter2"));
      messages.push_back(each.message);
    }
    return messages;
  };
  const std::string good = line_of("alice", "one") + "\n";
  CHECK(told(good).empty());
  const auto wrong =
      told("# remark\nhunter2\n" + good + "alice hunter2\nalice sha256:hunter2\nali:ce sha256:0\n");
  REQUIRE(wrong.size() == 4);
  CHECK(wrong[0].starts_with("`/keys`, line 2: a name and, behind a blank, the hash of a key are needed"));
  CHECK(wrong[1].starts_with("`/keys`, line 4: behind the name stands `sha256:` and 64 hexadecimal digits"));
  CHECK(wrong[2].starts_with("`/keys`, line 5: behind the name"));
  CHECK(wrong[3] == "`/keys`, line 6: a name has neither blanks nor control characters nor a colon");
  CHECK(told(std::string(200, 'x') + " sha256:0\n")[0].ends_with("a name has at most 128 bytes"));
  CHECK(told("alice sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n")[0].ends_with(
      "this is the hash of no key at all"));
  std::string many;
  for (int i = 0; i < 25; ++i) many += "hunter2\n";
  const auto most = told(many);
  REQUIRE(most.size() == 11);
  CHECK(most[10] == "`/keys` has 15 more lines that are wrong");
  CHECK(told(line_of("alice", "one") + "\n" + line_of("bob", "one")) ==
        std::vector<std::string>{"`alice` and `bob` have the same key"});
  CHECK(told("# nobody yet\n").empty());
  const Diagnostics absent =
      mistakes("api_key", {entry("file", std::string("/absent"))}, {.read_file = read_text});
  REQUIRE(absent.size() == 1);
  CHECK(absent[0].message == "cannot read `/absent`");
}

TEST_CASE("api_key: options that make no sense are mistakes") {
  const auto said = [](Value::Table options) {
    const Diagnostics all = mistakes("api_key", std::move(options));
    REQUIRE(all.size() == 1);
    CHECK(all[0].code == kBadOption);
    return all[0].message;
  };
  CHECK(said({}) == "nobody has a key: name a `file` of them, or `keys`");
  CHECK(said({texts("keys", {"alice hunter2"})}).contains("`keys` has one that is wrong: behind the name"));
  CHECK(said({keys(), entry("header", std::string("X Key"))}).contains("names no header field"));
  CHECK(said({keys(), entry("cookie", std::string("a=b"))}).contains("names no cookie"));
  CHECK(said({keys(), entry("header", std::string(""))}).contains("a key is looked for nowhere"));
  CHECK(mistakes("api_key", {keys(), entry("header", std::string("")), entry("query", std::string("k"))})
            .empty());
}

TEST_CASE("api_key: what it let in and what not is counted") {
  metrics::Registry registry;
  Stage stage(kinds(), {.workers = 1, .metrics = &registry});
  stage.middleware("api_key", {keys()});
  stage.route("/");
  for (int i = 0; i < 3; ++i) (void)stage.get("/", "X-Api-Key: key-of-alice\r\n");
  for (int i = 0; i < 2; ++i) (void)stage.get("/", "X-Api-Key: nonsense\r\n");
  (void)stage.get("/");
  const std::string shown = registry.text();
  CHECK(shown.contains("leat_api_key_requests_total{instance=\"api_key\",result=\"accepted\"} 3\n"));
  CHECK(shown.contains("leat_api_key_requests_total{instance=\"api_key\",result=\"refused\"} 2\n"));
  CHECK(shown.contains("leat_api_key_requests_total{instance=\"api_key\",result=\"missing\"} 1\n"));
}

TEST_CASE("api_key: ten thousand keys are told apart, and a look asks nothing of the heap") {
  ApiKeys many;
  const auto name = [](int i) { return "user-" + std::to_string(i); };
  for (int i = 0; i < 10'000; ++i) REQUIRE(many.add(line_of(name(i), "key-" + std::to_string(i))).empty());
  REQUIRE(many.freeze().empty());
  bool failed = false;
  for (int i = 0; i < 10'000; ++i) {
    const std::string* const found = many.find("key-" + std::to_string(i), failed);
    REQUIRE(found != nullptr);
    REQUIRE(*found == name(i));
  }
  const size_t before = leat::test::allocations();
  CHECK(many.find("key-10000", failed) == nullptr);
  CHECK(many.find("key-9", failed) != nullptr);
  CHECK(leat::test::allocations() - before == 0);
  CHECK_FALSE(failed);
}

}  // namespace leat::middleware

// forward_auth: what the service is told, and what becomes of a request by what it says.
#include "middleware/forward_auth.h"

#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "json/allocations.h"
#include "middleware/identified.h"
#include "middleware/scripted_fetcher.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using client::FetchStatus;

Value::Table with_url(Value::Table more = {}) {
  more.push_back(entry("url", std::string("unix:/run/auth.sock")));
  return more;
}

// A route behind the service, whose handler tells what it has been given.
struct Guarded {
  explicit Guarded(Value::Table options, const Surroundings& surroundings = {})
      : stage(identified_kinds(), surroundings) {
    stage.middleware("identified");
    stage.middleware("forward_auth", with_url(std::move(options)));
    stage.route("/", {"GET", "HEAD", "POST"}).on_handle = [this](http::Exchange& exchange) {
      ++handled;
      CHECK(exchange.request.had_credentials());
      std::string text;
      for (const http::HeaderSlot& slot : exchange.request.head().headers())
        text.append(exchange.request.head().view(slot.name))
            .append("=")
            .append(exchange.request.head().view(slot.value))
            .append(";");
      exchange.send(text + std::string(exchange.request.body()));
      return Verdict::Done;
    };
    stage.harness().worker.asks = &service;
  }
  std::string taken() { return leat::test::HttpHarness::take(stage.session()); }

  ScriptedFetcher service;
  Stage stage;
  int handled = 0;
};

}  // namespace

TEST_CASE(
    "forward_auth: the service is told what the request is, the fields it is to know, and nothing else") {
  Guarded guarded({entry("path", std::string("/check?realm=a")), texts("forward", {"cookie", "X-Key"})});
  CHECK(
      guarded.stage
          .feed("POST /a/../b?c=%64 HTTP/1.1\r\nHost: shop.example:8080\r\nX-Client: 198.51.100.7\r\nCookie: "
                "a=1\r\nAuthorization: Basic eDp5\r\nX-Forwarded-Uri: /forged\r\nX-Key: 1\r\nx-key: "
                "2\r\nContent-Length: 3\r\n\r\nxyz")
          .empty());
  // There is no such route; whoever may not know of it is not told so.
  REQUIRE(guarded.service.asked.size() == 1);
  const ScriptedFetcher::Asked& asked = guarded.service.asked[0];
  CHECK(asked.method == "GET");
  CHECK(asked.target == "/check?realm=a");
  CHECK(asked.body.empty());
  CHECK(asked.timeout_ms == 5000);
  CHECK(asked.field("X-Forwarded-Method") == "POST");
  CHECK(asked.field("X-Forwarded-Proto") == "http");
  CHECK(asked.field("X-Forwarded-Host") == "shop.example:8080");
  CHECK(asked.field("X-Forwarded-Uri") == "/a/../b?c=%64");
  CHECK(asked.field("X-Forwarded-For") == "198.51.100.7");
  CHECK(asked.field("Cookie") == "a=1");
  CHECK(asked.field("X-Key") == "1");
  CHECK(asked.field("x-key") == "2");
  CHECK(asked.fields.size() == 8);
  guarded.service.answer(204);
  CHECK(status_of(guarded.taken()) == 404);
}

TEST_CASE("forward_auth: a target that names a host leads past no rule for the beginnings of paths") {
  Guarded guarded({});
  const auto told = [&](std::string_view target) {
    CHECK(guarded.stage.feed(fmt::format("GET {} HTTP/1.1\r\nHost: a\r\n\r\n", target)).empty());
    const std::string uri = guarded.service.asked.back().field("X-Forwarded-Uri");
    guarded.service.answer(204);
    (void)guarded.taken();
    return uri;
  };
  CHECK(told("http://a/admin?a=1") == "/admin?a=1");
  CHECK(told("http://a") == "/");
  CHECK(told("http://a?b=/c") == "/?b=/c");
  CHECK(told("/x?u=http://b/c") == "/x?u=http://b/c");
}

TEST_CASE("forward_auth: a 2xx lets a request pass, with fields that no client can forge") {
  Guarded guarded({texts("request_set", {"X-User", "X-Roles"}), texts("answer_add", {"Set-Cookie"})});
  for (int i = 0; i < 3; ++i) {
    CHECK(guarded.stage.get("/", "x-user: root\r\nX-Roles: all\r\nX-Other: mine\r\n").empty());
    CHECK(guarded.handled == i);
    const std::vector<client::Field> fields = {
        {"x-user", "anna"}, {"Set-Cookie", "s=2"}, {"Set-Cookie", "t=3"}, {"X-Secret", "hidden"}};
    guarded.service.answer(200, fields, "ignored");
    const std::string answer = guarded.taken();
    CHECK(status_of(answer) == 200);
    CHECK(body_of(answer) == "Host=a;X-Other=mine;x-user=anna;");
    CHECK(field(answer, "Set-Cookie") == "s=2");
    CHECK(answer.contains("\r\nSet-Cookie: t=3\r\n"));
    CHECK(field(answer, "Cache-Control") == "private");
    CHECK_FALSE(answer.contains("hidden"));
  }
  // A body that has come meanwhile is the handler's.
  CHECK(guarded.stage.feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel").empty());
  CHECK(guarded.stage.feed("lo").empty());
  guarded.service.answer(299);
  CHECK(body_of(guarded.taken()) == "Host=a;Content-Length=5;hello");
}

TEST_CASE(
    "forward_auth: what 401, 403 and redirects say is what the client gets, and the handler does not run") {
  Guarded guarded({texts("answer_add", {"X-Told"})});
  for (const int code : {401, 403, 301, 302, 303, 307, 308}) {
    CHECK(guarded.stage.get("/").empty());
    const std::vector<client::Field> fields = {{"WWW-Authenticate", "Basic realm=\"x\""},
                                               {"Location", "https://login.example/?r=1"},
                                               {"Set-Cookie", "a=1"},
                                               {"Content-Type", "text/html"},
                                               {"Content-Length", "99"},
                                               {"Transfer-Encoding", "chunked"},
                                               {"Connection", "close, x-hop"},
                                               {"X-Hop", "h"},
                                               {"Keep-Alive", "5"},
                                               {"Server", "auth"},
                                               {"Date", "never"},
                                               {"X-Told", "once"}};
    guarded.service.answer(static_cast<uint16_t>(code), fields, "<p>no</p>");
    const std::string answer = guarded.taken();
    CHECK(status_of(answer) == code);
    CHECK(field(answer, "WWW-Authenticate") == "Basic realm=\"x\"");
    CHECK(field(answer, "Location") == "https://login.example/?r=1");
    CHECK(field(answer, "Set-Cookie") == "a=1");
    CHECK(field(answer, "Content-Type") == "text/html");
    CHECK(field(answer, "Content-Length") == "9");
    CHECK(field(answer, "Server") == "leat");
    CHECK(answer.find("X-Told") == answer.rfind("X-Told"));
    for (const char* left_out : {"Transfer-Encoding", "X-Hop", "Keep-Alive", "never", "close"})
      CHECK_FALSE(answer.contains(left_out));
    CHECK(answer.ends_with("<p>no</p>"));
  }
  CHECK(guarded.stage.feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").empty());
  guarded.service.answer(403, {}, "no");
  const std::string head = guarded.taken();
  CHECK(status_of(head) == 403);
  CHECK(head.ends_with("\r\n\r\n"));
  CHECK(guarded.handled == 0);
}

TEST_CASE("forward_auth: where nobody knows, nobody passes") {
  LogText log;
  metrics::Registry registry;
  {
    Guarded guarded({}, {.metrics = &registry});
    for (const int code : {304, 400, 404, 407, 429, 500, 502, 503}) {
      CHECK(guarded.stage.get("/").empty());
      guarded.service.answer(static_cast<uint16_t>(code), {}, "whatever");
      const std::string answer = guarded.taken();
      CHECK(status_of(answer) == 503);
      CHECK(field(answer, "Retry-After") == "1");
      CHECK_FALSE(answer.contains("whatever"));
    }
    for (const FetchStatus status :
         {FetchStatus::Timeout, FetchStatus::Failed, FetchStatus::TooLarge, FetchStatus::Memory}) {
      CHECK(guarded.stage.get("/").empty());
      guarded.service.fail(status, "it was away");
      CHECK(status_of(guarded.taken()) == 503);
    }
    guarded.service.full = true;
    CHECK(status_of(guarded.stage.get("/")) == 503);
    guarded.stage.harness().worker.asks = nullptr;
    CHECK(status_of(guarded.stage.get("/")) == 503);
    CHECK(guarded.handled == 0);
    guarded.stage.harness().worker.asks = &guarded.service;
    guarded.service.full = false;
    CHECK(guarded.stage.get("/").empty());
    guarded.service.answer(200);
    CHECK(status_of(guarded.taken()) == 200);
    CHECK(guarded.stage.get("/").empty());
    guarded.service.answer(401);
    CHECK(status_of(guarded.taken()) == 401);
    const std::string text = registry.text();
    for (const char* line : {"result=\"allowed\"} 1\n", "result=\"denied\"} 1\n", "result=\"failed\"} 14\n"})
      CHECK(text.contains(std::string("leat_forward_auth_requests_total{instance=\"forward_auth\",") + line));
  }
  const std::string text = log.take();
  CHECK(text.contains(
      "forward_auth cannot tell who may pass: unix:/run/auth.sock was asked, and it answered 304"));
  CHECK(text.contains("was asked, and it was away"));
}

TEST_CASE(
    "forward_auth: an answer with more fields than there is room for lets nobody pass, and tells nothing") {
  Guarded guarded({});
  std::vector<client::Field> fields(65, client::Field{"X-Many", "1"});
  CHECK(guarded.stage.get("/").empty());
  guarded.service.answer(403, fields);
  const std::string answer = guarded.taken();
  CHECK(status_of(answer) == 503);
  CHECK_FALSE(answer.contains("X-Many"));
}

TEST_CASE("forward_auth: a client that leaves, or whose time is up, takes the question along") {
  {
    Guarded guarded({});
    CHECK(guarded.stage.get("/").empty());
    guarded.stage.session().disconnect();
    CHECK(guarded.service.cancelled == 1);
    CHECK(guarded.service.asked.empty());
  }
  Guarded guarded({entry("timeout", std::string("10m"))});
  CHECK(guarded.stage.get("/").empty());
  // It never has longer than the request itself.
  guarded.stage.harness().worker.now_ms += guarded.stage.harness().limits.answer_timeout_ms + 1;
  guarded.stage.session().deadline_passed();
  CHECK(status_of(guarded.taken()) == 504);
  CHECK(guarded.service.cancelled == 1);
  CHECK(guarded.handled == 0);
}

TEST_CASE("forward_auth: what asks and lets pass asks nothing of the heap") {
  // One that keeps nothing of what it is asked.
  struct Quiet final : client::Fetcher {
    bool start(client::Fetch& fetch, const std::shared_ptr<const client::Upstream>&,
               const client::FetchRequest&) override {
      under_way = &fetch;
      return true;
    }
    void cancel(client::Fetch&) override {}
    client::Fetch* under_way = nullptr;
  } quiet;
  Stage stage(kinds());
  stage.middleware("forward_auth",
                   with_url({texts("request_set", {"X-User"}), texts("answer_add", {"Set-Cookie"})}));
  stage.route("/");
  stage.harness().worker.asks = &quiet;
  const client::Field fields[] = {{"X-User", "anna"}, {"Set-Cookie", "a=1"}};
  const auto serve = [&] {
    stage.session().feed("GET / HTTP/1.1\r\nHost: a\r\nCookie: a\r\n\r\n");
    client::Fetch& fetch = *quiet.under_way;
    fetch.status = FetchStatus::Answered;
    fetch.code = 200;
    fetch.fields = fields;
    stage.session().resume(*fetch.exchange, fetch.resume, &fetch);
    stage.sent();
  };
  CHECK(leat::test::allocations_of(1000, serve) == 0);
}

namespace {

// Connections beside the stage's own.
struct Others {
  explicit Others(Guarded& behind) : guarded(behind) {}
  ~Others() {
    for (auto& each : sessions) {
      each->disconnect();
      each->output().clear();
    }
  }
  std::string ask(const std::string& fields = "", const std::string& target = "/") {
    auto& session = *sessions.emplace_back(std::make_unique<http1::Session>(
        guarded.stage.harness().environment, "192.0.2.1", static_cast<uint32_t>(sessions.size() + 1)));
    session.feed("GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n");
    return leat::test::HttpHarness::take(session);
  }
  std::string taken(size_t number) { return leat::test::HttpHarness::take(*sessions[number]); }
  Guarded& guarded;
  std::vector<std::unique_ptr<http1::Session>> sessions;
};

Value::Table cached(Value::Table more = {}) {
  more.push_back(entry("cache", std::string("10s")));
  return more;
}

}  // namespace

TEST_CASE("forward_auth: with a cache an equal question is not asked again, for its time") {
  metrics::Registry registry;
  Guarded guarded(cached({texts("request_set", {"X-User"})}), {.metrics = &registry});
  CHECK(guarded.stage.get("/", "Cookie: a=1\r\n").empty());
  guarded.service.answer(200, {{"X-User", "anna"}, {"X-Secret", "hidden"}}, "ignored");
  CHECK(body_of(guarded.taken()) == "Host=a;Cookie=a=1;X-User=anna;");
  for (int i = 0; i < 3; ++i)
    CHECK(body_of(guarded.stage.get("/", "X-User: root\r\nCookie: a=1\r\n")) ==
          "Host=a;Cookie=a=1;X-User=anna;");
  guarded.stage.harness().worker.now_ms += 9'999;
  CHECK(status_of(guarded.stage.get("/", "Cookie: a=1\r\n")) == 200);
  guarded.stage.harness().worker.now_ms += 1;
  CHECK(guarded.stage.get("/", "Cookie: a=1\r\n").empty());
  guarded.service.answer(403, {}, "no longer");
  CHECK(status_of(guarded.taken()) == 403);
  // What refuses is not remembered, unless that is wished for.
  CHECK(guarded.stage.get("/", "Cookie: a=1\r\n").empty());
  guarded.service.answer(200);
  CHECK(status_of(guarded.taken()) == 200);
  const std::string shown = registry.text();
  for (const char* line : {"hit\"} 4\n", "miss\"} 3\n", "shared\"} 0\n"})
    CHECK(shown.contains(std::string("leat_forward_auth_cache_total{instance=\"forward_auth\",result=\"") +
                         line));
  CHECK(shown.contains("leat_forward_auth_requests_total{instance=\"forward_auth\",result=\"allowed\"} 6\n"));
}

TEST_CASE("forward_auth: whatever the service is told makes another question, and nothing else does") {
  Guarded guarded(cached());
  const auto asks = [&](const std::string& request) {
    const bool asked = guarded.stage.feed(request).empty();
    if (asked) {
      guarded.service.answer(200);
      (void)guarded.taken();
    }
    return asked;
  };
  const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
  CHECK(asks(get + "Cookie: a=1\r\n\r\n"));
  CHECK_FALSE(asks(get + "Cookie: a=1\r\n\r\n"));
  CHECK_FALSE(asks(get + "Cookie: a=1\r\nX-Other: 1\r\n\r\n"));
  CHECK(asks(get + "\r\n"));
  CHECK(asks(get + "Cookie: a=2\r\n\r\n"));
  CHECK(asks(get + "Authorization: a=1\r\n\r\n"));
  CHECK(asks(get + "Cookie: a=1\r\nCookie: \r\n\r\n"));
  CHECK(asks(get + "Cookie: a=1\r\nX-Client: 192.0.2.9\r\n\r\n"));
  CHECK(asks("GET /?b HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\r\n"));
  CHECK(asks("GET / HTTP/1.1\r\nHost: b\r\nCookie: a=1\r\n\r\n"));
  CHECK(asks("HEAD / HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\r\n"));
  // What one field has is not what another has, wherever one ends.
  CHECK(asks(get + "Cookie: x\r\nAuthorization: yz\r\n\r\n"));
  CHECK(asks(get + "Cookie: xy\r\nAuthorization: z\r\n\r\n"));

  // One that is told less answers for more.
  Guarded brief(cached({texts("tell", {"Host"})}));
  CHECK(brief.stage.get("/", "Cookie: a=1\r\n").empty());
  REQUIRE(brief.service.asked.size() == 1);
  CHECK(brief.service.asked[0].fields.size() == 2);
  CHECK(brief.service.asked[0].field("X-Forwarded-Host") == "a");
  brief.service.answer(200);
  CHECK(status_of(brief.taken()) == 200);
  CHECK(status_of(brief.stage.get("/?b", "Cookie: a=1\r\nX-Client: 192.0.2.9\r\n")) == 200);
  CHECK(brief.stage.get("/", "Cookie: a=2\r\n").empty());
  brief.service.answer(200);
  (void)brief.taken();
}

TEST_CASE("forward_auth: what the answer says of caches, and what is for one client alone, is heeded") {
  const auto remembered = [](std::vector<client::Field> fields, uint16_t code = 200) {
    Guarded guarded(cached({texts("answer_add", {"X-Once"}), entry("cache_denied", std::string("5s"))}));
    CHECK(guarded.stage.get("/").empty());
    guarded.service.answer(code, fields, "a body");
    const std::string first = guarded.taken();
    const std::string second = guarded.stage.get("/");
    if (second.empty()) {
      guarded.service.answer(200);
      (void)guarded.taken();
      return false;
    }
    CHECK(second == first);
    return true;
  };
  CHECK(remembered({}));
  CHECK(remembered({{"Cache-Control", "private, max-age=1"}}));
  for (const char* value :
       {"no-store", "No-Store", "max-age=5, no-cache", "no-cache=\"x\"", "max-age=0", "max-age=x"})
    CHECK_FALSE(remembered({{"cache-control", value}}));
  CHECK_FALSE(remembered({{"X-Once", "1"}}));
  CHECK_FALSE(remembered({{"Set-Cookie", "a=1"}}));
  CHECK(remembered({{"WWW-Authenticate", "Basic"}}, 401));
  CHECK(remembered({}, 403));
  CHECK_FALSE(remembered({{"Set-Cookie", "a=1"}}, 403));
  CHECK_FALSE(remembered({{"Location", "/login?state=1"}}, 302));
  for (const int code : {304, 404, 500, 503}) CHECK_FALSE(remembered({}, static_cast<uint16_t>(code)));
  const std::string large(8193, 'x');
  CHECK_FALSE(remembered({{"X-Large", large}}, 403));
  CHECK(remembered({{"X-Large", large}}));  // of which nothing is kept
}

TEST_CASE("forward_auth: what refuses is remembered for its own time") {
  Guarded guarded(cached({entry("cache_denied", std::string("1s"))}));
  CHECK(guarded.stage.get("/").empty());
  guarded.service.answer(
      401, {{"WWW-Authenticate", "Basic realm=\"x\""}, {"Connection", "x-hop"}, {"X-Hop", "1"}}, "no");
  const std::string first = guarded.taken();
  CHECK(status_of(first) == 401);
  CHECK_FALSE(first.contains("X-Hop"));
  guarded.stage.harness().worker.now_ms += 999;
  CHECK(guarded.stage.get("/") == first);
  guarded.stage.harness().worker.now_ms += 1;
  CHECK(guarded.stage.get("/").empty());
  guarded.service.answer(200);
  CHECK(status_of(guarded.taken()) == 200);
}

TEST_CASE("forward_auth: equal questions at the same moment are asked once") {
  metrics::Registry registry;
  Guarded guarded(cached({texts("request_set", {"X-User"})}), {.metrics = &registry});
  Others others(guarded);
  CHECK(guarded.stage.get("/").empty());
  for (int i = 0; i < 3; ++i) CHECK(others.ask().empty());
  CHECK(others.ask("Cookie: other\r\n").empty());
  CHECK(guarded.service.asked.size() == 2);
  guarded.service.answer(200, {{"X-User", "anna"}});
  CHECK(status_of(guarded.taken()) == 200);
  guarded.stage.harness().resume_all();
  for (size_t i = 0; i < 3; ++i) CHECK(body_of(others.taken(i)) == "Host=a;X-User=anna;");
  CHECK(others.taken(3).empty());
  guarded.service.answer(403, {}, "no");
  CHECK(status_of(others.taken(3)) == 403);
  CHECK(registry.text().contains("result=\"shared\"} 3\n"));
}

TEST_CASE("forward_auth: what is said to one alone is said to nobody else: the others ask for themselves") {
  Guarded guarded(cached());
  Others others(guarded);
  CHECK(guarded.stage.get("/").empty());
  for (int i = 0; i < 2; ++i) CHECK(others.ask().empty());
  CHECK(guarded.service.asked.size() == 1);
  guarded.service.answer(200, {{"Cache-Control", "no-store"}});
  CHECK(status_of(guarded.taken()) == 200);
  guarded.stage.harness().resume_all();
  CHECK(guarded.service.asked.size() == 2);
  guarded.service.answer(200, {{"Cache-Control", "no-store"}});
  guarded.service.answer(403);
  std::vector<int> statuses = {status_of(others.taken(0)), status_of(others.taken(1))};
  std::ranges::sort(statuses);
  CHECK(statuses == std::vector<int>{200, 403});
}

TEST_CASE("forward_auth: who leaves takes its question along, and the next of those who wait asks it") {
  Guarded guarded(cached());
  Others others(guarded);
  CHECK(guarded.stage.get("/").empty());
  for (int i = 0; i < 3; ++i) CHECK(others.ask().empty());
  // One that waits, and the one that is asked for.
  others.sessions[1]->disconnect();
  CHECK(guarded.service.asked.size() == 1);
  guarded.stage.session().disconnect();
  CHECK(guarded.service.cancelled == 1);
  guarded.stage.harness().resume_all();
  CHECK(guarded.service.asked.size() == 1);
  guarded.service.answer(200);
  guarded.stage.harness().resume_all();
  CHECK(status_of(others.taken(0)) == 200);
  CHECK(status_of(others.taken(2)) == 200);
  CHECK(guarded.handled == 2);
}

TEST_CASE("forward_auth: where the service is away those who wait for it are told so, and few may wait") {
  Guarded guarded(cached({entry("waiting", int64_t{2})}));
  Others others(guarded);
  CHECK(guarded.stage.get("/").empty());
  for (int i = 0; i < 2; ++i) CHECK(others.ask().empty());
  CHECK(status_of(others.ask()) == 503);
  guarded.service.fail(FetchStatus::Timeout, "it took too long");
  guarded.stage.harness().resume_all();
  CHECK(status_of(guarded.taken()) == 503);
  CHECK(status_of(others.taken(0)) == 503);
  CHECK(status_of(others.taken(1)) == 503);
  CHECK(guarded.service.asked.empty());
  // And there is room again.
  CHECK(guarded.stage.get("/").empty());
  for (int i = 0; i < 2; ++i) CHECK(others.ask().empty());
  guarded.service.answer(200);
  guarded.stage.harness().resume_all();
  CHECK(guarded.handled == 3);
}

TEST_CASE("forward_auth: as many answers are remembered as may be, and the one that ends first makes room") {
  Guarded guarded(cached({entry("cached", int64_t{4})}));
  for (int i = 0; i < 40; ++i) {
    CHECK(guarded.stage.get("/", "Cookie: " + std::to_string(i) + "\r\n").empty());
    guarded.service.answer(200);
    CHECK(status_of(guarded.taken()) == 200);
    guarded.stage.harness().worker.now_ms += 1;
  }
  for (int i = 36; i < 40; ++i)
    CHECK(status_of(guarded.stage.get("/", "Cookie: " + std::to_string(i) + "\r\n")) == 200);
  CHECK(guarded.stage.get("/", "Cookie: 35\r\n").empty());
  guarded.service.answer(200);
  (void)guarded.taken();
}

TEST_CASE("forward_auth: what is remembered asks nothing of the heap") {
  ScriptedFetcher service;
  Stage stage(kinds());
  stage.middleware("forward_auth", with_url(cached({texts("request_set", {"X-User"})})));
  stage.route("/");
  stage.harness().worker.asks = &service;
  CHECK(stage.get("/").empty());
  service.answer(200, {{"X-User", "anna"}});
  CHECK(status_of(leat::test::HttpHarness::take(stage.session())) == 200);
  CHECK(leat::test::allocations_of(1000, [&] { stage.serve("GET / HTTP/1.1\r\nHost: a\r\n\r\n"); }) == 0);
  CHECK(service.asked.empty());
}

TEST_CASE("forward_auth: what is wrong with its options") {
  const auto message = [](Value::Table options) {
    const Diagnostics found = mistakes("forward_auth", std::move(options));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  CHECK(message({}) == "`url` is missing");
  CHECK(message({entry("url", std::string("https://a:0"))}).contains("is not a port"));
  CHECK(message({entry("url", std::string("http://nowhere.invalid"))})
            .contains("`nowhere.invalid` has no address"));
  CHECK(message(with_url({entry("path", std::string("check"))})).contains("does not begin with a /"));
  CHECK(message(with_url({entry("path", std::string("/a b"))})).contains("white space"));
  CHECK(message(with_url({texts("forward", {"X-Forwarded-For"})})).contains("is told by itself"));
  CHECK(message(with_url({texts("forward", {"Transfer-Encoding"})})).contains("says how a message is sent"));
  CHECK(message(with_url({texts("request_set", {"Host"})})).contains("says how a message is sent"));
  CHECK(message(with_url({texts("request_set", {"X User"})})).contains("names no header field"));
  CHECK(message(with_url({texts("answer_add", {"Date"})})).contains("is the server's own"));
  CHECK(message(with_url({entry("method", std::string("POST"))})).contains("\"GET\" or \"HEAD\""));
  CHECK(message(with_url({texts("tell", {"Client"})}))
            .contains("can be told Method, Proto, Host, Uri and For"));
  CHECK(
      message(with_url({entry("cache_denied", std::string("1s"))})).contains("says something of a `cache`"));
  CHECK(message(with_url({entry("cached", int64_t{8})})).contains("says something of a `cache`"));
}

}  // namespace leat::middleware

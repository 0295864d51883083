// forward_auth: what the service is told, and what becomes of a request by what it says.
#include "middleware/forward_auth.h"

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

TEST_CASE("forward_auth: what is wrong with its options") {
  const auto message = [](Value::Table options) {
    const Diagnostics found = mistakes("forward_auth", std::move(options));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  CHECK(message({}) == "`url` is missing");
  CHECK(message({entry("url", std::string("https://a"))}).contains("https is not supported"));
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
}

}  // namespace leat::middleware

// A cached route behind real sessions, with a clock that the test moves: who has the handler run, and who
// gets what.
#include <fmt/core.h>

#include "cache/cached_handler.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <map>
#include <optional>

#include "json/allocations.h"
#include "pipeline/pipeline.h"
#include "support/http_harness.h"

namespace leat::cache {

namespace {

using pipeline::Verdict;

// Answers as `answer` does, which is told how often it was asked.
class Script final : public pipeline::Handler {
 public:
  Verdict handle(http::Exchange& exchange) override {
    ++runs;
    return answer(exchange);
  }
  void on_done(http::Exchange&) override { ++ended; }
  [[nodiscard]] std::string_view blame() const override { return "script"; }

  int runs = 0, ended = 0;
  std::map<std::string, std::string> fields;  // of every answer
  std::function<Verdict(http::Exchange&)> answer = [this](http::Exchange& exchange) {
    return say(exchange, fmt::format("run {}", runs));
  };
  Verdict say(http::Exchange& exchange, std::string_view body, uint16_t status = 200) {
    exchange.response.status = status;
    exchange.response.content_type = "text/plain";
    for (const auto& [name, value] : fields) REQUIRE(exchange.response.add(name, value));
    return exchange.send(body) ? Verdict::Done : Verdict::Error;
  }
};

Policy minute() {
  Policy policy;
  policy.ttl_ms = 60'000;
  policy.jitter = 0;
  return policy;
}

struct Answer {
  int status = 0;
  std::string head, body;
  [[nodiscard]] std::string field(std::string_view name) const {
    const size_t at = head.find("\r\n" + std::string(name) + ": ");
    if (at == std::string::npos) return "";
    const size_t begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// One worker with one cached route, "/{rest...}", and any number of clients.
class Site {
 public:
  explicit Site(const Policy& policy = minute(), const Limits& limits = {}, Store::Hash hash = sip_hash<1, 3>)
      : store_(hash) {
    store_.configure(limits, 1);
    auto handler = std::make_unique<Script>();
    script = handler.get();
    pipeline::SiteBuilder builder;
    pipeline::RouteSpec spec;
    spec.path = "/{rest...}";
    spec.methods = {"GET", "POST"};
    spec.handler = std::make_unique<CachedHandler>(std::move(handler), policy, cache);
    builder.add_route(std::move(spec));
    Diagnostics diagnostics;
    site_ = builder.build(diagnostics);
    REQUIRE(site_);
    pipeline_.emplace(*site_);
    harness.emplace(*pipeline_);
  }

  class Client {
   public:
    explicit Client(Site& site) : session_(site.harness->environment, "192.0.2.1", 0) {}
    ~Client() { leave(); }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    void ask(std::string_view target, std::string_view fields = "", std::string_view method = "GET") {
      session_.feed(fmt::format("{} {} HTTP/1.1\r\n{}{}\r\n", method, target,
                                fields.contains("Host:") ? "" : "Host: a\r\n", fields));
    }
    // What has come of the answer; status 0 where nothing has.
    Answer take() {
      std::string wire = test::HttpHarness::take(session_);
      if (wire.empty()) return {};
      const size_t end = wire.find("\r\n\r\n");
      REQUIRE(end != std::string::npos);
      return {std::stoi(wire.substr(9, 3)), wire.substr(0, end + 2), wire.substr(end + 4)};
    }
    void leave() {
      session_.disconnect();
      session_.output().clear();
    }
    http::Session& session() { return session_; }

   private:
    http::Session session_;
  };

  Answer get(std::string_view target, std::string_view fields = "", std::string_view method = "GET") {
    Client client(*this);
    client.ask(target, fields, method);
    return client.take();
  }
  std::string body(std::string_view target, std::string_view fields = "") { return get(target, fields).body; }
  std::string_view purge(PurgeBy by, std::string_view what, bool hard) {
    return cache.purge(by, what, hard, harness->worker.now_ms);
  }
  void pass(uint64_t ms) { harness->worker.now_ms += ms; }
  // Answers what the worker has asked itself.
  void refresh() {
    std::vector<std::string> asked;
    asked.swap(harness->worker.asked);
    for (const std::string& head : asked) {
      Client self(*this);
      self.session().set_internal();
      self.session().feed(head);
      CHECK(self.session().finished());
    }
  }

  Script* script = nullptr;

 private:
  Store store_;

 public:
  ResponseCache cache{store_, CachedHandler::wake};
  std::optional<test::HttpHarness> harness;
  [[nodiscard]] Statistics statistics() const { return store_.statistics(); }

 private:
  std::unique_ptr<pipeline::Site> site_;
  std::optional<pipeline::Pipeline> pipeline_;
};

}  // namespace

TEST_CASE("response cache: the handler runs once, and its answer is sent until its time is over") {
  Site site;
  site.script->fields = {{"X-Kept", "yes"}};
  const Answer first = site.get("/a");
  CHECK(first.status == 200);
  CHECK(first.field("Cache-Status") == "leat; fwd=uri-miss; stored");
  site.pass(59'999);
  const Answer second = site.get("/a");
  CHECK(second.body == "run 1");
  CHECK(second.field("X-Kept") == "yes");
  CHECK(second.field("Content-Type") == "text/plain");
  CHECK(second.field("ETag") == first.field("ETag"));
  CHECK(second.field("Age") == "59");
  CHECK(second.field("Cache-Status") == "leat; hit; ttl=0");
  site.pass(1);
  CHECK(site.get("/a").field("Cache-Status") == "leat; fwd=uri-miss; stored");
  CHECK(site.script->runs == 2);
  CHECK(site.script->ended == 2);
}

TEST_CASE("response cache: HEAD is answered by what a GET has stored, and stores nothing itself") {
  Site site;
  CHECK(site.get("/a", "", "HEAD").field("Cache-Status") == "leat; fwd=uri-miss");
  CHECK(site.body("/a") == "run 2");
  const Answer head = site.get("/a", "", "HEAD");
  CHECK(head.body.empty());
  CHECK(head.field("Content-Length") == "5");
  CHECK(head.field("Cache-Status") == "leat; hit; ttl=60");
  CHECK(site.script->runs == 2);
}

TEST_CASE("response cache: no two targets share an answer, even where all hashes are one") {
  for (const bool collide : {false, true}) {
    const Store::Hash same = [](std::string_view, const SipKey&) { return uint64_t{42}; };
    Site site(minute(), {}, collide ? same : sip_hash<1, 3>);
    const std::vector<std::pair<std::string, std::string>> targets = {{"/x", ""},
                                                                      {"/x?", ""},
                                                                      {"/x?1", ""},
                                                                      {"/x?True", ""},
                                                                      {"/x?true", ""},
                                                                      {"/x?a=1", ""},
                                                                      {"/x?a=1&", ""},
                                                                      {"/X", ""},
                                                                      {"/x/", ""},
                                                                      {"/x%2F", ""},
                                                                      {"/x?b=1", ""},
                                                                      {"/x?a=1.0", ""},
                                                                      {"/x", "Host: b\r\n"},
                                                                      {"/x", "Host: a:80\r\n"}};
    for (int round = 0; round < 2; ++round)
      for (size_t i = 0; i < targets.size(); ++i) {
        INFO(targets[i].first);
        CHECK(site.body(targets[i].first, targets[i].second) == fmt::format("run {}", i + 1));
      }
    CHECK(site.script->runs == static_cast<int>(targets.size()));
  }
}

TEST_CASE(
    "response cache: an answer that has changed is not the old one: the key is the request, not the "
    "content") {
  Site site;
  std::string content = "1";
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, content); };
  CHECK(site.body("/value") == "1");
  content = "true";
  CHECK(site.body("/other") == "true");  // equal to 1 in some languages
  CHECK(site.purge(PurgeBy::Target, "/value", true).empty());
  CHECK(site.body("/value") == "true");
}

TEST_CASE("response cache: the part of the query that is in the key") {
  Policy policy = minute();
  policy.query = Policy::Query::Listed;
  policy.parameters = {"a", "b"};
  Site site(policy);
  CHECK(site.body("/x?a=1&utm=5") == "run 1");
  CHECK(site.body("/x?utm=6&a=1") == "run 1");
  CHECK(site.body("/x?a=1&a=2") == "run 2");
  CHECK(site.body("/x?a=2") == "run 3");
  CHECK(site.body("/x?b=1") == "run 4");
  CHECK(site.body("/x?ab=1") == "run 5");
  CHECK(site.body("/x") == "run 5");
  // A handler that decodes names would see a=9 here.
  CHECK(site.get("/x?%61=9").field("Cache-Status") == "leat; fwd=bypass");
  CHECK(site.body("/x") == "run 5");

  policy.query = Policy::Query::None;
  Site none(policy);
  CHECK(none.body("/x?a=1") == "run 1");
  CHECK(none.body("/x?b=%31") == "run 1");
}

TEST_CASE("response cache: credentials, cookies, ranges and bodies pass it by") {
  Site site;
  CHECK(site.body("/a") == "run 1");
  int run = 1;
  for (const char* field :
       {"Authorization: Basic eDp5\r\n", "Cookie: a=b\r\n", "Range: bytes=0-1\r\n", "If-Match: \"x\"\r\n",
        "If-Range: \"x\"\r\n", "If-Unmodified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n"}) {
    INFO(field);
    CHECK(site.body("/a", field) == fmt::format("run {}", ++run));
  }
  CHECK(site.body("/a") == "run 1");
  // What says that it is for all is sent to those with credentials too.
  site.script->fields = {{"Cache-Control", "public, max-age=60"}};
  CHECK(site.body("/b", "Authorization: Basic eDp5\r\n") == "run 8");
  CHECK(site.body("/b", "Authorization: Basic ejp6\r\n") == "run 8");
  CHECK(site.body("/b") == "run 8");
  // Never with a cookie that it sets.
  site.script->fields = {{"Cache-Control", "public, max-age=60"}, {"Set-Cookie", "a=b"}};
  CHECK(site.body("/c") == "run 9");
  CHECK(site.body("/c") == "run 10");

  Policy policy = minute();
  policy.cookies = true;
  Site open(policy);
  CHECK(open.body("/a", "Cookie: a=1\r\n") == "run 1");
  CHECK(open.body("/a", "Cookie: a=2\r\n") == "run 1");
}

TEST_CASE("response cache: a change by another method makes what is stored for its path invalid") {
  Site site;
  CHECK(site.body("/a?x=1") == "run 1");
  CHECK(site.get("/a", "Content-Length: 0\r\n", "POST").body == "run 2");
  CHECK(site.body("/a?x=1") == "run 3");
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "no", 422); };
  CHECK(site.get("/a", "Content-Length: 0\r\n", "POST").status == 422);
  CHECK(site.body("/a?x=1") == "run 3");
}

TEST_CASE("response cache: answers that vary are kept apart by the fields they name") {
  Site site;
  site.script->fields = {{"Vary", "Accept-Language, X-Kind"}};
  CHECK(site.body("/a", "Accept-Language: de, en\r\n") == "run 1");
  CHECK(site.body("/a", "Accept-Language: en\r\n") == "run 2");
  CHECK(site.get("/a", "Accept-Language: fr\r\n").field("Cache-Status") == "leat; fwd=vary-miss; stored");
  CHECK(site.body("/a", "X-Kind: 1\r\n") == "run 4");
  CHECK(site.body("/a") == "run 5");
  CHECK(site.body("/a", "X-Kind: \r\n") == "run 6");
  CHECK(site.body("/a", "Accept-Language:  de,en \r\nX-Other: 1\r\n") == "run 1");
  CHECK(site.body("/a", "Accept-Language: en\r\n") == "run 2");
  CHECK(site.body("/a", "x-kind: 1\r\n") == "run 4");
  CHECK(site.body("/a") == "run 5");
  CHECK(site.script->runs == 6);
}

TEST_CASE(
    "response cache: thousands of variants take no more room than is allowed, and never the wrong answer") {
  Policy policy = minute();
  policy.variants = 8;
  Site site(policy);
  site.script->fields = {{"Vary", "X-Kind"}};
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, exchange.request.header("X-Kind"));
  };
  for (int i = 0; i < 3000; ++i) {
    const std::string kind = std::to_string(i % 1500);
    CHECK(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
  }
  CHECK(site.statistics().entries <= 9);
  const int runs = site.script->runs;
  CHECK(site.body("/a", "X-Kind: 1499\r\n") == "1499");
  CHECK(site.script->runs == runs);
}

namespace {

// Handlers that answer when they are told to.
struct Held {
  explicit Held(Site& on) : site(on) {
    site.script->answer = [this](http::Exchange& exchange) {
      tickets.push_back(exchange.suspend());
      return Verdict::Pending;
    };
  }
  // Has the handler's run of that number (from 0) answer.
  void answer(size_t run, uint16_t status = 200, std::string_view field = "") {
    http::Exchange* exchange = site.harness->exchanges.find(tickets.at(run));
    REQUIRE(exchange != nullptr);
    struct What {
      Script* script;
      std::string body, field;
      uint16_t status;
    } what{site.script, fmt::format("answer {}", run), std::string(field), status};
    exchange->session().resume(
        *exchange,
        [](http::Exchange& resumed, void* argument) {
          What& said = *static_cast<What*>(argument);
          if (!said.field.empty()) REQUIRE(resumed.response.add("Cache-Control", said.field));
          (void)said.script->say(resumed, said.body, said.status);
        },
        &what);
    site.harness->resume_ready();
  }
  // The deadlines of those that wait pass, oldest first.
  void deadline() {
    std::vector<test::TestWorker::Waiting> due;
    due.swap(site.harness->worker.waiting);
    for (const auto& each : due) site.harness->resume(each);
  }
  Site& site;
  std::vector<http::Ticket> tickets;
};

}  // namespace

TEST_CASE("response cache: those who ask at the same time wait for one run of the handler") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), other(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  other.ask("/b");
  CHECK(site.script->runs == 2);
  CHECK(second.take().status == 0);
  held.answer(0);
  CHECK(first.take().body == "answer 0");
  const Answer waited = second.take();
  CHECK(waited.body == "answer 0");
  CHECK(waited.field("Cache-Status") == "leat; hit; ttl=60");
  CHECK(third.take().body == "answer 0");
  CHECK(other.take().status == 0);
  held.deadline();  // of those who have been answered: nothing happens
  held.answer(1);
  CHECK(other.take().body == "answer 1");
  CHECK(site.script->runs == 2);
  CHECK(site.script->ended == 2);
}

TEST_CASE(
    "response cache: what is not stored is answered by a run for each who waited, and then nobody waits") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), later(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 200, "private");
  CHECK(site.script->runs == 3);
  later.ask("/a");
  CHECK(site.script->runs == 4);
  for (const size_t run : {1, 2, 3}) held.answer(run, 200, "private");
  CHECK(second.take().body == "answer 1");
  CHECK(third.take().body == "answer 2");
  CHECK(later.take().body == "answer 3");
}

TEST_CASE("response cache: when the client whose request leads goes away, the next one leads") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  first.leave();
  site.harness->resume_ready();
  CHECK(site.script->runs == 2);
  held.answer(1);
  CHECK(second.take().body == "answer 1");
  CHECK(third.take().body == "answer 1");
}

TEST_CASE(
    "response cache: after a failure one retry leads; when that fails the others are told to come again") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 500);
  CHECK(first.take().status == 500);
  CHECK(site.script->runs == 2);
  CHECK(third.take().status == 0);
  SECTION("it succeeds") {
    held.answer(1);
    CHECK(second.take().body == "answer 1");
    CHECK(third.take().body == "answer 1");
  }
  SECTION("it fails") {
    held.answer(1, 502);
    CHECK(second.take().status == 502);
    const Answer told = third.take();
    CHECK(told.status == 503);
    CHECK(told.field("Retry-After") == "1");
    CHECK(site.script->runs == 2);
  }
}

TEST_CASE("response cache: who waited for too long tries itself, once; the others get a 504") {
  Site site;
  Held held(site);
  Site::Client first(site), second(site), third(site), fourth(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.deadline();
  CHECK(site.script->runs == 2);
  CHECK(third.take().status == 504);
  fourth.ask("/a");
  CHECK(site.script->runs == 2);
  SECTION("the first is done after all") {
    held.answer(0);
    CHECK(fourth.take().body == "answer 0");
    held.answer(1);
    CHECK(second.take().body == "answer 1");
  }
  SECTION("the retry is done first") {
    held.answer(1);
    CHECK(second.take().body == "answer 1");
    CHECK(fourth.take().body == "answer 1");
    CHECK(first.take().status == 0);
    held.answer(0);
    CHECK(first.take().body == "answer 0");
  }
}

TEST_CASE("response cache: those who wait get what is stale when the handler they wait for fails") {
  Policy policy = minute();
  policy.stale_if_error_ms = 30'000;
  Site site(policy);
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  Held held(site);
  Site::Client first(site), second(site), third(site);
  first.ask("/a");
  second.ask("/a");
  third.ask("/a");
  held.answer(0, 500);
  CHECK(first.take().body == "run 1");
  held.answer(1, 500);
  CHECK(second.take().body == "run 1");
  CHECK(third.take().body == "run 1");
}

TEST_CASE("response cache: conditions are judged by what is stored") {
  Site site;
  site.script->fields = {{"Last-Modified", "Tue, 14 Nov 2023 22:13:20 GMT"}};
  const std::string etag = site.get("/a").field("ETag");
  const auto status = [&](const std::string& fields) { return site.get("/a", fields).status; };
  CHECK(status("If-None-Match: " + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x\", W/" + etag + "\r\n") == 304);
  CHECK(status("If-None-Match: \"x\"\r\n") == 200);
  CHECK(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n") == 304);
  CHECK(status("If-Modified-Since: Tue, 14 Nov 2023 22:13:19 GMT\r\n") == 200);
  CHECK(status("If-Modified-Since: yesterday\r\n") == 200);
  // If-None-Match goes first (RFC 9110, section 13.1.3).
  CHECK(status("If-None-Match: \"x\"\r\nIf-Modified-Since: Tue, 14 Nov 2023 22:13:20 GMT\r\n") == 200);
  const Answer unchanged = site.get("/a", "If-None-Match: *\r\n");
  CHECK(unchanged.status == 304);
  CHECK(unchanged.body.empty());
  CHECK(unchanged.field("ETag") == etag);
  CHECK(unchanged.field("Content-Type").empty());
  CHECK(site.script->runs == 1);
  // Also by whoever has it made.
  site.pass(60'000);
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "run 1"); };
  CHECK(status("If-None-Match: " + etag + "\r\n") == 304);
  CHECK(site.script->runs == 2);
  CHECK(site.body("/a") == "run 1");
}

TEST_CASE("response cache: what is stale is sent while it is made anew, once") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  CHECK(site.body("/a?q=1", "Accept: x/y\r\nIf-None-Match: \"z\"\r\n") == "run 1");
  site.pass(61'500);
  const Answer stale =
      site.get("/a?q=1", "Accept: x/y\r\nIf-None-Match: \"z\"\r\nConnection: keep-alive\r\n");
  CHECK(stale.body == "run 1");
  CHECK(stale.field("Cache-Status") == "leat; hit; ttl=-2");
  CHECK(stale.field("Age") == "61");
  CHECK(site.body("/a?q=1") == "run 1");
  REQUIRE(
      site.harness->worker.asked ==
      std::vector<std::string>{"GET /a?q=1 HTTP/1.1\r\nHost: a\r\nAccept: x/y\r\nConnection: close\r\n\r\n"});
  site.refresh();
  CHECK(site.body("/a?q=1") == "run 2");
  CHECK(site.script->runs == 2);

  SECTION("one that fails is tried again after a while, and the stale one serves as long as it may") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "broken", 500); };
    site.pass(60'000);
    CHECK(site.body("/a?q=1") == "run 2");
    site.refresh();
    CHECK(site.body("/a?q=1") == "run 2");
    CHECK(site.harness->worker.asked.empty());
    site.pass(policy.wait_ms);
    CHECK(site.body("/a?q=1") == "run 2");
    CHECK(site.harness->worker.asked.size() == 1);
    site.pass(30'000);
    CHECK(site.get("/a?q=1").status == 500);
  }
  SECTION("where the worker cannot ask itself, whoever finds it stale has it made") {
    site.harness->worker.asks_self = false;
    site.pass(60'000);
    CHECK(site.body("/a?q=1") == "run 3");
  }
}

TEST_CASE("response cache: what is stale stands in for a handler that fails") {
  Policy policy = minute();
  policy.stale_if_error_ms = 30'000;
  Site site(policy);
  site.script->fields = {{"X-Kept", "yes"}};
  CHECK(site.body("/a") == "run 1");
  site.pass(60'000);
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "broken", 503); };
  const Answer stale = site.get("/a");
  CHECK(stale.status == 200);
  CHECK(stale.body == "run 1");
  CHECK(stale.field("X-Kept") == "yes");
  CHECK(stale.field("Cache-Status") == "leat; fwd=stale; fwd-status=503; ttl=0");
  CHECK(site.script->runs == 2);
  // For a while nobody tries again.
  CHECK(site.body("/a") == "run 1");
  CHECK(site.script->runs == 2);
  site.pass(policy.wait_ms);
  CHECK(site.get("/a", "Authorization: Basic eDp5\r\n").status == 503);
  // Nor does an answer in pieces get through.
  site.script->answer = [](http::Exchange& exchange) {
    exchange.response.status = 500;
    exchange.begin(std::nullopt);
    exchange.write("broken");
    exchange.end();
    return Verdict::Done;
  };
  CHECK(site.body("/a") == "run 1");
  CHECK(site.script->runs == 4);
  site.pass(30'000);
  CHECK(site.get("/a").status == 500);
  // One that forgets to answer has failed as well.
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "fine"); };
  CHECK(site.body("/b") == "fine");
  site.pass(60'000);
  site.script->answer = [](http::Exchange&) { return Verdict::Error; };
  CHECK(site.body("/b") == "fine");
}

TEST_CASE(
    "response cache: what is stale is validated by the handler's tag and date, and good again by its 304") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  const std::string date = "Tue, 14 Nov 2023 22:13:20 GMT";
  site.script->fields = {{"ETag", "\"one\""}, {"Last-Modified", date}, {"X-Kept", "a"}, {"X-Run", "1"}};
  std::string seen;
  site.script->answer = [&](http::Exchange& exchange) {
    const http::Request& request = exchange.request;
    seen = fmt::format("{} {} {}", request.header(http::HeaderId::IfNoneMatch),
                       request.header(http::HeaderId::IfModifiedSince), request.header("X-Asked"));
    CHECK(add_tag(exchange, fmt::format("run-{}", site.script->runs)));
    const bool same = request.header(http::HeaderId::IfNoneMatch) == "\"one\"";
    return site.script->say(exchange, same ? "" : "body", same ? 304 : 200);
  };
  CHECK(site.body("/a", "X-Asked: yes\r\n") == "body");
  CHECK(seen == "  yes");
  site.pass(91'000);
  site.script->fields = {{"X-Run", "2"}, {"Cache-Control", "max-age=120"}, {"Content-Language", "de"}};

  SECTION("for the client who finds it stale") {
    const Answer fresh = site.get("/a", "X-Asked: yes\r\n");
    CHECK(seen == "\"one\" " + date + " yes");
    CHECK(fresh.status == 200);
    CHECK(fresh.body == "body");
    CHECK(fresh.field("Cache-Status") == "leat; fwd=stale; fwd-status=304; stored");
    CHECK(fresh.field("Content-Type") == "text/plain");
    CHECK(fresh.field("ETag") == "\"one\"");
    CHECK(fresh.field("X-Kept") == "a");
    CHECK(fresh.field("X-Run") == "2");
    CHECK(fresh.field("Content-Language").empty());  // of the body, which is the stored one
    site.pass(119'000);
    const Answer hit = site.get("/a");
    CHECK(hit.body == "body");
    CHECK(hit.field("Cache-Status") == "leat; hit; ttl=1");
    CHECK(hit.field("X-Run") == "2");
    CHECK(site.script->runs == 2);
  }
  SECTION("and the client's own conditions are judged by it") {
    CHECK(site.get("/a", "If-None-Match: \"zero\", \"one\"\r\n").status == 304);
    CHECK(seen == "\"one\" " + date + " ");
    site.pass(200'000);
    CHECK(site.get("/a", "If-None-Match: \"zero\"\r\n").body == "body");
    CHECK(seen == "\"one\" " + date + " ");
    site.pass(200'000);
    CHECK(site.get("/a", "If-Modified-Since: " + date + "\r\n").status == 304);
    CHECK(site.script->runs == 4);
  }
  SECTION("in the background") {
    site.pass(200'000);
    CHECK(site.body("/a") == "body");  // now good for two minutes
    site.pass(130'000);
    CHECK(site.get("/a").field("Cache-Status") == "leat; hit; ttl=-10");
    site.refresh();
    CHECK(seen == "\"one\" " + date + " ");
    CHECK(site.get("/a").field("Cache-Status") == "leat; hit; ttl=120");
    CHECK(site.script->runs == 3);
  }
  SECTION("and keeps the tags by which it is purged, beside new ones") {
    CHECK(site.body("/a") == "body");
    CHECK(site.body("/a") == "body");
    CHECK(site.script->runs == 2);
    CHECK(site.purge(PurgeBy::Tag, GENERATE("run-1", "run-2"), true).empty());
    CHECK(site.body("/a") == "body");
    CHECK(seen == "  ");  // there is nothing to be validated
    CHECK(site.script->runs == 3);
  }
  SECTION("unless it has another by now") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "other"); };
    CHECK(site.body("/a") == "other");
    CHECK(site.body("/a") == "other");
    CHECK(site.script->runs == 2);
  }
  SECTION("or fails") {
    site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "", 500); };
    CHECK(site.get("/a").status == 500);
  }
}

TEST_CASE(
    "response cache: a tag that was made here is not shown to the handler, and its 304 not taken for more") {
  Site site;
  std::string seen = "nothing";
  const std::string etag = site.get("/a").field("ETag");
  CHECK(etag.size() == 34);
  site.script->answer = [&](http::Exchange& exchange) {
    seen = exchange.request.header(http::HeaderId::IfNoneMatch);
    return site.script->say(exchange, "", 304);
  };
  site.pass(60'000);
  CHECK(site.get("/a").status == 304);
  CHECK(seen.empty());
  CHECK(site.get("/a", "If-None-Match: \"z\"\r\n").status == 304);
  CHECK(seen == "\"z\"");
  CHECK(site.script->runs == 3);
}

TEST_CASE("response cache: purged by target, folder, tag or all, softly or hard") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  Site site(policy);
  site.harness->worker.asks_self = true;
  site.script->fields = {{"Cache-Tag", "one, two words"}};
  const auto purge = [&](PurgeBy by, std::string_view what, bool hard) {
    CHECK(site.purge(by, what, hard).empty());
    // 'g': as if never stored; 's': stale; 'h': untouched.
    const int runs = site.script->runs;
    const std::string before = site.harness->worker.asked.empty() ? "" : "?";
    (void)site.get("/users/7?full");
    const char seen = site.script->runs != runs ? 'g' : site.harness->worker.asked.empty() ? 'h' : 's';
    site.refresh();
    return before + seen;
  };
  (void)site.get("/users/7?full");
  CHECK(purge(PurgeBy::Target, "/users/7", false) == "s");
  CHECK(purge(PurgeBy::Target, "/users/7", true) == "g");
  CHECK(purge(PurgeBy::Target, "/users/7?full", false) == "s");
  CHECK(purge(PurgeBy::Target, "/users/7?other", true) == "h");
  CHECK(purge(PurgeBy::Target, "/users", true) == "h");
  CHECK(purge(PurgeBy::Folder, "/users", false) == "s");
  CHECK(purge(PurgeBy::Folder, "/users/", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/users/7", true) == "g");
  CHECK(purge(PurgeBy::Folder, "/user", true) == "h");
  CHECK(purge(PurgeBy::Folder, "/users/7/x", true) == "h");
  CHECK(purge(PurgeBy::Tag, "one", false) == "s");
  CHECK(purge(PurgeBy::Tag, "two words", true) == "g");
  CHECK(purge(PurgeBy::Tag, "two", true) == "h");
  CHECK(purge(PurgeBy::All, "", false) == "s");
  CHECK(purge(PurgeBy::All, "", true) == "g");
  CHECK_FALSE(site.purge(PurgeBy::Target, "users", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Folder, "/a?b", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Folder, "/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16", true).empty());
  CHECK_FALSE(site.purge(PurgeBy::Tag, "", true).empty());
}

TEST_CASE("response cache: what a handler was making while it was purged is purged with it") {
  Site site;
  site.script->answer = [&](http::Exchange& exchange) {
    const std::string read = "old";
    CHECK(site.purge(PurgeBy::Target, "/a", false).empty());
    return site.script->say(exchange, read);
  };
  CHECK(site.body("/a") == "old");
  site.script->answer = [&](http::Exchange& exchange) { return site.script->say(exchange, "new"); };
  CHECK(site.body("/a") == "new");
  CHECK(site.body("/a") == "new");
  CHECK(site.script->runs == 2);
}

TEST_CASE("response cache: an answer in pieces is stored when it is whole, and never when it was cut") {
  Site site(minute(), {.bytes = 1 << 20, .entry_bytes = 4096});
  size_t pieces = 3;
  bool cut = true;
  site.script->answer = [&](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    for (size_t i = 0; i < pieces; ++i) exchange.write(std::string(1000, static_cast<char>('a' + i)));
    cut ? exchange.abort() : static_cast<void>(exchange.end());
    return Verdict::Done;
  };
  (void)site.get("/a");
  cut = false;
  const Answer made = site.get("/a");
  CHECK(made.field("Transfer-Encoding") == "chunked");
  CHECK(site.script->runs == 2);
  const Answer stored = site.get("/a");
  CHECK(stored.body == std::string(1000, 'a') + std::string(1000, 'b') + std::string(1000, 'c'));
  CHECK(stored.field("Content-Length") == "3000");
  CHECK(site.script->runs == 2);
  pieces = 5;  // too large
  (void)site.get("/b");
  (void)site.get("/b");
  CHECK(site.script->runs == 4);
}

TEST_CASE("response cache: Cache-Control of requests counts where the route says so") {
  Site deaf;
  CHECK(deaf.body("/a") == "run 1");
  CHECK(deaf.body("/a", "Cache-Control: no-cache\r\n") == "run 1");

  Policy policy = minute();
  policy.client_control = true;
  Site site(policy);
  const auto body = [&](std::string_view directive) {
    return site.body("/a", fmt::format("Cache-Control: {}\r\n", directive));
  };
  CHECK(site.get("/a", "Cache-Control: only-if-cached\r\n").status == 504);
  CHECK(site.body("/a") == "run 1");
  CHECK(body("only-if-cached") == "run 1");
  CHECK(body("no-cache") == "run 2");
  CHECK(site.body("/a") == "run 2");
  CHECK(body("no-store") == "run 3");
  CHECK(site.body("/a") == "run 2");
  CHECK(site.body("/a", "Pragma: no-cache\r\n") == "run 4");
  site.pass(10'000);
  CHECK(body("max-age=10") == "run 4");
  CHECK(body("max-age=9") == "run 5");
  CHECK(body("min-fresh=60") == "run 5");
  CHECK(body("min-fresh=61") == "run 6");
  CHECK(body("max-age=100, max-stale=5") == "run 6");
}

TEST_CASE("response cache: a full budget evicts, and everything goes on") {
  Site site(minute(), {.bytes = 64 << 10, .entry_bytes = 8 << 10});
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(4000, exchange.request.path().back()));
  };
  for (int i = 0; i < 2000; ++i) {
    const std::string path = fmt::format("/{}/{}", i % 200, static_cast<char>('a' + i % 26));
    CHECK(site.body(path) == std::string(4000, path.back()));
  }
  CHECK(site.statistics().bytes <= 64 << 10);
  CHECK(site.statistics().evictions > 0);
}

TEST_CASE("response cache: thousands of variants take turns in the places of one target, and nobody else's") {
  Policy policy = minute();
  policy.variants = 16;
  Site site(policy);
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, exchange.request.header("X-Kind"));
  };
  CHECK(site.body("/other", "X-Kind: mine\r\n") == "mine");
  site.script->fields = {{"Vary", "X-Kind"}};
  for (int i = 0; i < 5000; ++i) {
    const std::string kind = std::to_string(i);
    REQUIRE(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
    REQUIRE(site.body("/a", "X-Kind: " + kind + "\r\n") == kind);
    REQUIRE(site.statistics().entries <= 2 + policy.variants);
  }
  CHECK(site.script->runs == 5001);
  CHECK(site.body("/a", "X-Kind: 4990\r\n") == "4990");
  CHECK(site.body("/other", "X-Kind: mine\r\n") == "mine");
  CHECK(site.script->runs == 5001);
}

TEST_CASE(
    "response cache: what is larger than an entry may be is sent, not stored, and waited for by nobody") {
  Site site(minute(), {.bytes = 1 << 20, .entry_bytes = 2000});
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(3000, 'x'));
  };
  for (int i = 1; i <= 3; ++i) {
    const Answer answer = site.get("/a");
    CHECK(answer.body.size() == 3000);
    CHECK(answer.field("Cache-Status") == "leat; fwd=uri-miss");
    CHECK(site.script->runs == i);
  }
  CHECK(site.statistics().entries == 1);  // the mark that says so
}

TEST_CASE("response cache: a hit allocates nothing, of a variant neither") {
  Site site;
  site.script->answer = [&](http::Exchange& exchange) {
    return site.script->say(exchange, std::string(5412, 'x'));
  };
  if (GENERATE(false, true)) site.script->fields = {{"Vary", "Accept-Language, X-Client, Accept-Encoding"}};
  Site::Client client(site);
  const std::string request =
      "GET /a HTTP/1.1\r\nHost: a\r\nAccept-Language: de-CH, de;q=0.9,  en;q=0.5\r\nX-Client: seven\r\n\r\n";
  for (int i = 0; i < 20; ++i) {
    client.session().feed(request);
    CHECK(client.take().status == 200);
  }
  const size_t before = leat::test::allocations();
  for (int i = 0; i < 100; ++i) {
    client.session().feed(request);
    client.session().sent(client.session().output().size());
  }
  CHECK(leat::test::allocations() == before);
  CHECK(site.script->runs == 1);
}

TEST_CASE("response cache: of a head that comes again no more is remembered than what it says") {
  Site site;
  site.script->fields = {{"ETag", "\"1\""}, {"Cache-Control", "public"}};
  Site::Client client(site);
  const auto ask = [&](std::string_view target, std::string_view fields = "") {
    client.ask(target, fields);
    return client.take();
  };
  // So often that each is known, and lies beside others that differ in one thing.
  for (int i = 0; i < 100; ++i) {
    CHECK(ask("/a").body == "run 1");
    CHECK(ask("/a?b").body == "run 2");
    CHECK(ask("/a", "If-None-Match: \"1\"\r\n").status == 304);
    CHECK(ask("/a", "If-None-Match: \"2\"\r\n").status == 200);
    CHECK(ask("/a", "Authorization: Basic eA==\r\n").body == "run 1");
    CHECK(ask("/a", "Host: b\r\n").body == "run 3");
    CHECK(ask("/a", "Cookie: a=b\r\n").field("Cache-Status") == "leat; fwd=bypass");
    --site.script->runs;
  }
  CHECK(site.script->runs == 3);
}

}  // namespace leat::cache

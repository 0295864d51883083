// Keys that a server publishes: when they are fetched, what of an answer is taken, and whose token waits for them.
#include "middleware/published_keys.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "client/errand.h"
#include "middleware/scripted_fetcher.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;
using client::FetchStatus;
using Next = client::Errand::Plan::Next;

// Two keys of P-256, which python3-cryptography has made, and a token of each, which is by PyJWT: {"sub": "alice"}.
std::string key(const std::string& id, const std::string& x, const std::string& y) {
  return fmt::format(R"({{"kty":"EC","crv":"P-256","use":"sig","kid":"{}","x":"{}","y":"{}"}})", id, x, y);
}
const std::string kOne =
    key("one", "ZcF6_-oOzDPOoZb92tuggw1XgcMTDl2a1qWBnPOThRw", "K28FW9ruhoOAiEsLU4JJe8svFfNpG4JcuvrKe43M_kc");
const std::string kTwo =
    key("two", "LMYbC6IBBoQARwZXieGKXgIAZFBKkJVrQ-dWo40gsZM", "5-Y0VSi65qUGVGw6MOzk1d_QtkeeG067hvrdzonGR8Y");
const std::string kTokenOfOne =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6Im9uZSJ9.eyJzdWIiOiJhbGljZSJ9."
    "M6DYKzhradW6uqaY5kJZb5-pVfUAK8GafPbBdoD86-fRZdCO5hMoztulLPHMknAl6XHQpPYu-O6htiS4npYwXA";
const std::string kTokenOfTwo =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6InR3byJ9.eyJzdWIiOiJhbGljZSJ9."
    "JE84qRB9Efg-EyByKQF6a55Wmk0WCGwEMKWVKp38ly2MDoXQxKXmJyvKC1dI_qfojs_eA1JAGbnQem9KJFIylA";

std::string set_of(const std::string& keys) { return R"({"keys":[)" + keys + "]}"; }
std::string bearer(const std::string& token) { return "Authorization: Bearer " + token + "\r\n"; }

// What has been read of a set: the ids of its keys, or what is wrong, and what was left out.
std::string read(const std::string& text) {
  JwksReader reader(text);
  size_t steps = 0;
  while (reader.step()) ++steps;
  if (!reader.wrong().empty()) return "wrong: " + reader.wrong();
  std::string told = reader.left_out().empty() ? "" : reader.left_out() + "; ";
  const TokenKeys keys = reader.take_keys();
  for (const TokenKey& each : keys.all()) told += each.id + " ";
  CHECK(reader.take_text() == text);
  CHECK(steps >= keys.all().size());
  return told;
}

// One worker's errand, whose server is the test.
struct Tended {
  explicit Tended(KeySource source = {}) {
    source.upstream = *client::Upstream::parse("http://keys.example", {});
    source.path = "/jwks";
    keys = std::make_shared<PublishedKeys>(std::make_shared<const KeySource>(std::move(source)),
                                           PublishedKeys::KeyCounters{.changed = counter("changed"),
                                                                      .same = counter("same"),
                                                                      .wrong = counter("wrong"),
                                                                      .failed = counter("failed")});
    worker.asks = &fetcher;
    keys->tend(worker);
    REQUIRE(fetcher.errand != nullptr);
  }
  std::shared_ptr<metrics::Metric> counter(const std::string& result) {
    return *registry.declare({.name = "fetches_total", .help = "", .labels = {{"result", result}}}, 1);
  }
  uint64_t counted(const std::string& result) { return counter(result)->count(); }
  client::Errand::Plan plan() { return fetcher.errand->plan(worker.now_ms, false); }
  void answered(const std::string& body, std::vector<client::Field> fields = {}, uint16_t code = 200) {
    client::Fetch fetch{.status = FetchStatus::Answered, .code = code, .fields = fields, .body = body};
    fetcher.errand->on_fetched(fetch, worker.now_ms);
  }
  void failed() {
    client::Fetch fetch{.status = FetchStatus::Failed, .message = "it is away"};
    fetcher.errand->on_fetched(fetch, worker.now_ms);
  }
  // After how long it asks again, having read whatever it was given.
  uint64_t asks_after() {
    const uint64_t from_ms = worker.now_ms;
    for (int i = 0; i < 1000; ++i) {
      const auto next = plan();
      if (next.next == Next::Ask) return worker.now_ms - from_ms;
      REQUIRE(next.next == Next::Wait);
      worker.now_ms += next.wait_ms;
    }
    FAIL("it never asks again");
    return 0;
  }
  [[nodiscard]] std::string taken() {
    PublishedKeys::TakenUp taken;
    if (!keys->take_up(taken)) return "(none)";
    std::string ids;
    for (const TokenKey& each : taken.keys->all()) ids += each.id + " ";
    return ids;
  }
  [[nodiscard]] bool good() { return keys->good(worker.now_ms); }

  metrics::Registry registry;
  ScriptedFetcher fetcher;
  leat::test::TestWorker worker;
  std::shared_ptr<PublishedKeys> keys;
};

// A route behind a jwt with a url.
struct Site {
  explicit Site(Value::Table more = {}, const Surroundings& surroundings = {})
      : stage(kinds(), surroundings) {
    more.push_back(entry("url", std::string("unix:/run/keys.sock")));
    more.push_back(texts("algorithms", {"ES256"}));
    more.push_back(texts("needed", {}));
    stage.middleware("jwt", std::move(more));
    stage.route("/").on_handle = [](http::Exchange& exchange) {
      exchange.send(exchange.arena().copy(exchange.request.user()));
      return Verdict::Done;
    };
    stage.harness().worker.asks = &server;
  }
  leat::test::TestWorker& worker() { return stage.harness().worker; }
  std::string get(const std::string& token) { return stage.get("/", bearer(token)); }
  // The errand that was begun last fetches, and is through with it.
  void answers(const std::string& body, uint16_t code = 200) {
    REQUIRE(server.errand != nullptr);
    REQUIRE(server.errand->plan(worker().now_ms, false).next == Next::Ask);
    client::Fetch fetch{.status = FetchStatus::Answered, .code = code, .body = body};
    server.errand->on_fetched(fetch, worker().now_ms);
    while (server.errand->plan(worker().now_ms, false).next == Next::Wait) {
    }
    server.errand.reset();
  }
  // What those are answered who waited.
  std::string told() {
    stage.harness().resume_all();
    return leat::test::HttpHarness::take(stage.session());
  }

  ScriptedFetcher server;
  Stage stage;
};

}  // namespace

TEST_CASE("published_keys: of a set is taken what can be used; the rest of it is left out") {
  CHECK(read(set_of(kOne + "," + kTwo)) == "one two ");
  CHECK(read(set_of(kOne) + " \n") == "one ");
  CHECK(read(R"({"more":{"a":[1]},"keys":[)" + kOne + R"(],"keys2":[]})") == "one ");
  // What is not for signatures, or of a kind that nobody knows, without a word (RFC 7517, section 5).
  CHECK(read(set_of(R"({"kty":"new"},{"kty":"EC","crv":"P-256","use":"enc"},)" + kTwo)) == "two ");
  CHECK(read(set_of(R"({"kty":"EC","crv":"P-256","kid":"bad","x":"AAAA","y":"AAAA"},)" + kTwo)) ==
        "number 1 is left out: this is no point of P-256; two ");
  CHECK(read(set_of(kTwo + R"(,{"kty":"oct","k":")" + std::string(64, 'A') + "\"}")) ==
        "number 2 is left out: it is a secret that anybody can read; two ");
  CHECK(read(set_of(kTwo.substr(0, kTwo.size() - 1) + R"(,"d":"AAAA"},)" + kOne)).contains("a private key"));
  CHECK(read(set_of(key(std::string(257, 'k'), "AAAA", "AAAA") + "," + kOne)).ends_with("; one "));
  CHECK(read(set_of(R"({"kty":"RSA","e":"AQAB","n":")" + std::string(700, '_') + "\"}," + kOne)) ==
        "number 1 is left out: it has more than 4096 bits; one ");
  // Two of one id are both there: whoever has either is let in.
  CHECK(read(set_of(kOne + "," + kOne)) == "one one ");
}

TEST_CASE("published_keys: what is no set is none of it") {
  for (const std::string text :
       {"", "{", "[]", "{}", "keys", R"({"keys":{}})", R"({"keys":1})", R"({"keys":[)"})
    CHECK(read(text) == "wrong: this is no set of keys (RFC 7517)");
  CHECK(read(kOne) == "wrong: this is no set of keys (RFC 7517)");
  CHECK(read(R"({"keys":[],"keys":[)" + kOne + "]}") == "wrong: this is no set of keys (RFC 7517)");
  CHECK(read(set_of("")) == "wrong: there is none in it that is for signatures");
  CHECK(read(set_of("1")) == "wrong: number 1 is left out: it is no JSON object");
  CHECK(read(set_of(R"({"kty":"oct","k":")" + std::string(64, 'A') + "\"}")).contains("a secret"));
  std::string many = kOne;
  for (int i = 1; i < 64; ++i) many += "," + kOne;
  CHECK(read(set_of(many)).starts_with("one one "));
  CHECK(read(set_of(many + "," + kOne)) == "wrong: there are more than 64 keys");
}

TEST_CASE("published_keys: they are fetched at the start, and again when their time has come") {
  Tended tended;
  const auto first = tended.plan();
  REQUIRE(first.next == Next::Ask);
  CHECK((*first.upstream)->url() == "http://keys.example");
  CHECK(first.request.method == "GET");
  CHECK(first.request.target == "/jwks");
  CHECK(first.request.timeout_ms == 5000);
  CHECK_FALSE(tended.good());
  CHECK(tended.taken() == "(none)");
  tended.answered(set_of(kOne));
  CHECK(tended.asks_after() >= 900'000);
  CHECK(tended.taken() == "one ");
  CHECK(tended.good());
  tended.answered(set_of(kOne + "," + kTwo), {{"cache-control", "public, Max-Age=60, must-revalidate"}});
  CHECK(tended.asks_after() == 60'000);
  CHECK(tended.taken() == "one two ");
  // Within its bounds: not at once, and no later than the interval.
  tended.answered(set_of(kOne), {{"Cache-Control", "max-age=0"}});
  CHECK(tended.asks_after() == 10'000);
  tended.answered(set_of(kOne), {{"Cache-Control", "max-age=999999"}});
  CHECK(tended.asks_after() == 900'000);
  tended.answered(set_of(kTwo), {{"Cache-Control", "max-age=x"}});
  CHECK(tended.asks_after() == 900'000);
  CHECK(tended.counted("changed") == 4);
  CHECK(tended.counted("same") == 1);
}

TEST_CASE("published_keys: those that there were stay while the server is away, until they are too old") {
  LogText log;
  {
    Tended tended({.max_age_ms = 1'000'000});
    REQUIRE(tended.plan().next == Next::Ask);
    tended.failed();
    CHECK(tended.asks_after() == 10'000);
    tended.answered(set_of(kOne));
    const uint64_t since_ms = tended.worker.now_ms;
    CHECK(tended.asks_after() >= 900'000);
    tended.answered("nonsense");
    CHECK(tended.asks_after() == 10'000);
    tended.answered(set_of(""));
    CHECK(tended.asks_after() == 10'000);
    for (const int code : {204, 301, 404, 500}) {
      tended.answered(set_of(kTwo), {}, static_cast<uint16_t>(code));
      CHECK(tended.asks_after() == 10'000);
    }
    CHECK(tended.taken() == "one ");
    CHECK(tended.good());
    tended.worker.now_ms = since_ms + 1'000'000;
    CHECK_FALSE(tended.good());
    // An answer as before is as good as another.
    tended.failed();
    (void)tended.asks_after();
    tended.answered(set_of(kOne));
    CHECK(tended.good());
    CHECK(tended.counted("wrong") == 2);
    CHECK(tended.counted("failed") == 6);
  }
  const std::string text = log.take();
  CHECK(text.contains(
      "jwt: the keys of http://keys.example/jwks cannot be had: it is away; until there are any, "
      "no token is taken"));
  CHECK(text.contains("are none: this is no set of keys (RFC 7517); those that there were stay for now"));
  CHECK(text.contains("cannot be had: it answered 301"));
}

TEST_CASE("published_keys: one worker sees to them, and another where that one has ended") {
  Tended tended;
  leat::test::TestWorker second;
  ScriptedFetcher its;
  second.asks = &its;
  tended.keys->tend(second);
  CHECK(its.errand == nullptr);
  REQUIRE(tended.plan().next == Next::Ask);
  tended.failed();
  // The worker comes to its end.
  CHECK(tended.fetcher.errand->plan(tended.worker.now_ms, true).next == Next::Over);
  tended.fetcher.errand.reset();
  tended.keys->tend(second);
  REQUIRE(its.errand != nullptr);
  second.now_ms += 10'000;
  CHECK(its.errand->plan(second.now_ms, false).next == Next::Ask);
  // A fetch that is given up is under way no longer.
  its.errand.reset();
  tended.keys->tend(second);
  CHECK(its.errand->plan(second.now_ms, false).next == Next::Wait);
  second.now_ms += 10'000;
  CHECK(its.errand->plan(second.now_ms, false).next == Next::Ask);
  // And nobody fetches for those who are gone.
  tended.keys.reset();
  client::Fetch fetch{.status = FetchStatus::Answered, .code = 200};
  its.errand->on_fetched(fetch, second.now_ms);
  CHECK(its.errand->plan(second.now_ms, false).next == Next::Over);
}

TEST_CASE("jwt: with a url the first token waits until there are keys, and those behind it do not") {
  metrics::Registry registry;
  Site site({}, {.metrics = &registry});
  CHECK(site.get(kTokenOfOne).empty());
  site.answers(set_of(kOne));
  const std::string answer = site.told();
  CHECK(status_of(answer) == 200);
  CHECK(answer.ends_with("alice"));
  CHECK(site.get(kTokenOfOne).ends_with("alice"));
  CHECK(site.server.errand == nullptr);
  const std::string shown = registry.text();
  for (const char* line :
       {"result=\"accepted\"} 1\n", "result=\"remembered\"} 1\n", "result=\"unavailable\"} 0\n"})
    CHECK(shown.contains(std::string("leat_jwt_requests_total{instance=\"jwt\",") + line));
  CHECK(shown.contains("leat_jwt_fetches_total{instance=\"jwt\",result=\"changed\"} 1\n"));
}

TEST_CASE("jwt: keys that take turns: a token of a new one waits, one of a former one is refused") {
  Site site;
  CHECK(site.get(kTokenOfOne).empty());
  site.answers(set_of(kOne));
  CHECK(status_of(site.told()) == 200);
  // It was asked a moment ago: nothing is fetched for whoever makes up keys.
  for (int i = 0; i < 5; ++i) CHECK(status_of(site.get(kTokenOfTwo)) == 401);
  CHECK(site.server.errand == nullptr);
  site.worker().now_ms += 10'000;
  CHECK(site.get(kTokenOfTwo).empty());
  site.answers(set_of(kTwo));
  CHECK(status_of(site.told()) == 200);
  // Also what was remembered of it.
  const std::string former = site.get(kTokenOfOne);
  CHECK(status_of(former) == 401);
  CHECK(field(former, "WWW-Authenticate").contains("of a key that is not known"));
  // One that the server does not know either.
  site.worker().now_ms += 10'000;
  CHECK(site.get(kTokenOfOne).empty());
  site.answers(set_of(kTwo));
  CHECK(status_of(site.told()) == 401);
  CHECK(status_of(site.get(kTokenOfTwo)) == 200);
}

TEST_CASE("jwt: a key that takes the place of another with the same id, or without any, is noticed as well") {
  const auto called = [](const std::string& set_key, const std::string& id) {
    std::string text = set_key;
    return text.replace(text.find(R"("kid":")") + 7, 3, id);
  };
  for (const std::string id : {"two", ""}) {
    INFO(id);
    Site site;
    CHECK(site.get(kTokenOfTwo).empty());
    site.answers(set_of(called(kOne, id)));
    const std::string refused = site.told();
    CHECK(status_of(refused) == 401);
    CHECK(field(refused, "WWW-Authenticate").contains("the signature of the token is not good"));
    // Forgeries cause no more than a fetch each `least_interval`, and are told what is wrong with them.
    site.worker().now_ms += 9'999;
    for (int i = 0; i < 5; ++i)
      CHECK(field(site.get(kTokenOfTwo), "WWW-Authenticate").contains("the signature of the token is not"));
    CHECK(site.server.errand == nullptr);
    site.worker().now_ms += 1;
    CHECK(site.get(kTokenOfTwo).empty());
    site.answers(set_of(called(kTwo, id)));
    CHECK(site.told().ends_with("alice"));
    CHECK(site.get(kTokenOfTwo).ends_with("alice"));
  }
}

TEST_CASE("jwt: where there are no keys that may be used nobody is let in, and nobody is called a liar") {
  Site site({entry("max_age", std::string("20m"))});
  CHECK(site.get(kTokenOfOne).empty());
  site.answers("", 500);
  const std::string first = site.told();
  CHECK(status_of(first) == 503);
  CHECK(field(first, "Retry-After") == "1");
  CHECK(status_of(site.get(kTokenOfOne)) == 503);  // and does not ask at once
  CHECK(site.server.errand == nullptr);
  CHECK(status_of(site.stage.get("/")) == 401);  // there is no token, whatever the keys are
  site.worker().now_ms += 10'000;
  CHECK(site.get(kTokenOfOne).empty());
  site.answers(set_of(kOne));
  CHECK(status_of(site.told()) == 200);
  // What was remembered goes with the keys.
  site.worker().now_ms += 20 * 60'000;
  CHECK(site.get(kTokenOfOne).empty());
  site.answers("garbage");
  CHECK(status_of(site.told()) == 503);
}

TEST_CASE("jwt: so many wait for keys as may, and who leaves takes nothing along") {
  Site site({entry("waiting", int64_t{1})});
  CHECK(site.get(kTokenOfOne).empty());
  http1::Session second(site.stage.harness().environment, "192.0.2.2", 1);
  second.feed("GET / HTTP/1.1\r\nHost: a\r\n" + bearer(kTokenOfOne) + "\r\n");
  CHECK(status_of(leat::test::HttpHarness::take(second)) == 503);
  site.stage.session().disconnect();
  site.answers(set_of(kOne));
  site.stage.harness().resume_all();
  second.feed("GET / HTTP/1.1\r\nHost: a\r\n" + bearer(kTokenOfOne) + "\r\n");
  CHECK(leat::test::HttpHarness::take(second).ends_with("alice"));
  second.disconnect();
  second.output().clear();
}

TEST_CASE("jwt: where nobody fetches keys, tokens are answered 503") {
  Site site;
  site.server.full = true;
  CHECK(site.get(kTokenOfOne).empty());
  CHECK(status_of(site.told()) == 503);
  site.worker().asks = nullptr;
  CHECK(status_of(site.get(kTokenOfOne)) == 503);
}

TEST_CASE("jwt: keys are fetched without any request, and stay over a reload") {
  KeptStates states;
  ScriptedFetcher server;
  const auto options = [] {
    return Value::Table{entry("url", std::string("unix:/run/keys.sock")), texts("algorithms", {"ES256"}),
                        texts("needed", {})};
  };
  Stage former(kinds(), {.states = &states});
  former.middleware("jwt", options());
  former.route("/");
  former.harness().worker.asks = &server;
  former.start();
  REQUIRE(server.errand != nullptr);
  REQUIRE(server.errand->plan(former.harness().worker.now_ms, false).next == Next::Ask);
  const std::string set = set_of(kOne);
  client::Fetch fetch{.status = FetchStatus::Answered, .code = 200, .body = set};
  server.errand->on_fetched(fetch, former.harness().worker.now_ms);
  while (server.errand->plan(former.harness().worker.now_ms, false).wait_ms == 0) {
  }
  CHECK(status_of(former.get("/", bearer(kTokenOfOne))) == 200);

  const auto* const errand = server.errand.get();
  Stage next(kinds(), {.states = &states});
  next.middleware("jwt", options());
  next.route("/");
  next.harness().worker.asks = &server;
  next.start();
  CHECK(server.errand.get() == errand);
  CHECK(status_of(next.get("/", bearer(kTokenOfOne))) == 200);
  CHECK(status_of(next.get("/", bearer(kTokenOfTwo))) == 401);
}

TEST_CASE("jwt: what is wrong with the options of a url") {
  const auto said = [](Value::Table more, const std::string& algorithm = "ES256") {
    more.push_back(texts("algorithms", {algorithm}));
    const Diagnostics found = mistakes("jwt", std::move(more));
    return found.size() == 1 ? found[0].message : std::to_string(found.size());
  };
  const auto with_url = [](Value::Table more = {}) {
    more.push_back(entry("url", std::string("unix:/run/keys.sock")));
    return more;
  };
  CHECK(said(with_url()) == "0");
  CHECK(said(with_url({entry("file", std::string("/keys"))})).contains("not from both"));
  CHECK(said(with_url({entry("secret", std::string(32, 's'))})).contains("not from both"));
  CHECK(said(with_url(), "HS256").contains("is by a secret, and what is published is none"));
  CHECK(said(with_url({entry("interval", std::string("5s"))})) ==
        "`least_interval` is longer than `interval`");
  CHECK(
      said(with_url({entry("max_age", std::string("1m"))})).contains("`max_age` is shorter than `interval`"));
  CHECK(said(with_url({entry("path", std::string("keys"))})).contains("does not begin with a /"));
  CHECK(said({entry("url", std::string())}).contains("there is no key: name a `file`"));
  CHECK(said({entry("url", std::string("https://login.example/keys"))})
            .contains("paths belong to its requests"));
  CHECK(said({entry("secret", std::string(32, 's')), entry("interval", std::string("1m"))}, "HS256") ==
        "`interval` says something of keys that are fetched: name a `url`");
}

TEST_CASE("published_keys: workers that take them up while others come see whole ones") {
  Tended tended({.least_ms = 0});
  REQUIRE(tended.plan().next == Next::Ask);
  tended.answered(set_of(kOne));
  (void)tended.asks_after();
  std::atomic<bool> through = false;
  std::vector<std::thread> readers;
  std::atomic<uint64_t> torn = 0;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      PublishedKeys::TakenUp taken;
      while (!through) {
        if (!tended.keys->take_up(taken)) continue;
        if (taken.keys->all().size() != 1 + (taken.version + 1) % 2) ++torn;
      }
    });
  for (int i = 0; i < 200; ++i) {
    tended.answered(set_of(i % 2 == 0 ? kOne + "," + kTwo : kOne));
    (void)tended.asks_after();
  }
  through = true;
  for (std::thread& each : readers) each.join();
  CHECK(torn == 0);
  CHECK(tended.counted("changed") == 201);
}

}  // namespace leat::middleware

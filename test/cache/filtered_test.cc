// The cache among the filters of its route: what stands before it is stored, what stands behind it is not.
#include <catch2/generators/catch_generators.hpp>

#include "cache/site.h"
#include "http/edited_head.h"
#include "http/user_session.h"
#include "pipeline/codes.h"
#include "pipeline/scripted.h"

namespace leat::cache {

namespace {

using pipeline::Phase;
using pipeline::test::marks;
using pipeline::test::Scripted;
using pipeline::test::unchunked;
using Wants = http::AnswerFilter::Wants;

// Marks what is stored, and what each client gets, and counts both.
struct Marked {
  explicit Marked(const Policy& policy = minute()) : site(policy, {}, sip_hash<1, 3>, kinds) {}

  static Scripted counted(Scripted script, int& count) {
    script.answer = [&count, name = script.name](http::Exchange& exchange, http::AnswerBody&) {
      ++count;
      (void)exchange.response.add(name == "before" ? "X-Before" : "X-Behind", "yes");
      return Wants::Change;
    };
    return script;
  }
  int before = 0, behind = 0;
  Scripted stored = counted(marks("before", '(', ')', ';', Phase::Content), before);
  Scripted sent = counted(marks("behind", '[', ']', '.'), behind);
  std::vector<pipeline::MiddlewareKind> kinds = {stored.kind(), sent.kind()};
  Site site;
};

std::string body_of(const Answer& answer) { return unchunked(answer.head + "\r\n" + answer.body); }

}  // namespace

TEST_CASE("cache filters: one before the cache changes what is stored, one behind it what each client gets") {
  Marked marked;
  const std::string large(2 * http::Exchange::kLeastPinned, 'x');
  const int way = GENERATE(0, 1, 2);
  INFO(way);
  marked.site.script->answer = [&](http::Exchange& exchange) {
    if (way == 0) exchange.send("body");
    if (way == 1) exchange.send(large);
    if (way == 2) {
      exchange.begin(std::nullopt);
      exchange.write("bo");
      exchange.write("dy");
      exchange.end();
    }
    return Verdict::Done;
  };
  const std::string inner = way == 0 ? "(body);" : way == 1 ? "(" + large + ");" : "(bo)(dy);";
  const Answer miss = marked.site.get("/a");
  CHECK(miss.field("Cache-Status") == "leat; fwd=uri-miss; stored");
  CHECK(miss.field("X-Before") == "yes");
  CHECK(miss.field("X-Behind") == "yes");
  const Answer hit = marked.site.get("/a");
  CHECK(hit.field("Cache-Status").starts_with("leat; hit"));
  CHECK(hit.field("X-Before") == "yes");
  CHECK(hit.field("X-Behind") == "yes");
  CHECK(body_of(hit) == "[" + inner + "].");
  std::string once = body_of(miss);
  std::erase_if(once, [](char c) { return c == '[' || c == ']' || c == '.'; });
  CHECK(once == inner);
  CHECK(marked.before == 1);
  CHECK(marked.behind == 2);
  CHECK(marked.site.script->runs == 1);

  const Answer head = marked.site.get("/a", "", "HEAD");
  CHECK(head.body.empty());
  CHECK(head.field("Cache-Status").starts_with("leat; hit"));
  CHECK(marked.before == 1);
}

TEST_CASE("cache filters: a 304 has no body, whoever would change one") {
  Marked marked;
  marked.site.script->fields["ETag"] = "\"one\"";
  marked.site.get("/a");
  const Answer answer = marked.site.get("/a", "If-None-Match: \"one\"\r\n");
  CHECK(answer.status == 304);
  CHECK(answer.body.empty());
  CHECK(marked.site.script->runs == 1);
}

TEST_CASE("cache filters: what a filter before the cache says it varies by is stored for each") {
  Scripted pack;
  pack.name = "pack";
  pack.phase = Phase::Content;
  pack.answer = [](http::Exchange& exchange, http::AnswerBody& body) {
    (void)exchange.response.add("Vary", "Accept-Encoding");
    if (exchange.request.header("Accept-Encoding").data() == nullptr) return Wants::Nothing;
    (void)exchange.response.add("Content-Encoding", "test");
    body.whole = "packed";
    return Wants::Nothing;
  };
  const std::vector kinds = {pack.kind()};
  Site site(minute(), {}, sip_hash<1, 3>, kinds);
  for (int i = 0; i < 2; ++i) {
    CHECK(site.body("/a") == "run 1");
    const Answer packed = site.get("/a", "Accept-Encoding: test\r\n");
    CHECK(packed.body == "packed");
    CHECK(packed.field("Content-Encoding") == "test");
  }
  CHECK(site.script->runs == 2);
}

TEST_CASE("cache filters: an answer that is cut in a filter is not stored") {
  Scripted cut = marks("cut", '(', ')', ';', GENERATE(Phase::Content, Phase::Transform));
  bool once = true;
  cut.end = [&](http::Exchange& exchange, http::Onward&) {
    if (std::exchange(once, false)) exchange.abort();
  };
  const std::vector kinds = {cut.kind()};
  Site site(minute(), {}, sip_hash<1, 3>, kinds);
  {
    Site::Client client(site);
    client.ask("/a");
    client.take();
    CHECK(client.session().finished());
  }
  const bool inner = cut.phase == Phase::Content;
  CHECK(body_of(site.get("/a")) == (inner ? "(run 2)" : "(run 1)"));
}

TEST_CASE("cache filters: what is refused before the cache is not its business") {
  Scripted guard;
  guard.name = "guard";
  guard.request = [](http::Exchange& exchange) {
    if (exchange.request.header("X-Key").data() != nullptr) return Verdict::Next;
    (void)exchange.response.add("X-Guard", "no");
    exchange.response.status = 200;
    exchange.send("refused");
    return Verdict::Done;
  };
  const Scripted before = marks("before", '(', ')', ';', Phase::Content);
  const std::vector kinds = {guard.kind(), before.kind()};
  Site site(minute(), {}, sip_hash<1, 3>, kinds);
  CHECK(site.body("/a") == "refused");
  CHECK(body_of(site.get("/a", "X-Key: 1\r\n")) == "(run 1);");
  CHECK(site.body("/a") == "refused");
  // Nor has it changed anything.
  CHECK(site.get("/a", "Content-Length: 0\r\n", "POST").status == 200);
  (void)site.get("/a", "X-Key: 1\r\n");
  CHECK(site.script->runs == 1);
}

TEST_CASE("cache filters: what is stale is made anew by a request as it was asked, without what let it in") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  bool personal = false;
  Scripted edits;
  edits.name = "edits";
  edits.request = [&](http::Exchange& exchange) {
    if (personal) exchange.request.set_had_credentials();
    const std::string removed[] = {"X-Secret"};
    const http::HeadField added[] = {{"X-Added", "1"}};
    REQUIRE(http::show_changed_head(exchange, removed, added));
    return Verdict::Next;
  };
  const std::vector kinds = {edits.kind()};
  for (const bool each : {false, true}) {
    personal = each;
    Site site(policy, {}, sip_hash<1, 3>, kinds);
    site.script->fields["Cache-Control"] = "public, max-age=60";
    site.harness->worker.asks_self = true;
    (void)site.get("/a", "X-Secret: s\r\n");
    site.pass(61'500);
    CHECK(site.get("/a", "X-Secret: s\r\n").body == "run 1");
    REQUIRE(site.harness->worker.asked.size() == 1);
    CHECK(site.harness->worker.asked[0].contains("X-Secret") == !personal);
    CHECK(site.harness->worker.asked[0].contains("X-Added") == personal);
    site.refresh();
    CHECK(site.get("/a", "X-Secret: s\r\n").body == "run 2");
  }
}

TEST_CASE("cache filters: an answer in pieces whose handler looks at a session late is for nobody else") {
  Site site;
  const http::SessionRules rules{.max_age_s = 60, .idle_s = 60, .values = 4, .bytes = 1024};
  site.script->answer = [&](http::Exchange& exchange) {
    exchange.begin(std::nullopt);
    exchange.write("for ");
    auto* const session = exchange.states.make<http::UserSession>(nullptr, rules, exchange.arena(), 0);
    session->mark_used();
    exchange.write(fmt::format("{}", site.script->runs));
    exchange.end();
    return Verdict::Done;
  };
  CHECK(body_of(site.get("/a")) == "for 1");
  CHECK(body_of(site.get("/a")) == "for 2");
}

TEST_CASE("cache filters: the chain of a route shows where its cache stands") {
  const Marked marked;
  const std::string text = describe_text(marked.site.site());
  CHECK(text.contains("behind > cache > before > "));
  const std::string json = describe_json(marked.site.site());
  CHECK(json.contains(R"("kind":"behind","name":"","phase":"transform","sees_hits":true)"));
  CHECK(json.contains(R"("kind":"before","name":"","phase":"content","sees_hits":false)"));
}

TEST_CASE(
    "cache filters: before and after put a middleware on either side of the cache, if it only answers") {
  const Scripted content = marks("content", '(', ')', ';', Phase::Content);
  const Scripted transform = marks("transform", '(', ')', ';');
  Scripted asks;
  asks.name = "asks";
  asks.request = [](http::Exchange&) { return Verdict::Next; };
  const std::vector kinds = {content.kind(), transform.kind(), asks.kind()};
  Store store;
  store.configure({}, 1);
  ResponseCache cache(store, CachedHandler::wake);
  const auto build = [&](pipeline::MiddlewareSpec spec, Diagnostics& diagnostics) {
    pipeline::SiteBuilder builder(kinds);
    builder.add_middleware(std::move(spec));
    pipeline::RouteSpec route;
    route.path = "/";
    route.methods = {"GET"};
    route.handler_name = "test";
    route.handler = std::make_unique<CachedHandler>(std::make_unique<Script>(), minute(), cache);
    builder.add_route(std::move(route));
    return builder.build(diagnostics);
  };
  Diagnostics diagnostics;
  auto site = build({.kind = "content", .before = {"cache"}}, diagnostics);
  REQUIRE(site);
  CHECK(describe_text(*site).contains("content > cache > test"));
  site = build({.kind = "transform", .after = {"cache"}}, diagnostics);
  REQUIRE(site);
  CHECK(describe_text(*site).contains("cache > transform > test"));
  CHECK(build({.kind = "asks", .after = {"cache"}}, diagnostics) == nullptr);
  CHECK(build({.kind = "asks", .name = "cache"}, diagnostics) == nullptr);
  REQUIRE(diagnostics.size() == 2);
  CHECK(diagnostics[0].code == pipeline::kInsideCache);
  CHECK(diagnostics[1].code == pipeline::kDuplicateName);
}

}  // namespace leat::cache

// compress and the response cache: what is stored is packed, a hit packs nothing, and spellings of Accept-Encoding make no
// variants.
#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "cache/site.h"
#include "coding/unpack.h"
#include "http/list.h"
#include "middleware/support.h"

namespace leat::middleware {

namespace {

using cache::Answer;
using cache::Site;
using coding::Coding;
using coding::test::unpack;

const std::string kPage(5000, 'p');

std::string takes(std::string_view codings) { return "Accept-Encoding: " + std::string(codings) + "\r\n"; }

// A cached route behind compress, that says "run N: ppp...".
struct CachedSite {
  explicit CachedSite(const cache::Policy& policy = cache::minute())
      : kind(test::kind_named("compress")),
        site(policy, {}, sip_hash<1, 3>, {&kind, 1}, {.metrics = &registry}) {
    site.script->answer = [this](http::Exchange& exchange) {
      return site.script->say(exchange, "run " + std::to_string(site.script->runs) + ": " + kPage);
    };
  }
  Answer get(std::string_view codings, std::string_view more = "", std::string_view method = "GET") {
    return site.get("/page", takes(codings) + std::string(more), method);
  }
  // How many answers were packed.
  [[nodiscard]] uint64_t packed() {
    uint64_t sum = 0;
    for (const std::string& line : test::lines(registry.text()))
      if (line.starts_with("leat_compress_answers_total{"))
        sum += std::stoull(line.substr(line.rfind(' ') + 1));
    return sum;
  }

  metrics::Registry registry;
  pipeline::MiddlewareKind kind;
  Site site;
};

std::string content_of(const Answer& answer) {
  const std::string coding = answer.field("Content-Encoding");
  if (coding.empty()) return answer.body;
  const auto text = unpack(*coding::find_coding(coding), answer.body);
  REQUIRE(text);
  return *text;
}

}  // namespace

TEST_CASE("compressed cache: what is stored is packed, and a hit packs nothing") {
  CachedSite cached;
  const Answer miss = cached.get("gzip");
  CHECK(miss.field("Cache-Status") == "leat; fwd=uri-miss; stored");
  CHECK(miss.field("Content-Encoding") == "gzip");
  CHECK(miss.field("Vary") == "Accept-Encoding");
  CHECK(content_of(miss) == "run 1: " + kPage);
  CHECK(cached.packed() == 1);
  for (int i = 0; i < 20; ++i) {
    const Answer hit = cached.get("gzip");
    CHECK(hit.field("Cache-Status").starts_with("leat; hit"));
    CHECK(hit.field("Content-Encoding") == "gzip");
    CHECK(hit.field("Vary") == "Accept-Encoding");
    CHECK(hit.body == miss.body);
  }
  CHECK(cached.packed() == 1);
  CHECK(cached.site.script->runs == 1);
  const Answer head = cached.get("gzip", "", "HEAD");
  CHECK(head.field("Content-Length") == std::to_string(miss.body.size()));
  CHECK(head.body.empty());
  CHECK(cached.packed() == 1);
}

TEST_CASE("compressed cache: each coding and plain have a variant, each spelling has none") {
  CachedSite cached;
  // Of each the first spelling has the handler run.
  const std::vector<std::vector<std::string>> groups = {
      {"gzip", "gzip, deflate", "GZIP", "gzip;q=0.5", "deflate, gzip;q=1.0, *;q=0.0, identity", "x-gzip",
       "gzip,identity;q=0.1"},
      {"br", "br;q=1.0, gzip;q=0.8", "gzip, deflate, br", " br ", "*;q=0.1, br"},
      {"zstd", "gzip, deflate, br, zstd", "*", "zstd, br"},
      {"identity", "", "deflate", "compress", "gzip;q=0", "identity, gzip;q=0.5", "sdch"},
      {"gzip, identity;q=0", "gzip, *;q=0", "identity;q=0, gzip;q=0.1"},
  };
  int runs = 0;
  for (const auto& group : groups) {
    ++runs;
    std::string body;
    for (const std::string& spelling : group) {
      // More than once, so that they are known heads as well.
      for (int i = 0; i < 10; ++i) {
        INFO(spelling);
        const Answer answer = cached.get(spelling);
        CHECK(content_of(answer) == "run " + std::to_string(runs) + ": " + kPage);
        if (body.empty()) body = answer.body;
        CHECK(answer.body == body);
      }
    }
    CHECK(cached.site.script->runs == runs);
  }
  // Without the field it is plain, and a variant of its own: a handler might tell it apart.
  CHECK(content_of(cached.site.get("/page")) == "run " + std::to_string(runs + 1) + ": " + kPage);
  CHECK(cached.packed() == 4);
}

TEST_CASE("compressed cache: thousands of spellings take a few places") {
  CachedSite cached;
  for (int i = 0; i < 3000; ++i) {
    const std::string spelling =
        "br;q=0." + std::to_string(i % 900 + 100) + ", x-" + std::to_string(i) + ", gzip";
    CHECK(content_of(cached.get(spelling)) == "run 1: " + kPage);
  }
  CHECK(cached.site.script->runs == 1);
  CHECK(cached.packed() == 1);
}

TEST_CASE("compressed cache: a stream is stored packed") {
  CachedSite cached;
  cached.site.script->answer = [](http::Exchange& exchange) {
    exchange.response.content_type = "text/plain";
    exchange.begin(std::nullopt);
    for (int i = 0; i < 5; ++i) exchange.write(kPage);
    exchange.end();
    return pipeline::Verdict::Done;
  };
  CHECK(cached.get("br").field("Content-Encoding") == "br");
  const Answer hit = cached.get("br");
  CHECK(hit.field("Cache-Status").starts_with("leat; hit"));
  CHECK(hit.field("Content-Length") == std::to_string(hit.body.size()));
  CHECK(content_of(hit).size() == 5 * kPage.size());
  CHECK(cached.packed() == 1);
}

TEST_CASE("compressed cache: conditions are judged by what is stored") {
  CachedSite cached;
  cached.site.script->fields["ETag"] = "\"v1\"";
  // A miss with a condition is stored all the same, and the client has its 304.
  const Answer first = cached.get("gzip", "If-None-Match: W/\"v1\"\r\n");
  CHECK(first.status == 304);
  CHECK(first.field("Cache-Status") == "leat; fwd=uri-miss; stored");
  CHECK(cached.get("gzip").field("ETag") == "W/\"v1\"");
  for (const std::string tags : {"W/\"v1\"", "\"v1\"", "\"v0\", W/\"v1\"", "*"}) {
    INFO(tags);
    const Answer hit = cached.get("gzip", "If-None-Match: " + tags + "\r\n");
    CHECK(hit.status == 304);
    CHECK(hit.field("Vary") == "Accept-Encoding");
    CHECK(hit.field("ETag") == "W/\"v1\"");
  }
  CHECK(cached.get("gzip", "If-None-Match: \"v2\"\r\n").status == 200);
  CHECK(cached.site.script->runs == 1);
  // A tag of the cache's own is of the packed bytes, and stays strong.
  CachedSite own;
  CHECK(own.get("gzip").field("ETag").starts_with("\""));
  CHECK(own.get("gzip", "If-None-Match: " + own.get("gzip").field("ETag") + "\r\n").status == 304);
  CHECK(own.get("br").field("ETag") != own.get("gzip").field("ETag"));
}

TEST_CASE("compressed cache: a stale variant is found good by a handler that compares weakly") {
  CachedSite cached;
  cached.site.script->answer = [&](http::Exchange& exchange) {
    (void)exchange.response.add("ETag", "\"v1\"");
    if (http::names_etag(exchange.request.header("If-None-Match"), "\"v1\"")) {
      exchange.response.status = 304;
      return exchange.send({}) ? pipeline::Verdict::Done : pipeline::Verdict::Error;
    }
    return cached.site.script->say(exchange, kPage);
  };
  const Answer first = cached.get("gzip");
  CHECK(first.field("ETag") == "W/\"v1\"");
  for (int i = 0; i < 3; ++i) {
    cached.site.pass(120'000);
    const Answer again = cached.get("gzip");
    CHECK(again.status == 200);
    CHECK(again.field("Cache-Status") == "leat; fwd=stale; fwd-status=304; stored");
    CHECK(again.field("Content-Encoding") == "gzip");
    CHECK(again.field("Vary") == "Accept-Encoding");
    CHECK(again.body == first.body);
  }
  CHECK(cached.packed() == 1);
  // Nobody else gets it.
  CHECK(cached.get("identity").body == kPage);
}

TEST_CASE("compressed cache: a stale variant is made anew in the background in its own coding") {
  cache::Policy policy = cache::minute();
  policy.stale_while_revalidate_ms = 600'000;
  CachedSite cached(policy);
  cached.site.harness->worker.asks_self = true;
  (void)cached.get("gzip, deflate");
  (void)cached.get("gzip, identity;q=0");
  cached.site.pass(90'000);
  CHECK(content_of(cached.get("gzip, deflate")) == "run 1: " + kPage);
  cached.site.refresh();
  CHECK(content_of(cached.get("deflate, gzip")) == "run 3: " + kPage);
  CHECK(cached.get("deflate, gzip").field("Content-Encoding") == "gzip");
  CHECK(content_of(cached.get("gzip, identity;q=0")) == "run 2: " + kPage);
  cached.site.refresh();
  CHECK(cached.get("gzip, identity;q=0").field("Content-Encoding") == "gzip");
  CHECK(cached.site.script->runs == 4);
}

}  // namespace leat::middleware

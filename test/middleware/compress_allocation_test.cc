// Counts heap allocations of packed answers: in steady state there are none, whole and in pieces, in any coding.
#include <catch2/catch_test_macros.hpp>
#include <memory>
#include <optional>
#include <string>

#include "coding/coding.h"
#include "middleware/kinds.h"
#include "pipeline/pipeline.h"
#include "support/allocations.h"
#include "support/http_harness.h"

namespace leat::middleware {

namespace {

// Answers as it was made to, with 6 KB of JSON.
class Answers final : public pipeline::Handler {
 public:
  explicit Answers(bool pieces) : pieces_(pieces) {
    for (int i = 0; i < 200; ++i)
      text_ += "{\"number\":" + std::to_string(i * 7919 % 1000) + ",\"ok\":true},";
  }
  pipeline::Verdict handle(http::Exchange& exchange) override {
    exchange.response.content_type = "application/json";
    (void)exchange.response.add("ETag", "\"v1\"");
    if (!pieces_) {
      exchange.send(text_);
      return pipeline::Verdict::Done;
    }
    exchange.begin(std::nullopt);
    for (size_t at = 0; at < text_.size(); at += 1000)
      exchange.write(std::string_view(text_).substr(at, 1000));
    exchange.end();
    return pipeline::Verdict::Done;
  }
  [[nodiscard]] std::string_view blame() const override { return "answers"; }

 private:
  const bool pieces_;
  std::string text_;
};

std::unique_ptr<pipeline::Site> make_site() {
  pipeline::SiteBuilder builder(kinds());
  builder.add_middleware({.kind = "compress"});
  for (const bool pieces : {false, true}) {
    pipeline::RouteSpec spec;
    spec.path = pieces ? "/pieces" : "/whole";
    spec.methods = {"GET"};
    spec.handler = std::make_unique<Answers>(pieces);
    builder.add_route(std::move(spec));
  }
  Diagnostics diagnostics;
  auto site = builder.build(diagnostics);
  REQUIRE(site);
  return site;
}

}  // namespace

TEST_CASE("compress: packed answers allocate nothing on the heap") {
  const auto site = make_site();
  pipeline::Pipeline pipeline(*site);
  leat::test::HttpHarness harness(pipeline);
  http1::Session session(harness.environment, "192.0.2.1", 0);
  for (const coding::Coding coding : coding::encodable()) {
    for (const std::string_view target : {"/whole", "/pieces"}) {
      const std::string request = "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nAccept-Encoding: " +
                                  std::string(coding::name_of(coding)) + ", x-none\r\n\r\n";
      const auto ask = [&](int times) {
        for (int i = 0; i < times; ++i) {
          session.feed(request);
          leat::test::HttpHarness::send_all(session);
        }
      };
      session.feed(request);
      REQUIRE(leat::test::HttpHarness::take(session).contains("Content-Encoding: " +
                                                              std::string(coding::name_of(coding))));
      ask(300);
      const uint64_t before = leat::test::heap_allocations();
      ask(1000);
      const uint64_t after = leat::test::heap_allocations();
      INFO(coding::name_of(coding) << " " << target);
      CHECK(after - before == 0);
    }
  }
  session.disconnect();
  session.output().clear();
}

}  // namespace leat::middleware

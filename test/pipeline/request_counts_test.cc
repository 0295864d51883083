// What is counted of requests: by route, method and status, through reloads, within bounds.
#include "pipeline/request_counts.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http/exchange.h"
#include "pipeline/fixture.h"
#include "pipeline/scripted.h"
#include "pipeline/site.h"
#include "support/http_harness.h"
#include "support/recording_stream.h"

namespace leat::pipeline {
namespace {

std::unique_ptr<Site> site_of(const std::vector<std::string>& paths) {
  SiteBuilder builder({});
  for (const std::string& path : paths) {
    RouteSpec spec;
    spec.path = path;
    spec.methods = {"GET"};
    spec.handler = std::make_unique<test::ScriptHandler>();
    builder.add_route(std::move(spec));
  }
  Diagnostics diagnostics;
  auto site = builder.build(diagnostics);
  REQUIRE(site != nullptr);
  return site;
}

// Requests that end, one after the other, without a session.
class Ended {
 public:
  explicit Ended(RequestCounts& counts) : counts_(counts) {}
  void operator()(uint32_t number, uint16_t status, uint64_t started_ns = 1, uint64_t answered_ns = 0,
                  bool refused = false) {
    http::Exchange exchange(worker_, stream_);
    exchange.response.status = status;
    exchange.started_ns = started_ns;
    exchange.answer_ns = answered_ns;
    counts_.lane(0).add(exchange, number, refused);
  }

 private:
  RequestCounts& counts_;
  leat::test::TestWorker worker_{64};
  leat::test::RecordingStream stream_;
};

std::map<std::string, RequestCounts::Totals> all_of(const RequestCounts& counts) {
  std::map<std::string, RequestCounts::Totals> all;
  counts.for_each(
      [&](std::string_view route, const RequestCounts::Totals& totals) { all.emplace(route, totals); });
  return all;
}

uint64_t sum_of(const std::array<uint64_t, latency::kBuckets>& buckets) {
  uint64_t sum = 0;
  for (const uint64_t each : buckets) sum += each;
  return sum;
}

}  // namespace

TEST_CASE("request counts: by route and status, and times once the turn has ended") {
  RequestCounts counts(1, 10);
  const auto site = site_of({"/a", "/b"});
  counts.enlist(*site);
  Ended ended(counts);
  for (int i = 0; i < 5; ++i) ended(site->routes()[0]->number, 200);
  ended(site->routes()[0]->number, 500);
  ended(site->routes()[1]->number, 404);
  ended(RequestCounts::kNone, 400, 0, 0, true);  // its head never was complete
  auto all = all_of(counts);
  REQUIRE(all.size() == 3);
  CHECK(all["GET /a"].requests() == 6);
  CHECK(sum_of(all["GET /a"].whole) == 0);
  REQUIRE(all["GET /a"].kinds.size() == 2);
  CHECK(all["GET /a"].kinds[0].status == 200);
  CHECK(all["GET /a"].kinds[0].count == 5);
  CHECK(all["GET /a"].kinds[0].method == "GET");
  CHECK(all["(none)"].requests() == 1);
  CHECK(counts.errors()[RequestCounts::error_of(400)] == 1);
  CHECK(RequestCounts::kErrors[RequestCounts::error_of(400)] == "malformed");
  CHECK(RequestCounts::kErrors[RequestCounts::error_of(499)] == "client_left");
  CHECK(RequestCounts::kErrors[RequestCounts::error_of(418)] == "other");

  counts.lane(0).on_turn_end();
  all = all_of(counts);
  CHECK(sum_of(all["GET /a"].whole) == 6);
  CHECK(sum_of(all["GET /a"].first_byte) == 6);
  CHECK(sum_of(all["(none)"].whole) == 0);
  counts.release(*site);
}

TEST_CASE("request counts: of an answer in pieces the first byte has a time of its own") {
  RequestCounts counts(1, 10);
  const auto site = site_of({"/a"});
  counts.enlist(*site);
  Ended ended(counts);
  ended(site->routes()[0]->number, 200, 1'000, 1'000 + 2'000'000);
  counts.lane(0).on_turn_end();
  const RequestCounts::Totals totals = all_of(counts)["GET /a"];
  CHECK(totals.first_byte[latency::bucket_of(2'000'000)] == 1);
  CHECK(totals.first_byte_ns == 2'000'000);
  CHECK(totals.whole[latency::kBuckets - 1] == 1);  // by a clock that has run for more than that
  counts.release(*site);
}

TEST_CASE("request counts: more at a time than wait for the turn's end are counted all the same") {
  RequestCounts counts(1, 10);
  const auto site = site_of({"/a"});
  counts.enlist(*site);
  Ended ended(counts);
  // Some began together, as where a client pipelines, and some answers did not leave in one piece.
  const uint64_t second = 1'000'000'000;
  for (uint64_t i = 0; i < 400; ++i)
    ended(site->routes()[0]->number, 200, second + i / 3, i % 4 == 0 ? second + i / 3 + 5'000 : 0);
  counts.lane(0).on_turn_end();
  const RequestCounts::Totals totals = all_of(counts)["GET /a"];
  CHECK(totals.requests() == 400);
  CHECK(sum_of(totals.whole) == 400);
  CHECK(sum_of(totals.first_byte) == 400);
  CHECK(totals.first_byte[latency::bucket_of(5'000)] == 100);
  counts.release(*site);
}

TEST_CASE(
    "request counts: a route has its counts through a reload, and another one its place when it is gone") {
  RequestCounts counts(1, 2);
  Ended ended(counts);
  const auto first = site_of({"/a", "/b", "/c"});
  counts.enlist(*first);
  CHECK(first->routes()[2]->number == RequestCounts::kOthers);
  ended(first->routes()[0]->number, 200);
  ended(first->routes()[1]->number, 200);
  ended(first->routes()[2]->number, 200);
  CHECK(all_of(counts)["(others)"].requests() == 1);

  const auto second = site_of({"/b", "/d"});
  counts.enlist(*second);
  CHECK(second->routes()[0]->number == first->routes()[1]->number);
  CHECK(second->routes()[1]->number == RequestCounts::kOthers);  // /a still has its place
  counts.release(*first);
  auto all = all_of(counts);
  CHECK_FALSE(all.contains("GET /a"));
  CHECK(all["GET /b"].requests() == 1);

  const auto third = site_of({"/b", "/d"});
  counts.enlist(*third);
  counts.release(*second);
  CHECK(third->routes()[1]->number == first->routes()[0]->number);
  CHECK_FALSE(all_of(counts).contains("GET /d"));  // of the one before nothing is left
  ended(third->routes()[1]->number, 204);
  all = all_of(counts);
  CHECK(all["GET /d"].requests() == 1);
  CHECK(all["GET /b"].requests() == 1);
  counts.release(*third);
}

TEST_CASE("request counts: a route with more kinds of answers than there are places loses none") {
  RequestCounts counts(1, 2);
  const auto site = site_of({"/a"});
  counts.enlist(*site);
  Ended ended(counts);
  for (uint16_t status = 200; status < 250; ++status)
    for (int i = 0; i < 2; ++i) ended(site->routes()[0]->number, status);
  const RequestCounts::Totals totals = all_of(counts)["GET /a"];
  CHECK(totals.requests() == 100);
  REQUIRE(totals.kinds.size() == 33);
  CHECK(totals.kinds.back().status == 0);
  CHECK(totals.kinds.back().count == 36);
  counts.release(*site);
}

}  // namespace leat::pipeline

// Tasks that wait for several others: order, limit, failures, deadlines, and ends half-way.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <string>

#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

constexpr std::string_view kNoneLeft = R"({"left":0})";

}  // namespace

TEST_CASE("gather: results come in the order of the items, however long each takes") {
  Site site("gather");
  for (const std::string_view how : {"", "at%20once"}) {
    INFO(how);
    const std::string all = "&how=" + std::string(how);
    CHECK(site.get("/values?n=5&limit=5" + all).body.starts_with(R"({"got":["0","1","2","3","4"],)"));
    CHECK(site.get("/values?n=5&limit=2" + all).body.starts_with(R"({"got":["0","1","2","3","4"],)"));
    CHECK(site.get("/values?n=0&limit=2" + all).body == R"({"got":[],"most":0,"left":0})");
  }
  CHECK(site.get("/effects").body == R"({"seen":["one","two","three"]})");
}

TEST_CASE("gather: no more than the limit run at a time, and as many as that") {
  Site site("gather");
  for (const int limit : {1, 3, 7, 20}) {
    const std::string body = site.get("/values?n=20&how=&limit=" + std::to_string(limit)).body;
    INFO(body);
    CHECK(body.ends_with("\"most\":" + std::to_string(limit) + ",\"left\":0}"));
  }
  CHECK(site.get("/values?n=3&how=&limit=0").body.ends_with(R"("most":1,"left":0})"));
  CHECK(site.get("/values?n=3&how=&limit=100").body.ends_with(R"("most":3,"left":0})"));
}

TEST_CASE("gather: the first that fails ends the others, where they wait") {
  Site site("gather");
  for (const std::string_view bad : {"0", "3", "9"}) {
    for (const std::string_view limit : {"1", "4", "10"}) {
      const std::string what = "?n=10&bad=" + std::string(bad) + "&limit=" + std::string(limit);
      INFO(what);
      CHECK(site.get("/values" + what + "&how=throw").status == 500);
      CHECK(site.get("/left").body == kNoneLeft);
      CHECK(site.get("/values" + what + "&how=problem").body.contains("There is no such item."));
      CHECK(site.get("/left").body == kNoneLeft);
      const Answer answer = site.get("/results" + what);
      CHECK(answer.status == 404);
      CHECK(answer.body.contains("There is no item " + std::string(bad) + "."));
      CHECK(site.get("/left").body == kNoneLeft);
    }
  }
  CHECK(site.get("/results?n=3&limit=2").body == R"({"got":["0","1","2"],"left":0})");
}

TEST_CASE("gather: collecting takes problems as outcomes, and ends at other exceptions") {
  Site site("gather");
  CHECK(site.get("/collected?n=3&limit=2&bad=1&how=problem").body ==
        R"({"got":["0","There is no such item.","2","0","There is no item 1.","2"],"left":0})");
  CHECK(site.get("/collected?n=3&limit=2&bad=1&how=throw").status == 500);
  CHECK(site.get("/left").body == kNoneLeft);
}

TEST_CASE("gather: gatherings can be nested, and end together") {
  Site site("gather");
  CHECK(site.get("/nested").body ==
        R"([["0","1","2","3","4"],["10","11","12","13","14"],["20","21","22","23","24"],)"
        R"(["30","31","32","33","34"]])");
  CHECK(site.get("/nested?bad=12").status == 500);
  CHECK(site.get("/left").body == kNoneLeft);
}

TEST_CASE("gather: results of many threads at a time are put in order") {
  Site site("gather");
  CHECK(site.get("/threads?n=9&limit=4").body == "[0,1,2,3,4,5,6,7,8]");
  for (int i = 0; i < 30; ++i) {
    http1::Session session(site.environment(), "192.0.2.7", 0);
    session.feed(request_for("/threads?n=9&limit=4"));
    for (int steps = 0; steps < i % 5; ++steps) site.resume_all();
    session.disconnect();
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("gather: when the client leaves, all that runs is destroyed, wherever it waits") {
  Site site("gather");
  const char* target = GENERATE("/values?n=6&limit=3&how=", "/results?n=6&limit=3&bad=5", "/nested",
                                "/within?ms=5&work=9", "/within_all?ms=50&n=6");
  const int steps = GENERATE(0, 1, 2, 3, 4, 5, 6);
  INFO(target << " after " << steps);
  http1::Session session(site.environment(), "192.0.2.7", 0);
  session.feed(request_for(target));
  for (int i = 0; i < steps; ++i) site.resume_all();
  session.disconnect();
  CHECK(site.get("/left").body == kNoneLeft);
  while (site.resume_all()) {
  }
  CHECK(site.handled == site.ended);
}

TEST_CASE("gather: a task that takes longer than it may is destroyed, and nothing comes of it") {
  Site site("gather");
  CHECK(site.get("/within?ms=10&work=5").body == R"({"first":"0","second":true,"left":0})");
  CHECK(site.get("/within?ms=10&work=15").body == R"({"first":null,"second":true,"left":0})");
  CHECK(site.get("/within?ms=10&work=25").body == R"({"first":null,"second":false,"left":0})");
  CHECK(site.get("/within_all?ms=1000&n=6").body == R"(["0","1","2","3","4","5"])");
  CHECK(site.get("/within_all?ms=3&n=6").status == 504);
  CHECK(site.get("/left").body == kNoneLeft);
}

}  // namespace leat::plugin::test

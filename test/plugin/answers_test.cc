// What handlers of the C++ wrapper can return: structs, results, texts of RapidJSON.
#include <catch2/catch_test_macros.hpp>
#include <string>

#include "json/backend.h"
#include "plugin/harness.h"

namespace leat::plugin::test {
namespace {

class Answers : public Site {
 public:
  Answers() : Site("answers") {
    for (const char* name : {"item", "later", "remove", "chained"}) REQUIRE(route(name, {"id"}));
    for (const char* name : {"tree", "within"}) REQUIRE(route(name, {"depth"}));
  }
};

// The writer that handlers get, for as long as it lives.
class DefaultBackend {
 public:
  explicit DefaultBackend(json::Backend backend) { json::set_default_backend(backend); }
  ~DefaultBackend() { json::set_default_backend(before_); }

 private:
  json::Backend before_ = json::default_backend();
};

constexpr std::string_view kItem =
    R"({"id":1,"title":"a \"title\"","weight":0.5,"fragile":true,"tags":["a","b"],)"
    R"("owner":{"name":"ann","age":41},"earlier":[{"name":"bob","age":null},{"name":"cy","age":7}],)"
    R"("counts":{"in":3,"out":-1}})";

}  // namespace

TEST_CASE("answers: a struct that says which members are its JSON is an answer") {
  Answers site;
  const Answer item = site.get("/item/1");
  CHECK(item.head.contains("Content-Type: application/json\r\n"));
  CHECK(item.body == kItem);
  CHECK(site.get("/item/2").body.contains(R"("owner":null)"));
  CHECK(site.get("/owners").body == R"([{"name":"ann","age":41},{"name":"bob","age":null}])");
  CHECK(site.get("/later/1").body == kItem);
}

TEST_CASE("answers: structs that hold more of themselves, or say themselves what they are, on every writer") {
  for (const json::Backend backend : json::built_backends()) {
    INFO(json::backend_name(backend));
    const DefaultBackend chosen(backend);
    Answers site;
    CHECK(site.get("/item/1").body == kItem);
    CHECK(site.get("/tree/3").body == R"({"id":3,"below":[{"id":2,"below":[{"id":1,"below":[]}]}]})");
    CHECK(site.get("/house").body ==
          R"({"name":"old","rooms":[{"models":[{"name":"new","rooms":[]}]},{"models":[]}]})");
    CHECK(site.get("/own").body ==
          R"({"route":{"stops":3},"secret":"***","tenants":[{"name":"dee","flat":7}]})");
  }
}

TEST_CASE("answers: structs keep to the most levels there may be, on every writer") {
  for (const json::Backend backend : json::built_backends()) {
    INFO(json::backend_name(backend));
    const DefaultBackend chosen(backend);
    LogText log;
    {
      Answers site;
      // A Tree takes two levels for each of its own; the struct alone takes two, and with all it holds three.
      CHECK(site.get("/tree/64").status == 200);
      CHECK(site.get("/tree/65").status == 500);
      CHECK(site.get("/within/126?full=no").body ==
            std::string(126, '[') + R"({"owners":[],"numbers":[]})" + std::string(126, ']'));
      CHECK(site.get("/within/127?full=no").status == 500);
      CHECK(site.get("/within/125?full=yes").body ==
            std::string(125, '[') + R"({"owners":[{"name":"ann","age":41}],"numbers":[[1]]})" +
                std::string(125, ']'));
      CHECK(site.get("/within/126?full=yes").status == 500);
    }
    CHECK(log.take().contains("containers nested too deep"));
  }
}

TEST_CASE("answers: a result is what it holds: the value, nothing, or the problem") {
  Answers site;
  CHECK(site.get("/item/0").status == 404);
  CHECK(site.get("/item/0").body.contains("There is no item 0."));
  CHECK(site.get("/later/0").body.contains("There is no item 0."));
  CHECK(site.get("/all?from=0").status == 404);
  CHECK(site.get("/all?from=1").body.starts_with("[" + std::string(kItem) + ",{"));
  CHECK(site.get("/remove/0").status == 404);
  CHECK(site.get("/remove/1").status == 204);
  CHECK(site.get("/remove_all?from=0").status == 404);
  CHECK(site.get("/remove_all?from=1").status == 204);
  CHECK(site.get("/chained/0").body == "none");
  CHECK(site.get("/chained/1").body == "a \"title\"!");
}

TEST_CASE("answers: RapidJSON reads and writes in the request's memory") {
  Answers site;
  const Answer sum = site.post("/sum", "[1, 2, 39]");
  CHECK(sum.head.contains("Content-Type: application/json\r\n"));
  CHECK(sum.body == R"({"sum":42})");
  CHECK(site.post("/sum", "[1, 2").status == 400);
  CHECK(site.post("/sum", "{}").status == 400);
  CHECK(site.post("/sum", std::string(50'000, '[')).status == 400);
  std::string pretty = "[\n";
  for (int i = 0; i < 1000; ++i) pretty += "    " + std::to_string(i) + (i < 999 ? ",\n" : "\n]");
  CHECK(site.get("/pretty").body == pretty);
}

TEST_CASE("answers: what RapidJSON asserts, and memory that is used up, fail the request and nothing else") {
  LogText log;
  {
    Answers site;
    CHECK(site.post("/sum", R"([1, "two"])").status == 500);
    CHECK(site.get("/endless").status == 503);
    for (const char* target : {"/unfinished", "/wrong_order", "/moved_onto_itself"}) {
      INFO(target);
      CHECK(site.get(target).status == 500);
    }
    CHECK(site.handled == site.ended);
  }
  const std::string text = log.take();
  INFO(text);
  CHECK(text.contains("route route-sum: threw RapidJSON: "));
  CHECK(text.contains("route route-moved_onto_itself: threw RapidJSON: "));
  CHECK(
      text.contains("route-endless: failed when memory was refused to it: limits.request_memory is used up"));
  CHECK(text.contains("the JSON of a RapidJSON writer is not complete"));
}

}  // namespace leat::plugin::test

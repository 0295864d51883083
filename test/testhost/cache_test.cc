// Plugins that keep values in the cache.
#include <catch2/catch_test_macros.hpp>
#include <leat/testhost.hpp>

namespace leat::testing {
namespace {

using namespace std::chrono_literals;

const std::string kPlugin = TEST_PLUGINS "/cached.so";
const std::vector<Route> kRoutes = {{"GET", "/remember/{name}", "remember"},
                                    {"GET", "/raw/{name}", "remember_raw"},
                                    {"GET", "/find/{name}", "find"},
                                    {"GET", "/large", "large"},
                                    {"GET", "/purge", "purge"},
                                    {"GET", "/serve/{name}", "serve"},
                                    {"GET", "/misuse", "misuse"}};

}  // namespace

TEST_CASE("cache: a plugin finds what it has stored, until its time is over or it is purged") {
  Host host(kPlugin, {.routes = kRoutes});
  const auto get = [&](std::string_view target) { return host.request("GET", target).send().body; };
  CHECK(get("/remember/made?text=x") == "found: in the constructor");
  CHECK(get("/remember/a?text=one&ms=1000") == "stored: one");
  CHECK(get("/remember/a?text=two&ms=1000") == "found: one");
  host.advance(999ms);
  CHECK(get("/remember/a?text=two&ms=1000") == "found: one");
  host.advance(1000ms);
  CHECK(get("/remember/a?text=two") == "stored: two");
  host.advance(24h);
  CHECK(get("/remember/a?text=three") == "found: two");
  CHECK(get("/purge?how=key&what=a") == "1");
  CHECK(get("/purge?how=key&what=a") == "0");
  CHECK(get("/remember/a?text=three") == "stored: three");
  CHECK(get("/remember/ab?text=four") == "stored: four");
  CHECK(get("/purge?how=prefix&what=a") == "2");
  CHECK(get("/remember/b?text=five") == "stored: five");
  CHECK(get("/purge?how=tag&what=remembered") == "2");
  CHECK(get("/purge?how=tag&what=all") == "0");
  CHECK(get("/large?size=2000000") == "refused");
  CHECK(get("/large?size=1000000") == "stored");
  host.close();
  CHECK(host.problems() == std::vector<std::string>{});
}

TEST_CASE("cache: a time below zero is over already, and none is none") {
  Host host(kPlugin, {.routes = kRoutes});
  const auto get = [&](std::string_view target) { return host.request("GET", target).send().body; };
  for (const char* ms : {"-1", "-1000", "-9223372036854775808"}) {
    INFO(ms);
    CHECK(get(std::string("/remember/a?text=one&ms=") + ms) == "stored: one");
    CHECK(get("/find/a") == "nothing");
    CHECK(get(std::string("/raw/a?text=one&ms=") + ms) == "0");
    CHECK(get("/find/a") == "nothing");
    // What was there goes as well.
    CHECK(get("/raw/a?text=old&ms=60000") == "0");
    CHECK(get("/find/a") == "old");
    CHECK(get(std::string("/raw/a?text=one&ms=") + ms) == "0");
    CHECK(get("/find/a") == "nothing");
  }
  for (const char* ms : {"0", "9223372036854775807"}) {
    INFO(ms);
    CHECK(get(std::string("/raw/b?text=two&ms=") + ms) == "0");
    host.advance(24h * 365);
    CHECK(get("/find/b") == "two");
  }
  host.close();
}

TEST_CASE("cache: a value is sent in place, and outlives its entry and its request") {
  Host host(kPlugin, {.routes = kRoutes});
  const std::string long_text(5000, 'v');
  CHECK(host.request("GET", "/serve/x").send().status == 404);
  (void)host.request("GET", "/remember/x?text=" + long_text).send();
  CHECK(host.request("GET", "/serve/x").read_at_most(100).send().body == long_text);
  CHECK(host.request("GET", "/serve/x").send().status == 404);
  (void)host.request("GET", "/remember/x?text=" + long_text).send();
  CHECK(host.for_each_suspension(host.request("GET", "/serve/x").read_at_most(100)) >= 1);
}

TEST_CASE("cache: instances do not see each other's keys") {
  Host host(kPlugin, {.text = "[[plugin]]\nname = \"a\"\nfile = \"cached.so\"\n"
                              "[[plugin]]\nname = \"b\"\nfile = \"cached.so\"\n"
                              "[[route]]\npath = \"/a/{name}\"\nhandler = \"a:remember\"\n"
                              "[[route]]\npath = \"/b/{name}\"\nhandler = \"b:remember\"\n"
                              "[[route]]\npath = \"/purge\"\nhandler = \"a:purge\"\n"});
  const auto get = [&](std::string_view target) { return host.request("GET", target).send().body; };
  CHECK(get("/a/k?text=one") == "stored: one");
  CHECK(get("/b/k?text=two") == "stored: two");
  CHECK(get("/purge?how=prefix&what=") == "2");  // with what the constructor has stored
  CHECK(get("/a/k?text=three") == "stored: three");
  CHECK(get("/b/k?text=four") == "found: two");
}

TEST_CASE("cache: misuse is refused, and a lack of memory survived") {
  Host host(kPlugin, {.routes = kRoutes});
  CHECK(host.request("GET", "/misuse").send().body == "-4 -1 -1 -1 -1 -1 -1 0 0");
  host.forget_problems();
  CHECK(host.for_each_allocation(host.request("GET", "/remember/made?text=x"),
                                 [](const Reply& reply) { CHECK(reply.status != 0); }) >= 1);
  host.close();
  CHECK(host.problems() == std::vector<std::string>{});
}

}  // namespace leat::testing

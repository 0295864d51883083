// Sites: how chains are merged and ordered, and what a configuration can get wrong.
#include "pipeline/site.h"

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <random>
#include <string>
#include <vector>

#include "pipeline/codes.h"
#include "pipeline/fixture.h"

namespace leat::pipeline {
namespace {

using test::entry;
using test::line;
using test::table;

// "kind", or "kind(name)"; constraints and options are added by the tests.
MiddlewareSpec instance(std::string kind, std::string name = "", uint32_t at = 1) {
  return {.kind = std::move(kind), .name = std::move(name), .options = table(), .place = line(at)};
}
// An instance that is no duplicate of others of its kind.
MiddlewareSpec distinct(std::string kind, std::string name, uint32_t at = 1) {
  MiddlewareSpec spec = instance(std::move(kind), name, at);
  spec.options = table({entry("name", name)});
  return spec;
}

RouteSpec route(std::string path, std::vector<std::string> methods = {"GET"}) {
  RouteSpec spec;
  spec.path = std::move(path);
  spec.methods = std::move(methods);
  spec.handler_name = "test:handler";
  spec.handler = std::make_unique<test::ScriptHandler>();
  spec.path_place = line(10);
  spec.method_place = line(11);
  spec.middleware_place = line(12);
  return spec;
}

std::string chain_of(const Route& route) {
  std::string text;
  for (const Step& step : route.chain->steps) {
    text += (text.empty() ? "" : " ") + display_name(*step.spec);
    for (const MiddlewareSpec* merged : step.merged) text += "=" + display_name(*merged);
  }
  return text;
}

// The chain of a route under these global instances, or its first diagnostic.
std::string chain_for(std::vector<MiddlewareSpec> specs, RouteSpec only = route("/")) {
  SiteBuilder builder(test::kKinds);
  for (MiddlewareSpec& spec : specs) builder.add_middleware(std::move(spec));
  builder.add_route(std::move(only));
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  if (!site) return std::to_string(diagnostics.front().place.line) + ": " + diagnostics.front().message;
  CHECK(diagnostics.empty());
  return chain_of(*site->routes().front());
}

Diagnostics mistakes(std::vector<MiddlewareSpec> specs, std::vector<RouteSpec> routes = {}) {
  SiteBuilder builder(test::kKinds);
  for (MiddlewareSpec& spec : specs) builder.add_middleware(std::move(spec));
  for (RouteSpec& each : routes) builder.add_route(std::move(each));
  Diagnostics diagnostics;
  CHECK(builder.build(diagnostics) == nullptr);
  return diagnostics;
}

// Reads better in a list than aggregates with names do.
MiddlewareSpec operator<<(MiddlewareSpec spec, const std::string& constraint) {
  if (constraint.starts_with("before ")) spec.before.push_back(constraint.substr(7));
  if (constraint.starts_with("after ")) spec.after.push_back(constraint.substr(6));
  return spec;
}

}  // namespace

TEST_CASE("site: a chain is in the order of phases, then of declaration") {
  std::vector<MiddlewareSpec> specs;
  for (const char* kind : {"transform", "protect", "observe", "limit", "identify"})
    specs.push_back(instance(kind));
  specs.push_back(distinct("protect", "b"));
  specs.push_back(distinct("protect", "a"));
  CHECK(chain_for(std::move(specs)) == "observe identify protect protect(b) protect(a) limit transform");
}

TEST_CASE("site: before and after overrule phases, by kind and by name") {
  const auto chain = [](MiddlewareSpec a, MiddlewareSpec b, MiddlewareSpec c) {
    std::vector<MiddlewareSpec> specs;
    specs.push_back(std::move(a));
    specs.push_back(std::move(b));
    specs.push_back(std::move(c));
    return chain_for(std::move(specs));
  };
  CHECK(chain(instance("observe") << "after limit", instance("limit"), instance("protect")) ==
        "protect limit observe");
  CHECK(chain(instance("observe"), instance("limit") << "before observe", instance("protect")) ==
        "protect limit observe");
  CHECK(chain(distinct("protect", "a"), distinct("protect", "b") << "before a", instance("observe")) ==
        "observe protect(b) protect(a)");
  CHECK(chain(distinct("protect", "a") << "after b", distinct("protect", "b"),
              instance("limit") << "before protect") == "limit protect(b) protect(a)");
  // A kind that is not in the chain asks for nothing.
  CHECK(chain(instance("observe") << "after transform", instance("limit"), instance("protect")) ==
        "observe protect limit");
  // Said twice is said once.
  CHECK(chain(instance("observe") << "after limit", instance("limit") << "before observe",
              instance("protect")) == "protect limit observe");
}

TEST_CASE("site: the same kind with the same options runs once, and the merge is kept") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("identify"));
  specs.push_back(instance("identify", "again"));
  specs.push_back(instance("protect"));
  CHECK(chain_for(std::move(specs)) == "identify=identify(again) protect");
}

TEST_CASE("site: two of a kind that differ in an option are both kept") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(distinct("identify", "a"));
  specs.push_back(distinct("identify", "b"));
  MiddlewareSpec number = instance("identify", "c");
  number.options = table({entry("name", std::string("a")), entry("forward", true)});
  specs.push_back(std::move(number));
  CHECK(chain_for(std::move(specs)) == "identify(a) identify(b) identify(c)");
}

TEST_CASE("site: options in another order are the same options") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("identify"));
  specs.back().options = table({entry("name", std::string("x")), entry("forward", true)});
  specs.push_back(instance("identify", "turned"));
  specs.back().options = table({entry("forward", true), entry("name", std::string("x"))});
  CHECK(chain_for(std::move(specs)) == "identify=identify(turned)");
}

TEST_CASE("site: what was declared about a duplicate holds for the one that stays") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("identify", "first"));
  specs.push_back(instance("identify", "second") << "after limit");
  specs.push_back(instance("limit"));
  CHECK(chain_for(std::move(specs)) == "limit identify(first)=identify(second)");

  specs.clear();
  specs.push_back(instance("identify", "first"));
  specs.push_back(instance("identify", "second"));
  specs.push_back(instance("limit") << "before second");
  CHECK(chain_for(std::move(specs)) == "limit identify(first)=identify(second)");
}

TEST_CASE("site: a route adds instances of its own and those that it names") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("observe"));
  specs.push_back(distinct("limit", "slow"));
  specs.back().global = false;
  RouteSpec spec = route("/");
  spec.named = {"slow"};
  spec.middleware.push_back(instance("protect"));
  spec.middleware.push_back(instance("observe", "mine"));
  CHECK(chain_for(std::move(specs), std::move(spec)) == "observe=observe(mine) protect limit(slow)");

  specs.clear();
  specs.push_back(distinct("limit", "slow"));
  specs.back().global = false;
  CHECK(chain_for(std::move(specs)).empty());

  // A global one that a route also names is simply there.
  specs.clear();
  specs.push_back(distinct("limit", "all"));
  spec = route("/");
  spec.named = {"all", "all"};
  CHECK(chain_for(std::move(specs), std::move(spec)) == "limit(all)");
}

TEST_CASE("site: what no route answers has the global chain") {
  SiteBuilder builder(test::kKinds);
  builder.add_middleware(instance("observe"));
  MiddlewareSpec named = instance("limit", "some");
  named.global = false;
  builder.add_middleware(std::move(named));
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  CHECK(chain_of(site->unmatched()) == "observe");
  CHECK(site->routes().empty());
}

TEST_CASE("site: only instances with a hook are in that hook's list, reversed on the way back") {
  SiteBuilder builder(test::kKinds);
  MiddlewareSpec quiet = distinct("protect", "quiet");
  quiet.options = table({entry("forward", false)});
  builder.add_middleware(instance("observe"));
  builder.add_middleware(std::move(quiet));
  builder.add_middleware(instance("limit"));
  builder.add_route(route("/"));
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  const Route& only = *site->routes().front();
  REQUIRE(only.chain->on_request.size() == 2);
  REQUIRE(only.chain->filters.size() == 3);
  CHECK(only.chain->on_request[0].instance == only.chain->steps[0].instance);
  CHECK(only.chain->on_request[1].instance == only.chain->steps[2].instance);
  for (size_t i = 0; i < 3; ++i) {
    CHECK(only.chain->filters[i].filter == only.chain->steps[2 - i].instance);
    CHECK(only.chain->on_done[i].instance == only.chain->steps[2 - i].instance);
  }
}

TEST_CASE("site: a contradiction is an error at its place and names exactly who contradicts") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("observe", "", 1) << "after limit");  // waits for the cycle, is not in it
  specs.push_back(instance("identify", "x", 2) << "before limit");
  specs.push_back(instance("protect", "", 3));
  specs.push_back(instance("limit", "", 4) << "before transform");
  specs.push_back(instance("transform", "", 5) << "before x");
  const Diagnostics diagnostics = mistakes(std::move(specs), [] {
    std::vector<RouteSpec> routes;
    routes.push_back(route("/a"));
    routes.push_back(route("/b"));
    return routes;
  }());
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics[0].code == kOrderCycle);
  CHECK(diagnostics[0].place.line == 2);
  CHECK(diagnostics[0].message.ends_with(
      "`identify(x)` before `limit` before `transform` before `identify(x)`"));
}

TEST_CASE("site: two that both want to be first contradict each other") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("observe", "", 7) << "before limit");
  specs.push_back(instance("limit", "", 8) << "before observe");
  CHECK(chain_for(std::move(specs))
            .starts_with("7: `before` and `after` contradict each other: `observe` before `limit`"));
}

TEST_CASE("site: unknown names are errors with a hint, all at once") {
  std::vector<MiddlewareSpec> specs;
  specs.push_back(instance("obsreve", "", 1));
  specs.push_back(instance("limit", "slow", 2) << "before protct" << "after nobody");
  specs.push_back(instance("limit", "slow", 3));
  specs.push_back(instance("picky", "choosy", 4));
  std::vector<RouteSpec> routes;
  routes.push_back(route("/x", {"GTE"}));
  routes.push_back(route("/{", {"TRACE"}));
  routes.back().named = {"slwo", "", "choosy"};
  const Diagnostics diagnostics = mistakes(std::move(specs), std::move(routes));
  const auto has = [&](int code, uint32_t at, std::string_view message, std::string_view hint) {
    INFO(message);
    CHECK(std::ranges::any_of(diagnostics, [&](const Diagnostic& each) {
      return each.code == code && each.place.line == at && each.message.contains(message) &&
             each.hint.contains(hint);
    }));
  };
  has(kUnknownKind, 1, "`obsreve`", "`observe`");
  has(kUnknownMiddleware, 2, "`protct`", "`protect`");
  has(kUnknownMiddleware, 2, "`nobody`", "");
  has(kDuplicateName, 3, "`slow`", "");
  has(0, 1, "picky likes nothing", "");
  has(kUnknownMethod, 11, "`GTE`", "`GET`");
  has(kUnknownMethod, 11, "`TRACE`", "");
  has(kBadPattern, 10, "`/{`", "");
  has(kUnknownMiddleware, 12, "`slwo`", "`slow`");
  has(kUnknownMiddleware, 12, "``", "");
  // What could not be made is not unknown besides.
  CHECK(diagnostics.size() == 10);
}

TEST_CASE("site: two routes for the same method and shape are an error at the second") {
  std::vector<RouteSpec> routes;
  routes.push_back(route("/users", {"GET"}));
  routes.push_back(route("/users/{id}", {"GET", "POST"}));
  routes.back().path_place = line(22);
  routes.push_back(route("/users/{name}", {"POST", "PUT"}));
  routes.back().path_place = line(33);
  const Diagnostics diagnostics = mistakes({}, std::move(routes));
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics[0].code == kDuplicateRoute);
  CHECK(diagnostics[0].place.line == 33);
  CHECK(diagnostics[0].message.contains("POST"));
  CHECK_FALSE(diagnostics[0].message.contains("PUT"));
  CHECK(diagnostics[0].hint.contains("the first is `/users/{id}` at "));
  CHECK(diagnostics[0].hint.ends_with("line 22"));
}

TEST_CASE("site: routes with the same middleware share one chain, others have their own") {
  SiteBuilder builder(test::kKinds);
  builder.add_middleware(instance("observe"));
  MiddlewareSpec named = distinct("protect", "own");
  named.global = false;
  builder.add_middleware(std::move(named));
  for (const char* path : {"/a", "/b", "/c", "/d"}) {
    RouteSpec spec = route(path);
    if (path[1] > 'b') spec.named = {"own"};
    builder.add_route(std::move(spec));
  }
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  const auto chain = [&](size_t i) { return site->routes()[i]->chain; };
  CHECK(chain(0)->steps.size() == 1);
  CHECK(chain(0) == chain(1));
  CHECK(chain(0) == site->unmatched().chain);
  CHECK(chain(2)->steps.size() == 2);
  CHECK(chain(2) == chain(3));
  CHECK(site->routes()[3]->path == "/d");
}

TEST_CASE("site: a route's own instance may be named by its neighbours, and by nobody else") {
  RouteSpec with = route("/a");
  with.middleware.push_back(distinct("protect", "own"));
  with.middleware.push_back(instance("observe") << "after own");
  CHECK(chain_for({}, std::move(with)) == "protect(own) observe");
  std::vector<RouteSpec> routes;
  routes.push_back(route("/a"));
  routes.back().middleware.push_back(distinct("protect", "own"));
  routes.push_back(route("/b"));
  routes.back().middleware.push_back(instance("observe", "", 5) << "after own");
  const Diagnostics diagnostics = mistakes({}, std::move(routes));
  REQUIRE(diagnostics.size() == 1);
  CHECK(diagnostics[0].place.line == 5);
}

TEST_CASE("site: routes are described with methods, handler, chain and merges") {
  SiteBuilder builder(test::kKinds);
  builder.add_middleware(instance("observe"));
  builder.add_middleware(instance("identify"));
  builder.add_middleware(instance("identify", "again"));
  builder.add_route(route("/users/{id}", {"GET", "PUT"}));
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  const std::string text = describe_text(*site);
  CHECK(text ==
        "GET,PUT  /users/{id}      observe > identify > test:handler  [identify(again) is the same as "
        "identify]\n"
        "*        (anything else)  observe > identify > (404)  [identify(again) is the same as identify]\n");
  CHECK(
      describe_json(*site) ==
      R"json([{"id":"GET,PUT /users/{id}","path":"/users/{id}","methods":["GET","PUT"],"handler":"test:handler",)json"
      R"json("before_handler":[],)json"
      R"json("middleware":[{"kind":"observe","name":"","phase":"observe","merged":[]},)json"
      R"json({"kind":"identify","name":"","phase":"identify","merged":["identify(again)"]}]}])json");
}

TEST_CASE("site: a hundred routes are described in full") {
  SiteBuilder builder(test::kKinds);
  builder.add_middleware(instance("observe"));
  for (int i = 0; i < 1000; ++i) builder.add_route(route("/path/" + std::to_string(i)));
  Diagnostics diagnostics;
  const auto site = builder.build(diagnostics);
  REQUIRE(site);
  const std::string json = describe_json(*site);
  CHECK((json.contains("/path/0\"") && json.contains("/path/999\"") && json.ends_with("]}]")));
}

TEST_CASE("site: random constraints give an order that keeps them all, or a contradiction that is one") {
  const auto seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  constexpr const char* kNames[] = {"observe", "identify", "protect", "limit", "transform"};
  for (int round = 0; round < 500; ++round) {
    const size_t count = 1 + random() % 8;
    std::vector<MiddlewareSpec> specs;
    for (size_t i = 0; i < count; ++i)
      specs.push_back(distinct(kNames[random() % 5], "n" + std::to_string(i)));
    std::vector<std::pair<size_t, size_t>> wanted;  // first, second
    for (size_t i = random() % (count + 1); i > 0; --i) {
      const size_t a = random() % count;
      const size_t b = random() % count;
      if (a == b) continue;
      if (random() % 2 == 0) {
        specs[a].before.push_back(specs[b].name);
      } else {
        specs[b].after.push_back(specs[a].name);
      }
      wanted.emplace_back(a, b);
    }
    std::vector<Step> steps;
    for (const MiddlewareSpec& spec : specs)
      steps.push_back(
          {.kind = std::ranges::find(test::kKinds, spec.kind, &MiddlewareKind::name), .spec = &spec});
    const auto index = [&](const Step& step) { return static_cast<size_t>(step.spec - specs.data()); };
    const auto asked = [&](size_t first, size_t second) {
      return std::ranges::find(wanted, std::pair(first, second)) != wanted.end();
    };
    if (const auto cycle = order_chain(steps); !cycle.empty()) {
      REQUIRE(cycle.size() >= 2);
      for (size_t i = 0; i < cycle.size(); ++i)
        REQUIRE(asked(index(*cycle[i]), index(*cycle[(i + 1) % cycle.size()])));
      continue;
    }
    REQUIRE(steps.size() == count);
    std::vector<size_t> position(count);
    for (size_t i = 0; i < count; ++i) position[index(steps[i])] = i;
    for (const auto& [first, second] : wanted) REQUIRE(position[first] < position[second]);
    // Neighbours that nobody asked for stand in the order of phase and declaration.
    for (size_t i = 0; i + 1 < count; ++i) {
      const size_t a = index(steps[i]);
      const size_t b = index(steps[i + 1]);
      if (!asked(a, b)) REQUIRE(std::pair(steps[i].kind->phase, a) < std::pair(steps[i + 1].kind->phase, b));
    }
  }
}

}  // namespace leat::pipeline

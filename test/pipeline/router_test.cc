// The router: tables of single cases, and random sites against a matcher that tries every route.
#include "pipeline/router.h"

#include <algorithm>
#include <catch2/catch_get_random_seed.hpp>
#include <catch2/catch_test_macros.hpp>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "json/allocations.h"
#include "pipeline/site.h"

namespace leat::pipeline {
namespace {

using Kind = Router::Match::Kind;
using http::Method;

struct Memory {
  BlockPool pool{64, 64};
  Arena arena{pool, size_t{256} << 10};
};

// Routes by their number in the order of add().
class Table {
 public:
  bool add(std::string_view pattern, http::MethodSet methods = http::method_bit(Method::Get)) {
    auto parsed = Pattern::parse(pattern);
    REQUIRE(parsed);
    routes_.emplace_back();
    routes_.back().path = texts_.emplace_back(pattern);
    routes_.back().methods = methods;
    routes_.back().params = static_cast<uint8_t>(parsed->params().size());
    if (router_.add(*parsed, methods, &routes_.back())) return true;
    routes_.pop_back();
    return false;
  }
  Router& router() { return router_; }

  // What answers: the route's pattern and its parameters, or the kind of miss.
  std::string find(std::string_view path, Method method = Method::Get) {
    Memory memory;
    Router::Match match;
    router_.find(method, path, memory.arena, match);
    switch (match.kind) {
      case Kind::NotFound:
        return "404";
      case Kind::MethodNotAllowed:
        return "405 " + std::string(match.allow);
      case Kind::Options:
        return "204 " + std::string(match.allow);
      case Kind::BadPath:
        return "400";
      default:
        break;
    }
    std::string text(match.route->path);
    for (size_t i = 0; i < match.param_count; ++i) text += " [" + std::string(match.params[i]) + "]";
    return text;
  }

 private:
  std::deque<std::string> texts_;
  std::deque<Route> routes_;
  Router router_;
};

struct Row {
  std::string_view path;
  std::string_view found;
};

void check_rows(Table& table, std::initializer_list<Row> rows) {
  for (const Row& row : rows) {
    INFO(row.path);
    CHECK(table.find(row.path) == row.found);
  }
}

}  // namespace

TEST_CASE("router: text, one segment and the rest are found") {
  Table table;
  for (const std::string_view pattern :
       {"/", "/json", "/users/{id}", "/users/{id}/posts/{post}", "/files/{path...}", "/a/b/"})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  check_rows(table, {{"/", "/"},
                     {"/json", "/json"},
                     {"/users/42", "/users/{id} [42]"},
                     {"/users/42/posts/7", "/users/{id}/posts/{post} [42] [7]"},
                     {"/files/a", "/files/{path...} [a]"},
                     {"/files/a/b//c/", "/files/{path...} [a/b//c/]"},
                     {"/files/", "/files/{path...} []"},
                     {"/a/b/", "/a/b/"}});
}

TEST_CASE("router: what is nearly a route is not found") {
  Table table;
  for (const std::string_view pattern : {"/json", "/users/{id}", "/files/{path...}", "/a/b/", "/c//d"})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  for (const std::string_view path :
       {"/", "/jso", "/jsonx", "/json/", "/JSON", "//json", "/users", "/users/", "/users/1/", "/users//1",
        "/files", "/a/b", "/c/d", "/c///d", "/json/x"}) {
    INFO(path);
    CHECK(table.find(path) == "404");
  }
  CHECK(table.find("/c//d") == "/c//d");
}

TEST_CASE("router: text wins over a parameter and that over the rest, with backtracking") {
  Table table;
  for (const std::string_view pattern :
       {"/a/b", "/a/{x}", "/{y}/b/c", "/a/b/{z}/d", "/{all...}", "/a/{x}/c/e"})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  check_rows(table, {{"/a/b", "/a/b"},
                     {"/a/c", "/a/{x} [c]"},
                     {"/a/b/c", "/{y}/b/c [a]"},
                     {"/a/b/c/d", "/a/b/{z}/d [c]"},
                     {"/a/b/c/e", "/a/{x}/c/e [b]"},
                     {"/a/b/c/f", "/{all...} [a/b/c/f]"},
                     {"/b", "/{all...} [b]"},
                     {"/", "/{all...} []"}});
}

TEST_CASE("router: percent-encoded paths mean what they decode to, and %2F is no separator") {
  Table table;
  for (const std::string_view pattern :
       {"/json", "/users/{id}", "/a/b", "/files/{path...}", "/caf%C3%A9", "/x%2Fy"})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  check_rows(table, {{"/%6Ason", "/json"},
                     {"/js%6fn", "/json"},
                     {"/users/a%20b", "/users/{id} [a b]"},
                     {"/users/a%2Fb", "/users/{id} [a/b]"},
                     {"/users/%2e%2e%2f", "/users/{id} [../]"},
                     {"/users/a%252Fb", "/users/{id} [a%2Fb]"},
                     {"/users/+", "/users/{id} [+]"},
                     {"/a%2Fb", "404"},
                     {"/a%2fb", "404"},
                     {"/files/a%2Fb/c%20d", "/files/{path...} [a/b/c d]"},
                     {"/caf\xC3\xA9", "/caf%C3%A9"},
                     {"/caf%c3%a9", "/caf%C3%A9"},
                     {"/x%2fy", "/x%2Fy"},
                     {"/x/y", "404"}});
}

TEST_CASE("router: a path is compared decoded once, never twice") {
  Table table;
  REQUIRE(table.add("/a%2525b"));
  REQUIRE(table.add("/{any}"));
  table.router().freeze();
  CHECK(table.find("/a%25b") == "/{any} [a%b]");
  CHECK(table.find("/a%2525b") == "/a%2525b");
}

TEST_CASE("router: a bad escape or a NUL is a bad path, wherever it stands") {
  Table table;
  REQUIRE(table.add("/users/{id}"));
  table.router().freeze();
  for (const std::string_view path : {"/users/%", "/users/%4", "/users/%zz", "/users/%4z", "/users/a%00",
                                      "/nowhere/%", "/%%", "/users/%00", "/%g0/../users/1", "/users/1%"}) {
    INFO(path);
    CHECK(table.find(path) == "400");
  }
}

TEST_CASE("router: dot segments are removed and lead nowhere above the root") {
  Table table;
  for (const std::string_view pattern :
       {"/", "/a", "/a/", "/a/b", "/.well-known/{name}", "/files/{path...}", "/..."})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  check_rows(table, {{"/./a", "/a"},
                     {"/a/.", "/a/"},
                     {"/a/./b", "/a/b"},
                     {"/a/c/../b", "/a/b"},
                     {"/../a", "/a"},
                     {"/../../../a", "/a"},
                     {"/..", "/"},
                     {"/.", "/"},
                     {"/a/..", "/"},
                     {"/a/%2e%2E/a", "/a"},
                     {"/a/%2e/b", "/a/b"},
                     {"/a/.%2e/a", "/a"},
                     {"/files/../../etc/passwd", "404"},
                     {"/files/x/../y", "/files/{path...} [y]"},
                     {"/files/x/..", "/files/{path...} []"},
                     {"/.well-known/x", "/.well-known/{name} [x]"},
                     {"/...", "/..."},
                     {"/a/b/.c/..", "404"},
                     {"/a//../b", "/a/b"}});
}

TEST_CASE("router: HEAD goes to GET, OPTIONS is answered, other methods are told what is allowed") {
  Table table;
  REQUIRE(table.add("/get"));
  REQUIRE(table.add("/notes", http::method_bit(Method::Get) | http::method_bit(Method::Post)));
  REQUIRE(table.add("/own", http::method_bit(Method::Post) | http::method_bit(Method::Options)));
  table.router().freeze();
  CHECK(table.find("/get", Method::Head) == "/get");
  CHECK(table.find("/get", Method::Post) == "405 GET, HEAD, OPTIONS");
  CHECK(table.find("/get", Method::Options) == "204 GET, HEAD, OPTIONS");
  CHECK(table.find("/notes", Method::Delete) == "405 GET, HEAD, POST, OPTIONS");
  CHECK(table.find("/own", Method::Options) == "/own");
  CHECK(table.find("/own", Method::Head) == "405 POST, OPTIONS");
  CHECK(table.find("/nowhere", Method::Options) == "404");
}

TEST_CASE("router: a method that the best pattern lacks is looked for in the next") {
  Table table;
  REQUIRE(table.add("/users/me", http::method_bit(Method::Put)));
  REQUIRE(table.add("/users/{id}"));
  REQUIRE(table.add("/{all...}", http::method_bit(Method::Delete)));
  table.router().freeze();
  CHECK(table.find("/users/me") == "/users/{id} [me]");
  CHECK(table.find("/users/me", Method::Put) == "/users/me");
  CHECK(table.find("/users/me", Method::Delete) == "/{all...} [users/me]");
  CHECK(table.find("/users/me", Method::Patch).starts_with("405 "));
}

TEST_CASE("router: routes of the same shape share it only with different methods") {
  Table table;
  REQUIRE(table.add("/users/{id}"));
  CHECK_FALSE(table.add("/users/{name}"));
  CHECK(table.add("/users/{name}", http::method_bit(Method::Post)));
  CHECK(table.add("/users/{rest...}"));
  CHECK_FALSE(table.add("/users/{other...}"));
  CHECK(table.add("/users"));
  CHECK(table.add("/users/"));
  CHECK_FALSE(table.add("/%75sers"));
}

TEST_CASE("router: bad patterns are refused with a sentence") {
  for (const std::string_view text :
       {"",       "users",        "*",        "/{",          "/}", "/{}",  "/a{id}", "/{id}a", "/{a}{b}",
        "/{...}", "/{rest...}/x", "/{a}/{a}", "/{a}/{a...}", "/%", "/%4",  "/%zz",   "/%00",   "/a/./b",
        "/a/..",  "/%2e",         "/{a.b}",   "/{{a}}",      "/*", "/a*b", "/a?b=c", "/?"}) {
    INFO(text);
    const auto pattern = Pattern::parse(text);
    REQUIRE_FALSE(pattern);
    CHECK_FALSE(pattern.error().empty());
  }
  std::string most;
  for (size_t i = 0; i < http::Request::kMostParams; ++i) most += "/{p" + std::to_string(i) + "}";
  CHECK(Pattern::parse(most));
  CHECK_FALSE(Pattern::parse(most + "/{q}"));
  std::string deepest;
  for (int i = 0; i < 1000; ++i) deepest += "/a";
  CHECK(Pattern::parse(deepest));
  CHECK_FALSE(Pattern::parse(deepest + "/"));
}

TEST_CASE("router: a star and a question mark are text where they are written as escapes") {
  CHECK(Pattern::parse("/*").error().contains("{name...}"));
  CHECK(Pattern::parse("/a?b").error().contains("query"));
  Table table;
  REQUIRE(table.add("/%2A/%3F"));
  table.router().freeze();
  CHECK(table.find("/*/%3f") == "/%2A/%3F");
  CHECK(table.find("/%2a/%3F") == "/%2A/%3F");
}

TEST_CASE("router: a pattern knows its parameters in order") {
  CHECK(Pattern::parse("/a/{x}/b/{y...}")->params() == std::vector<std::string>{"x", "y"});
  CHECK(Pattern::parse("/a")->params().empty());
}

TEST_CASE("router: many routes of every kind are each found") {
  Table table;
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i);
    REQUIRE(table.add("/test/path/" + number));
    REQUIRE(table.add("/api/" + number + "/users/{id}"));
  }
  table.router().freeze();
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i);
    REQUIRE(table.find("/test/path/" + number) == "/test/path/" + number);
    REQUIRE(table.find("/api/" + number + "/users/x") == "/api/" + number + "/users/{id} [x]");
  }
  CHECK(table.find("/test/path/2000") == "404");
}

TEST_CASE(
    "router: looking up asks nothing of the heap, and nothing of the arena for a path without parameters") {
  Table table;
  for (const std::string_view pattern :
       {"/test/path/50", "/api/users/{user}/posts/{post}", "/files/{path...}"})
    REQUIRE(table.add(pattern));
  table.router().freeze();
  Memory memory;
  const auto find = [&](Method method, std::string_view path) {
    Router::Match match;
    table.router().find(method, path, memory.arena, match);
    return match;
  };
  const auto* const before = static_cast<const char*>(memory.arena.allocate(1, 1));
  const size_t allocations = test::allocations();
  for (const Method method : {Method::Get, Method::Head}) find(method, "/test/path/50");
  const auto* const after = static_cast<const char*>(memory.arena.allocate(1, 1));
  for (int i = 0; i < 50; ++i) {
    for (const std::string_view path : {"/api/users/123/posts/456", "/nowhere", "/files/a/b/c", "/files"})
      find(Method::Get, path);
    const std::string_view rest = find(Method::Get, "/files/../files/%41/b%20c").params[0];
    if (rest != "A/b c") FAIL(rest);
  }
  const size_t allocated = test::allocations() - allocations;
  CHECK(allocated == 0);
  CHECK(find(Method::Get, "/test/path/50").kind == Kind::Found);
  CHECK(after == before + 1);
}

TEST_CASE("router: a full arena is told apart from a path that leads nowhere") {
  Table table;
  REQUIRE(table.add("/users/{id}"));
  REQUIRE(table.add("/users"));
  table.router().freeze();
  BlockPool pool(1, 1);
  Arena full(pool, 0);
  Router::Match match;
  table.router().find(Method::Get, "/users/1", full, match);
  CHECK(match.kind == Kind::NoMemory);
  match = {};
  table.router().find(Method::Get, "/users/../%31", full, match);
  CHECK(match.kind == Kind::NoMemory);
  match = {};
  table.router().find(Method::Get, "/users", full, match);
  CHECK(match.kind == Kind::Found);
}

// --- Against a matcher that is simple to a fault.

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

std::optional<std::string> decoded(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return std::nullopt;
    out += static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    if (out.back() == '\0') return std::nullopt;
    i += 2;
  }
  return out;
}

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> segments;
  for (size_t at = 0; at < path.size();) {
    const size_t end = std::min(path.find('/', at + 1), path.size());
    segments.emplace_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return segments;
}

// The segments of a path, decoded, without its dot segments; nothing for a bad path.
std::optional<std::vector<std::string>> normalised(std::string_view path) {
  std::vector<std::string> out;
  const std::vector<std::string> raw = split(path);
  for (size_t i = 0; i < raw.size(); ++i) {
    const auto segment = decoded(raw[i]);
    if (!segment) return std::nullopt;
    const bool last = i + 1 == raw.size();
    if (*segment == "." || *segment == "..") {
      if (*segment == ".." && !out.empty()) out.pop_back();
      if (last) out.emplace_back();
    } else {
      out.push_back(*segment);
    }
  }
  return out;
}

struct NaiveRoute {
  std::string pattern;
  std::vector<std::string> segments;
  http::MethodSet methods;

  static char rank(const std::string& segment) {
    return !segment.starts_with('{') ? 0 : segment.ends_with("...}") ? 2 : 1;
  }
  // How good a match is, segment by segment: the lexicographically smallest wins.
  [[nodiscard]] std::string ranks() const {
    std::string text;
    for (const std::string& segment : segments) text += rank(segment);
    return text;
  }
  [[nodiscard]] bool matches(const std::vector<std::string>& path, std::vector<std::string>& params) const {
    params.clear();
    for (size_t i = 0; i < segments.size(); ++i) {
      if (i >= path.size()) return false;
      switch (rank(segments[i])) {
        case 0:
          if (path[i] != segments[i]) return false;
          break;
        case 1:
          if (path[i].empty()) return false;
          params.push_back(path[i]);
          break;
        default: {
          std::string rest = path[i];
          for (size_t j = i + 1; j < path.size(); ++j) rest += "/" + path[j];
          params.push_back(rest);
          return true;
        }
      }
    }
    return path.size() == segments.size();
  }
};

std::string allow_of(http::MethodSet methods) {
  if ((methods & http::method_bit(Method::Get)) != 0) methods |= http::method_bit(Method::Head);
  methods |= http::method_bit(Method::Options);
  std::string text;
  for (unsigned i = 0; i < http::kMethodCount; ++i) {
    const auto method = static_cast<Method>(i);
    if ((methods & http::method_bit(method)) != 0)
      text += (text.empty() ? "" : ", ") + std::string(http::method_name(method));
  }
  return text;
}

std::string naive_find(const std::vector<NaiveRoute>& routes, std::string_view path, Method method) {
  const auto segments = normalised(path);
  if (!segments) return "400";
  struct Candidate {
    std::string ranks;
    const NaiveRoute* route;
  };
  std::vector<Candidate> candidates;
  std::vector<std::string> params;
  for (const NaiveRoute& route : routes)
    if (route.matches(*segments, params)) candidates.push_back({route.ranks(), &route});
  if (candidates.empty()) return "404";
  std::ranges::stable_sort(candidates, {}, &Candidate::ranks);
  const auto serves = [&](const NaiveRoute& route, Method wanted) {
    return (route.methods & http::method_bit(wanted)) != 0;
  };
  for (size_t i = 0; i < candidates.size();) {
    // Routes of one shape are one place: HEAD's own route goes before GET's.
    size_t end = i;
    while (end < candidates.size() && candidates[end].ranks == candidates[i].ranks) ++end;
    for (const Method wanted : {method, method == Method::Head ? Method::Get : method})
      for (size_t j = i; j < end; ++j)
        if (serves(*candidates[j].route, wanted)) {
          std::string text = candidates[j].route->pattern;
          (void)candidates[j].route->matches(*segments, params);
          for (const std::string& param : params) text += " [" + param + "]";
          return text;
        }
    i = end;
  }
  http::MethodSet first = 0;
  for (const Candidate& candidate : candidates)
    if (candidate.ranks == candidates.front().ranks) first |= candidate.route->methods;
  return (method == Method::Options ? "204 " : "405 ") + allow_of(first);
}

}  // namespace

TEST_CASE("router: random sites answer as a matcher does that tries every route") {
  const auto seed = Catch::getSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto pick = [&](auto& list) -> auto& { return list[random() % std::size(list)]; };
  constexpr std::string_view kPatternSegments[] = {"a", "b", "aa", ".x", "{p}", "{p}", "", "a/b"};
  constexpr std::string_view kPathSegments[] = {"a",    "b",    "aa",     ".x",  "c",   "",
                                                ".",    "..",   "%61",    "%2e", "%2F", "a%2Fb",
                                                "%2E.", "a%25", "%C3%A9", "%zz", "%00", "%"};
  constexpr Method kMethods[] = {Method::Get, Method::Post, Method::Put, Method::Head, Method::Options};
  for (int site = 0; site < 300; ++site) {
    Table table;
    std::vector<NaiveRoute> routes;
    const size_t count = 1 + random() % 20;
    while (routes.size() < count) {
      NaiveRoute route;
      const size_t length = 1 + random() % 4;
      for (size_t i = 0; i < length; ++i) {
        std::string segment(pick(kPatternSegments));
        if (segment == "{p}") segment = "{p" + std::to_string(i) + "}";
        if (i + 1 == length && random() % 5 == 0) segment = "{r...}";
        // In a pattern, a slash within a segment is written encoded.
        route.pattern += "/" + (segment == "a/b" ? "a%2Fb" : segment);
        route.segments.push_back(segment);
      }
      route.methods = http::method_bit(pick(kMethods)) | http::method_bit(pick(kMethods));
      const bool clash = std::ranges::any_of(routes, [&](const NaiveRoute& other) {
        if (other.segments.size() != route.segments.size() || (other.methods & route.methods) == 0)
          return false;
        for (size_t i = 0; i < route.segments.size(); ++i) {
          if (NaiveRoute::rank(route.segments[i]) != NaiveRoute::rank(other.segments[i])) return false;
          if (NaiveRoute::rank(route.segments[i]) == 0 && route.segments[i] != other.segments[i])
            return false;
        }
        return true;
      });
      INFO(route.pattern);
      REQUIRE(table.add(route.pattern, route.methods) != clash);
      if (!clash) routes.push_back(route);
    }
    table.router().freeze();
    for (int i = 0; i < 100; ++i) {
      std::string path;
      const size_t length = 1 + random() % 5;
      for (size_t j = 0; j < length; ++j)
        path += "/" + std::string(kPathSegments[random() % (i % 2 == 0 ? 15 : 18)]);
      const Method method = pick(kMethods);
      INFO(http::method_name(method) << " " << path);
      std::string all;
      for (const NaiveRoute& route : routes) all += route.pattern + " " + allow_of(route.methods) + "\n";
      INFO(all);
      REQUIRE(table.find(path, method) == naive_find(routes, path, method));
    }
  }
}

}  // namespace leat::pipeline

// Targets of redirects and rewrites: what they are made of, and that no request makes another host, query or line of them.
#include "pipeline/target.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "pipeline/stage.h"

namespace leat::pipeline {
namespace {

// What `text` becomes for a request of `target` on a route of `path`.
std::string made(std::string_view path, std::string_view text, std::string_view target) {
  const auto pattern = Pattern::parse(path);
  REQUIRE(pattern);
  const auto parsed = Target::parse(text, *pattern);
  REQUIRE(parsed);
  test::Stage stage;
  std::string found = "(no route)";
  stage.route(std::string(path)).on_handle = [&](http::Exchange& exchange) {
    found = parsed->make(exchange.request, exchange.request.params(), exchange.arena());
    exchange.send({});
    return Verdict::Done;
  };
  stage.get(target);
  return found;
}

std::string wrong(std::string_view path, std::string_view text) {
  const auto parsed = Target::parse(text, *Pattern::parse(path));
  return parsed ? std::string() : parsed.error();
}

TEST_CASE("target: parameters, and what the request is") {
  CHECK(made("/old/{id}", "/new/{id}", "/old/7") == "/new/7");
  CHECK(made("/old/{id}", "/new?id={id}&from={path}", "/old/7") == "/new?id=7&from=/old/7");
  CHECK(made("/{rest...}", "https://www.{host}/{rest}{query}", "/a/b?c=d") == "https://www.a/a/b?c=d");
  CHECK(made("/x", "{scheme}://b{path}{query}", "/x?") == "http://b/x?");
  CHECK(made("/x", "/y{query}", "/x") == "/y");
  CHECK(made("/docs{/rest...}", "/manual/{rest}", "/docs") == "/manual/");
  CHECK(made("/docs{/rest...}", "/manual/{rest}", "/docs/a/b") == "/manual/a/b");
}

TEST_CASE("target: what is decoded is encoded again") {
  CHECK(made("/old/{id}", "/new/{id}", "/old/a%2Fb") == "/new/a%2Fb");
  CHECK(made("/old/{id}", "/new/{id}", "/old/%3Fx=1%23y") == "/new/%3Fx=1%23y");
  CHECK(made("/old/{id}", "/new/{id}", "/old/%0D%0ASet-Cookie:%20a") == "/new/%0D%0ASet-Cookie%3A%20a");
  CHECK(made("/old/{id}", "/new/{id}", "/old/%25") == "/new/%25");
  CHECK(made("/old/{id}", "/new/{id}", "/old/%C3%A9") == "/new/%C3%A9");
  CHECK(made("/old/{id}", "https://{id}.example.org/", "/old/evil.com%2F%40x") ==
        "https://evil.com%2F%40x.example.org/");
}

TEST_CASE("target: the rest of a path keeps its escapes, and leads out of nothing") {
  CHECK(made("/old/{rest...}", "/new/{rest}", "/old/a%2Fb/c%25") == "/new/a%2Fb/c%25");
  CHECK(made("/old/{rest...}", "/new/{rest}", "/old/..%2F..%2Fadmin") == "/new/..%2F..%2Fadmin");
  CHECK(made("/old/{rest...}", "/new/{rest}", "/old/a/%2e%2E/b") == "/new/b");
  CHECK(made("/old/{id}{/rest...}", "/new/{rest}?{id}", "/old/7") == "/new/?7");
  CHECK(made("/old/{id}{/rest...}", "/new/{rest}?{id}", "/x/../old/7/a%3Fb") == "/new/a%3Fb?7");
  CHECK(made("/{rest...}", "/new/{rest}", "/a\"<b") == "/new/a%22%3Cb");
}

TEST_CASE("target: one on this host stays on it") {
  CHECK(made("/old/{rest...}", "/{rest}", "/old//evil.example") == "/evil.example");
  CHECK(made("/old/{rest...}", "/{rest}", "/old/%2Fevil.example") == "/%2Fevil.example");
  CHECK(made("/old/{rest...}", "/{rest}", "/old/%5Cevil.example") == "/%5Cevil.example");
  CHECK(made("/{rest...}", "{path}", "//evil.example") == "/evil.example");
  // Browsers take a backslash for a slash.
  CHECK(made("/{rest...}", "{path}", "/\\evil.example") == "/%5Cevil.example");
  CHECK(made("/{rest...}", "/{rest}", "/\\evil.example") == "/%5Cevil.example");
}

TEST_CASE("target: what is none is told") {
  CHECK(wrong("/{id}", "/{it}") == "the path has no parameter `it`: did you mean `id`?");
  CHECK(wrong("/{id}", "/{").contains("stands alone"));
  CHECK(wrong("/{id}", "/}").contains("stands alone"));
  CHECK(wrong("/{id}", "/a b").contains("`%20`"));
  CHECK(wrong("/{id}", "/a\r\nb").contains("`%0D`"));
  CHECK(wrong("/{id}", "/%zz").contains("two hex digits"));
  for (const std::string_view text : {"new", "//evil.example", "javascript:x", "{id}", "ftp://a/"})
    CHECK(wrong("/{id}", text).contains("begins with"));
  CHECK(wrong("/{rest...}", "https://{rest}/").contains("no host is made of them"));
  CHECK(wrong("/{rest...}", "https://a/{rest}").empty());
}

}  // namespace
}  // namespace leat::pipeline

// What one kind needs of another in front of it, when a site is built.
#include <catch2/catch_test_macros.hpp>
#include <functional>
#include <string>
#include <utility>

#include "middleware/support.h"
#include "pipeline/site.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

MiddlewareSpec instance(std::string kind, Value::Table options, bool global = false) {
  return {.kind = std::move(kind), .global = global, .options = table(std::move(options)), .place = line(1)};
}
MiddlewareSpec sessions(bool global = false) {
  return instance("sessions", {texts("keys", {std::string(kOneSessionKey)})}, global);
}
MiddlewareSpec token(bool global = false) { return instance("csrf", {entry("token", true)}, global); }
MiddlewareSpec by_user(bool global = false) {
  return instance("rate_limit", {texts("key", {"user"})}, global);
}
MiddlewareSpec keyed() { return instance("api_key", {texts("keys", {std::string(kOneKey)})}); }

void add_route(SiteBuilder& builder, std::string path, std::vector<MiddlewareSpec> own = {}) {
  RouteSpec spec;
  spec.path = std::move(path);
  spec.methods = {"GET"};
  spec.handler = std::make_unique<ScriptHandler>();
  spec.middleware = std::move(own);
  builder.add_route(std::move(spec));
}

// What is said of needs, in lines.
std::string said(const std::function<void(SiteBuilder&)>& fill) {
  SiteBuilder builder(kinds());
  fill(builder);
  Diagnostics found;
  const auto site = builder.build(found);
  CHECK((site == nullptr) == !found.empty());
  std::string text;
  for (const Diagnostic& each : found) {
    CHECK(each.code == kUnmetNeed);
    text += each.message + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("needs: a token without sessions is told with its routes, and what no route takes is one") {
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(token(true));
          for (const char* path : {"/a", "/b", "/c", "/d"}) add_route(builder, path);
        }) ==
        "`csrf` needs a session for `token`, and no `sessions` is in front of it on route `GET /a`, "
        "route `GET /b`, route `GET /c` and 2 more\n");
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(token(true));
          add_route(builder, "/a", {sessions()});
        }) ==
        "`csrf` needs a session for `token`, and no `sessions` is in front of it on what no route takes\n");
  CHECK(said([](SiteBuilder& builder) {
          add_route(builder, "/a", {token()});
          add_route(builder, "/b", {token(), sessions()});
        }) == "`csrf` needs a session for `token`, and no `sessions` is in front of it on route `GET /a`\n");
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(sessions(true));
          builder.add_middleware(token(true));
          add_route(builder, "/a");
        }).empty());
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(sessions(true));
          add_route(builder, "/a", {token()});
          add_route(builder, "/b", {instance("csrf", {})});
        }).empty());
}

TEST_CASE("needs: the one that is needed has to be in front") {
  CHECK(said([](SiteBuilder& builder) {
          MiddlewareSpec late = sessions();
          late.after = {"csrf"};
          add_route(builder, "/a", {std::move(late), token()});
        }).contains("on route `GET /a`"));
  CHECK(said([](SiteBuilder& builder) {
          MiddlewareSpec early = by_user();
          early.before = {"api_key"};
          add_route(builder, "/a", {std::move(early), keyed()});
        }).contains("`rate_limit` needs a user who has proved who it is for `key`"));
}

TEST_CASE("needs: what does without is wrong where it can have it on no route") {
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(by_user(true));
          add_route(builder, "/open");
          add_route(builder, "/keyed", {keyed()});
        }).empty());
  CHECK(said([](SiteBuilder& builder) {
          builder.add_middleware(by_user(true));
          add_route(builder, "/open");
        }) ==
        "`rate_limit` needs a user who has proved who it is for `key`, and on none of its routes `api_key`, "
        "`basic_auth` or `jwt` is in front of it\n");
  const auto fields = [](const std::string& option, const std::string& value) {
    return instance("headers", {texts(option, {"X-It: " + value})});
  };
  CHECK(said([&](SiteBuilder& builder) {
          add_route(builder, "/a", {fields("request_add", "a {user}"), fields("answer_set", "{user}")});
        }) ==
        "`headers` needs a user who has proved who it is for `request_add`, and on none of its routes "
        "`api_key`, "
        "`basic_auth` or `jwt` is in front of it\n");
  CHECK(said([&](SiteBuilder& builder) {
          add_route(builder, "/a",
                    {fields("request_set", "{user}"), fields("answer_set", "{user}"), keyed()});
        }).empty());
}

}  // namespace leat::middleware

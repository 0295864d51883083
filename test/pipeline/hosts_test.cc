// Hosts, conditions, rewrites and slashes: which route a request has, and what is answered where it has none.
#include "pipeline/hosts.h"

#include <catch2/catch_test_macros.hpp>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/forwarding.h"
#include "pipeline/find_route.h"
#include "pipeline/stage.h"

namespace leat::pipeline {
namespace {

// A site whose routes answer with their names.
class NamedSite {
 public:
  size_t host(std::vector<std::string> names, TrailingSlash slash = TrailingSlash::Exact,
              std::vector<std::string> listeners = {}) {
    return builder_.add_host({.names = std::move(names),
                              .listeners = std::move(listeners),
                              .trailing_slash = slash,
                              .place = test::line(++line_)});
  }
  void trailing_slash(TrailingSlash policy) { builder_.set_trailing_slash(policy); }
  void route(std::string path, std::string answer, size_t host = 0, std::optional<ConditionKeys> when = {},
             std::vector<std::string> methods = {"GET"}) {
    add(std::move(path), std::move(answer), host, std::move(when), std::move(methods), "");
  }
  void rewrite(std::string path, std::string target, size_t host = 0) {
    add(std::move(path), "", host, {}, {"*"}, std::move(target));
  }
  Diagnostics build() {
    Diagnostics diagnostics;
    site_ = builder_.build(diagnostics);
    if (!site_) return diagnostics;
    pipeline_.emplace(*site_);
    harness_ = std::make_unique<leat::test::HttpHarness>(*pipeline_);
    session_ = std::make_unique<http1::Session>(harness_->environment, "192.0.2.1", 0);
    return diagnostics;
  }
  // The answer's body, or its status; with where it leads.
  std::string ask(std::string_view host, std::string_view target, std::string_view method = "GET",
                  std::string_view fields = "") {
    session_->feed(std::string(method) + " " + std::string(target) +
                   " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" + std::string(fields) + "\r\n");
    const std::string answer = leat::test::HttpHarness::take(*session_);
    const int status = test::status_of(answer);
    if (status == 200) return answer.substr(answer.find("\r\n\r\n") + 4);
    const size_t location = answer.find("Location: ");
    if (location == std::string::npos) return std::to_string(status);
    return std::to_string(status) + " " +
           answer.substr(location + 10, answer.find('\r', location) - location - 10);
  }
  [[nodiscard]] const Site& site() const { return *site_; }
  [[nodiscard]] leat::test::HttpHarness& harness() { return *harness_; }
  ~NamedSite() {
    if (session_) session_->disconnect();
  }

 private:
  void add(std::string path, std::string answer, size_t host, std::optional<ConditionKeys> when,
           std::vector<std::string> methods, std::string rewrite) {
    RouteSpec spec;
    spec.path = std::move(path);
    spec.methods = std::move(methods);
    spec.host = host;
    if (when) spec.when = std::make_unique<ConditionKeys>(std::move(*when));
    if (!rewrite.empty())
      spec.rewrite = std::make_unique<RewriteSpec>(RewriteSpec{rewrite, test::line(line_)});
    spec.path_place = test::line(++line_);
    if (!spec.rewrite) {
      auto handler = std::make_unique<test::ScriptHandler>();
      handler->on_handle = [answer](http::Exchange& exchange) {
        std::string text = answer;
        for (const std::string_view param : exchange.request.params())
          text += " [" + std::string(param) + "]";
        if (!exchange.request.query().empty()) text += " ?" + std::string(exchange.request.query());
        exchange.send(text);
        return Verdict::Done;
      };
      spec.handler = std::move(handler);
    }
    builder_.add_route(std::move(spec));
  }

  uint32_t line_ = 0;
  SiteBuilder builder_{test::kKinds};
  std::unique_ptr<Site> site_;
  std::optional<Pipeline> pipeline_;
  std::unique_ptr<leat::test::HttpHarness> harness_;
  std::unique_ptr<http1::Session> session_;
};

TEST_CASE("hosts: its own name, then the longest it is below, then the rest") {
  NamedSite named;
  named.route("/", "rest");
  named.route("/", "org", named.host({"example.org", "www.example.org"}));
  named.route("/", "below", named.host({"*.example.org"}));
  named.route("/", "deep", named.host({"*.a.example.org", "[2001:db8::1]", "127.0.0.1"}));
  REQUIRE(named.build().empty());
  for (const auto& [host, wanted] :
       std::initializer_list<std::pair<std::string_view, std::string_view>>{{"example.org", "org"},
                                                                            {"EXAMPLE.Org:8080", "org"},
                                                                            {"example.org.", "org"},
                                                                            {"www.example.org", "org"},
                                                                            {"x.example.org", "below"},
                                                                            {"x.y.example.org", "below"},
                                                                            {"a.example.org", "below"},
                                                                            {"b.a.example.org", "deep"},
                                                                            {"[2001:db8::1]:80", "deep"},
                                                                            {"127.0.0.1", "deep"},
                                                                            {"notexample.org", "rest"},
                                                                            {"org", "rest"},
                                                                            {".example.org", "rest"},
                                                                            {"127.0.0.2", "rest"}}) {
    INFO(host);
    CHECK(named.ask(host, "/") == wanted);
  }
  CHECK(named.ask(std::string(300, 'a') + ".example.org", "/") == "rest");
  // Each has routes of its own, and what is missing there is missing.
  CHECK(named.ask("example.org", "/other") == "404");
  // The target's host counts, not the field's beside it.
  CHECK(named.ask("other", "http://example.org/") == "org");
}

TEST_CASE("hosts: a head that comes again leads to the same host") {
  NamedSite named;
  named.route("/{id}", "rest");
  named.route("/{id}", "org", named.host({"example.org"}));
  REQUIRE(named.build().empty());
  for (int i = 0; i < 40; ++i) {
    CHECK(named.ask("example.org", "/7") == "org [7]");
    CHECK(named.ask("example.com", "/7") == "rest [7]");
  }
}

TEST_CASE("hosts: one for a listener comes before one for all, by name first") {
  NamedSite named;
  named.route("/", "rest");
  named.route("/", "any", named.host({"example.org"}));
  named.route("/", "inner", named.host({"example.org"}, TrailingSlash::Exact, {"127.0.0.1:81"}));
  named.route("/", "door", named.host({}, TrailingSlash::Exact, {"127.0.0.1:81", "127.0.0.1:82"}));
  REQUIRE(named.build().empty());
  const HostTable& hosts = named.site().hosts();
  const auto find = [&](std::string_view host, std::string_view listener) {
    bool by_listener = false;
    const std::string id = hosts.find(host, listener, by_listener).id;
    return id + (by_listener ? " by listener" : "");
  };
  CHECK(find("example.org", "127.0.0.1:81") == "example.org by listener");
  CHECK(&hosts.find("example.org", "127.0.0.1:81", *std::make_unique<bool>()) == hosts.all()[2].get());
  CHECK(&hosts.find("example.org", "127.0.0.1:80", *std::make_unique<bool>()) == hosts.all()[1].get());
  CHECK(find("other", "127.0.0.1:82") == "(127.0.0.1:81) by listener");
  CHECK(find("other", "127.0.0.1:80") == " by listener");
}

TEST_CASE("hosts: two with one name for the same listeners clash") {
  const auto clash = [](std::vector<std::string> one, std::vector<std::string> other,
                        std::vector<std::string> listeners = {}, std::vector<std::string> others = {}) {
    NamedSite named;
    named.host(std::move(one), TrailingSlash::Exact, std::move(listeners));
    named.host(std::move(other), TrailingSlash::Exact, std::move(others));
    const Diagnostics diagnostics = named.build();
    return diagnostics.empty() ? std::string() : diagnostics[0].message + "; " + diagnostics[0].hint;
  };
  CHECK(clash({"a", "b"}, {"c", "B"}) == "two hosts have the name `B`; the other is at line 1");
  CHECK(clash({"*.a"}, {"*.a"}) == "two hosts have the name `*.a`; the other is at line 1");
  CHECK(clash({"*.a"}, {"a"}).empty());
  CHECK(clash({"a"}, {"a"}, {"127.0.0.1:81"}).empty());
  CHECK(clash({"a"}, {"a"}, {"127.0.0.1:81"}, {"127.0.0.1:82"}).empty());
  CHECK(clash({"a"}, {"a"}, {"127.0.0.1:81"}, {"127.0.0.1:82", "127.0.0.1:81"}).contains("the name `a`"));
  CHECK(clash({}, {}, {"127.0.0.1:81"}, {"127.0.0.1:81"})
            .contains("two hosts without names are for one listener"));
}

TEST_CASE("routes: of one path the first whose condition fits, and the one without last") {
  NamedSite named;
  named.route("/r", "plain");
  named.route("/r", "two", 0, ConditionKeys{.header = {"X-Api: 2"}});
  named.route("/r", "csv", 0, ConditionKeys{.query = {"format=csv"}});
  named.route("/only", "json", 0, ConditionKeys{.content_type = {"application/json"}}, {"POST"});
  named.route("/only", "get");
  named.route("/some/{id}", "special", 0, ConditionKeys{.header = {"X-Special"}});
  named.route("/{rest...}", "rest");
  REQUIRE(named.build().empty());
  CHECK(named.ask("a", "/r") == "plain");
  CHECK(named.ask("a", "/r", "GET", "X-Api: 2\r\n") == "two");
  CHECK(named.ask("a", "/r?format=csv") == "csv ?format=csv");
  CHECK(named.ask("a", "/r?format=csv", "GET", "X-Api: 2\r\n") == "two ?format=csv");
  // What fits no condition goes to a path that is less to the point.
  CHECK(named.ask("a", "/some/1", "GET", "X-Special: 1\r\n") == "special [1]");
  CHECK(named.ask("a", "/some/1") == "rest [some/1]");
  CHECK(named.ask("a", "/only", "POST", "Content-Type: application/json\r\nContent-Length: 0\r\n") == "json");
  CHECK(named.ask("a", "/only", "POST", "Content-Type: text/xml\r\nContent-Length: 0\r\n") == "415");
  CHECK(named.ask("a", "/only", "PUT", "Content-Length: 0\r\n") == "405");
}

TEST_CASE("routes: a condition on the client is asked each time, whatever is remembered of the head") {
  NamedSite named;
  named.route("/r", "near", 0, ConditionKeys{.client = {"192.0.2.0/24"}});
  named.route("/r", "far");
  named.route("/plain", "plain");
  REQUIRE(named.build().empty());
  for (int i = 0; i < 20; ++i) CHECK(named.ask("a", "/r") == "near");
  http1::Session other(named.harness().environment, "198.51.100.7", 0);
  other.feed("GET /r HTTP/1.1\r\nHost: a\r\n\r\n");
  CHECK(leat::test::HttpHarness::take(other).ends_with("far"));
  other.disconnect();
}

TEST_CASE("routes: where a proxy names the host nothing is remembered of the head, for whoever sends it") {
  NamedSite named;
  named.route("/r", "a", named.host({"a"}));
  named.route("/r", "b", named.host({"b"}));
  REQUIRE(named.build().empty());
  const http::ProxyTrust trust{
      .proxies = {AddressRange::parse("10.0.0.1").value()},
      .fields = {http::ForwardingField(http::HeaderId::XForwardedHost)},
  };
  http1::Session proxy(named.harness().environment,
                       {.identity = {.peer = "10.0.0.1", .client = "10.0.0.1"}, .trust = &trust});
  const auto ask = [](http1::Session& session, std::string_view fields) {
    session.feed("GET /r HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: b\r\n" + std::string(fields) + "\r\n");
    const std::string answer = leat::test::HttpHarness::take(session);
    return answer.substr(answer.find("\r\n\r\n") + 4);
  };
  // Often enough for a head to be known, in both orders.
  for (int i = 0; i < 6; ++i) CHECK(named.ask("a", "/r", "GET", "X-Forwarded-Host: b\r\n") == "a");
  for (int i = 0; i < 6; ++i) CHECK(ask(proxy, "") == "b");
  CHECK(named.ask("a", "/r", "GET", "X-Forwarded-Host: b\r\n") == "a");
  for (int i = 0; i < 6; ++i) CHECK(ask(proxy, "X-Other: 1\r\n") == "b");
  for (int i = 0; i < 6; ++i)
    CHECK(named.ask("a", "/r", "GET", "X-Forwarded-Host: b\r\nX-Other: 1\r\n") == "a");
  proxy.disconnect();
}

TEST_CASE("routes: two with the same condition clash, and two without") {
  const auto clash = [](std::optional<ConditionKeys> one, std::optional<ConditionKeys> other) {
    NamedSite named;
    named.route("/r", "one", 0, std::move(one));
    named.route("/r", "other", 0, std::move(other));
    const Diagnostics diagnostics = named.build();
    return diagnostics.empty() ? std::string() : diagnostics[0].message;
  };
  CHECK(clash({}, {}) == "route `/r`: GET is declared twice for paths of this shape");
  CHECK(clash({}, ConditionKeys{.query = {"a"}}).empty());
  CHECK(clash(ConditionKeys{.query = {"b"}}, ConditionKeys{.query = {"a"}}).empty());
  CHECK(clash(ConditionKeys{.query = {"a"}}, ConditionKeys{.query = {"a"}}) ==
        "route `/r`: GET is declared twice for paths of this shape and the same requests");
}

TEST_CASE("routes: a prefix is a path and all below it") {
  NamedSite named;
  named.route("/docs{/rest...}", "docs");
  named.route("/docs/exact", "exact");
  named.route("/users/{id}{/rest...}", "user");
  REQUIRE(named.build().empty());
  CHECK(named.ask("a", "/docs") == "docs []");
  CHECK(named.ask("a", "/docs/") == "docs []");
  CHECK(named.ask("a", "/docs/a/b") == "docs [a/b]");
  CHECK(named.ask("a", "/docs/exact") == "exact");
  CHECK(named.ask("a", "/docsy") == "404");
  CHECK(named.ask("a", "/d%6Fcs") == "docs []");
  CHECK(named.ask("a", "/users/7") == "user [7] []");
  CHECK(named.ask("a", "/users/7/x/y") == "user [7] [x/y]");
  for (int i = 0; i < 20; ++i) CHECK(named.ask("a", "/docs") == "docs []");
}

TEST_CASE("routes: any method is all but OPTIONS, which is answered") {
  NamedSite named;
  named.route("/any", "any", 0, {}, {"*"});
  named.route("/any", "put", 0, ConditionKeys{.query = {"x"}}, {"PUT"});
  REQUIRE(named.build().empty());
  for (const std::string_view method : {"GET", "DELETE", "PROPFIND", "QUERY"})
    CHECK(named.ask("a", "/any", method) == "any");
  CHECK(named.ask("a", "/any?x", "PUT", "Content-Length: 0\r\n") == "put ?x");
  CHECK(named.ask("a", "/any", "OPTIONS") == "204");
}

TEST_CASE("routes: OPTIONS is answered where those that have it do not fit") {
  NamedSite named;
  named.route("/r", "own", 0, ConditionKeys{.header = {"X-Own"}}, {"OPTIONS"});
  named.route("/r", "get");
  REQUIRE(named.build().empty());
  CHECK(named.ask("a", "/r", "OPTIONS") == "204");
  CHECK(named.ask("a", "/r", "OPTIONS", "X-Own: 1\r\n") == "own");
}

TEST_CASE("routes: a rewrite leads to another path of its host") {
  NamedSite named;
  const size_t org = named.host({"example.org"});
  named.route("/users/{id}", "user");
  named.route("/users/{id}", "org user", org);
  named.rewrite("/u/{id}", "/users/{id}?from=u", org);
  named.rewrite("/me", "/u/0", org);
  named.rewrite("/lost", "/nowhere", org);
  named.rewrite("/round/{a}", "/round/{a}", org);
  named.rewrite("/odd/{rest...}", "/users/{rest}", org);
  REQUIRE(named.build().empty());
  for (int i = 0; i < 20; ++i) CHECK(named.ask("example.org", "/u/7") == "org user [7] ?from=u");
  CHECK(named.ask("example.org", "/u/7?own=1") == "org user [7] ?from=u");
  CHECK(named.ask("example.org", "/me") == "org user [0] ?from=u");
  CHECK(named.ask("example.org", "/lost") == "404");
  CHECK(named.ask("example.org", "/round/x") == "500");
  CHECK(named.ask("example.org", "/u/%2e%2e%2fadmin") == "org user [../admin] ?from=u");
  // What leaves the way is gone before a rewrite sees it.
  CHECK(named.ask("example.org", "/odd/../users/9") == "org user [9]");
  CHECK(named.ask("other", "/u/7") == "404");
}

TEST_CASE("routes: what becomes of another slash at the end") {
  NamedSite named;
  const size_t strict = named.host({"exact"});
  const size_t lenient = named.host({"ignore"}, TrailingSlash::Ignore);
  named.trailing_slash(TrailingSlash::Redirect);
  for (const size_t host : {size_t{0}, strict, lenient}) {
    named.route("/with/", "with", host);
    named.route("/without/{id}", "without", host);
    named.route("/both", "no slash", host);
    named.route("/both/", "slash", host);
    named.route("/post", "post", host, {}, {"POST"});
  }
  REQUIRE(named.build().empty());
  CHECK(named.ask("exact", "/with") == "404");
  CHECK(named.ask("exact", "/without/1/") == "404");
  CHECK(named.ask("ignore", "/with") == "with");
  CHECK(named.ask("ignore", "/without/1/?a=b") == "without [1] ?a=b");
  CHECK(named.ask("a", "/with") == "308 /with/");
  CHECK(named.ask("a", "/with?a=b") == "308 /with/?a=b");
  CHECK(named.ask("a", "/without/1/") == "308 /without/1");
  CHECK(named.ask("a", "/both") == "no slash");
  CHECK(named.ask("a", "/both/") == "slash");
  CHECK(named.ask("a", "/neither/") == "404");
  CHECK(named.ask("a", "/post/", "POST", "Content-Length: 0\r\n") == "308 /post");
  CHECK(named.ask("a", "/post/") == "404");
  // Never to another host.
  CHECK(named.ask("a", "//with") == "404");
  CHECK(named.ask("a", "/.//without/1/") == "404");
}

}  // namespace
}  // namespace leat::pipeline

// Whom rules let in, behind a real session.
#include "middleware/access.h"

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <utility>
#include <vector>

#include "base/metrics.h"
#include "json/allocations.h"
#include "middleware/identified.h"
#include "middleware/support.h"
#include "pipeline/stage.h"

namespace leat::middleware {
namespace {

using namespace pipeline;
using namespace test;

using Conditions = std::vector<std::pair<std::string, std::vector<std::string>>>;
Value rule(const std::string& action, const Conditions& conditions) {
  Value::Table entries = {entry("action", std::string(action))};
  for (const auto& [name, texts] : conditions) entries.emplace_back(name, list_of(texts));
  return table(std::move(entries));
}
Value::Table options(std::vector<Value> rules, const std::string& otherwise = "") {
  Value::Table entries;
  entries.emplace_back("rules", Value(Value::Array(std::move(rules)), line(1), line(1)));
  if (!otherwise.empty()) entries.push_back(entry("default", std::string(otherwise)));
  return entries;
}

// What one request is answered under these rules.
int asked(Value::Table rules, const std::string& fields, const std::string& host = "a",
          const std::string& method = "GET") {
  Stage stage(identified_kinds());
  stage.middleware("identified");
  stage.middleware("access", std::move(rules));
  stage.route("/", {"GET", "POST", "DELETE"});
  return status_of(
      stage.feed(method + " / HTTP/1.1\r\nHost: " + host + "\r\nContent-Length: 0\r\n" + fields + "\r\n"));
}
int client(const std::vector<std::string>& ranges, const std::string& address) {
  return asked(options({rule("allow", {{"client", ranges}})}), "X-Client: " + address + "\r\n");
}

}  // namespace

TEST_CASE(
    "access: without rules nobody is let in, unless that is said, and a denied request is a 403 problem") {
  Stage stage(kinds());
  stage.middleware("access");
  stage.route("/");
  calls.clear();
  const std::string answer = stage.get("/");
  CHECK(status_of(answer) == 403);
  CHECK(field(answer, "Content-Type") == "application/problem+json");
  CHECK(answer.contains("\"status\":403"));
  CHECK(calls.empty());
  CHECK(status_of(stage.get("/nowhere")) == 403);  // nor told what there is
  CHECK(field(answer, "Connection") == "(none)");
  CHECK(asked(options({}, "allow"), "") == 200);
  CHECK(asked(options({}, "deny"), "") == 403);
}

TEST_CASE("access: clients are in a range however their address is written") {
  const std::vector<std::string> ranges = {"192.0.2.0/24", "2001:db8::/32", "unix"};
  for (const char* in : {"192.0.2.1", "192.0.2.255", "::ffff:192.0.2.1", "::FFFF:c000:0201", "2001:db8::1",
                         "2001:DB8:ffff::", "unix:"}) {
    INFO(in);
    CHECK(client(ranges, in) == 200);
  }
  for (const char* out : {"192.0.3.1", "::192.0.2.1", "2001:db9::1", "unknown", "_hidden", "192.0.2.1:80",
                          "self", "192.0.2.01", "[2001:db8::1]"}) {
    INFO(out);
    CHECK(client(ranges, out) == 403);
  }
  // By IPv6's notation, too; and a range of all IPv6 is none of IPv4.
  CHECK(client({"::ffff:192.0.2.0/120"}, "192.0.2.9") == 200);
  CHECK(client({"::/0"}, "192.0.2.9") == 403);
  CHECK(client({"0.0.0.0/0"}, "2001:db8::1") == 403);
}

TEST_CASE("access: the first rule that fits is followed") {
  const std::vector<Value> rules = {
      rule("deny", {{"client", {"10.0.0.66"}}}), rule("allow", {{"client", {"10.0.0.0/8"}}}),
      rule("deny", {{"client", {"10.0.0.67"}}}), rule("allow", {{"method", {"GET"}}})};
  const auto of = [&](const std::string& address, const std::string& method) {
    return asked(options(rules), "X-Client: " + address + "\r\n", "a", method);
  };
  CHECK(of("10.0.0.66", "GET") == 403);
  CHECK(of("10.0.0.67", "POST") == 200);
  CHECK(of("192.0.2.1", "GET") == 200);
  CHECK(of("192.0.2.1", "POST") == 403);
}

TEST_CASE("access: all conditions of a rule have to fit, of each list one; without any it fits all") {
  const auto fits = [](const Conditions& conditions, const std::string& fields, const std::string& host = "a",
                       const std::string& method = "GET") {
    return asked(options({rule("allow", conditions)}), fields, host, method) == 200;
  };
  CHECK(fits({}, ""));
  const Conditions both = {{"method", {"POST", "DELETE"}}, {"header", {"X-Key: one", "X-Key: two"}}};
  CHECK(fits(both, "X-Key: one\r\n", "a", "POST"));
  CHECK(fits(both, "X-Key: two\r\n", "a", "DELETE"));
  CHECK(!fits(both, "X-Key: two\r\n", "a", "GET"));
  CHECK(!fits(both, "X-Key: three\r\n", "a", "POST"));
  CHECK(!fits(both, "", "a", "POST"));
  CHECK(!fits({{"method", {"GET"}}}, "", "a", "HEAD"));
}

TEST_CASE("access: a host is the same in capitals, with a port and with its dot; one below it is another") {
  const auto fits = [](const std::vector<std::string>& hosts, const std::string& host) {
    return asked(options({rule("allow", {{"host", hosts}})}), "", host) == 200;
  };
  for (const char* host : {"example.org", "EXAMPLE.org:8080", "example.org.", "example.org.:80"})
    CHECK(fits({"Example.org"}, host));
  for (const char* host : {"www.example.org", "example.orgs", "xample.org", "example.org.evil.example"})
    CHECK(!fits({"example.org"}, host));
  for (const char* host : {"www.example.org", "a.b.EXAMPLE.org:80"}) CHECK(fits({"*.example.org"}, host));
  for (const char* host : {"example.org", "evilexample.org", "www.example.org.evil.example"})
    CHECK(!fits({"*.example.org"}, host));
  CHECK(fits({"[2001:db8::1]"}, "[2001:db8::1]:80"));
  CHECK(!fits({"[2001:db8::1]"}, "[2001:db8::2]"));
  CHECK(fits({"192.0.2.1"}, "192.0.2.1:80"));
}

TEST_CASE("access: a header field is there, or is one value, on any of its lines") {
  const auto fits = [](const std::string& header, const std::string& fields) {
    return asked(options({rule("allow", {{"header", {header}}})}), fields) == 200;
  };
  for (const std::string name : {"User-Agent", "X-Kind"}) {
    INFO(name);
    CHECK(fits(name, name + ": any\r\n"));
    CHECK(fits("x-kind", "X-KIND: any\r\n"));
    CHECK(fits(name, name + ":\r\n"));
    CHECK(!fits(name, ""));
    CHECK(!fits(name, name + "s: any\r\n"));
    CHECK(fits(name + ": one two", name + ":   one two  \r\n"));
    CHECK(fits(name + ":one", name + ": two\r\n" + name + ": one\r\n"));
    CHECK(!fits(name + ": one", name + ": One\r\n"));
    CHECK(!fits(name + ": one", name + ": one, two\r\n"));
    CHECK(fits(name + ":", name + ":\r\n"));
    CHECK(!fits(name + ":", name + ": x\r\n"));
  }
}

TEST_CASE("access: it is asked before limits and after who knows the client") {
  Stage stage(identified_kinds());
  stage.middleware("rate_limit", {entry("rate", std::string("1/s"))});
  stage.middleware("access", options({rule("allow", {{"client", {"10.0.0.0/8"}}})}));
  stage.middleware("identified");
  stage.route("/");
  for (int i = 0; i < 3; ++i) CHECK(status_of(stage.get("/", "X-Client: 192.0.2.1\r\n")) == 403);
  CHECK(status_of(stage.get("/", "X-Client: 10.0.0.1\r\n")) == 200);
  CHECK(status_of(stage.get("/", "X-Client: 10.0.0.1\r\n")) == 429);
}

TEST_CASE("access: what it said is counted, and many ranges ask nothing of the heap") {
  metrics::Registry registry;
  Stage stage(kinds(), {.workers = 1, .metrics = &registry});
  std::vector<std::string> ranges;
  for (int i = 0; i < 20'000; ++i)
    ranges.push_back("10." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ".0/24");
  stage.middleware(
      "access",
      options({rule("deny", {{"client", ranges}}), rule("deny", {{"host", {"no.example"}}})}, "allow"));
  stage.route("/");
  for (int i = 0; i < 100; ++i) stage.get("/");
  CHECK(status_of(stage.feed("GET / HTTP/1.1\r\nHost: no.example\r\n\r\n")) == 403);
  const std::string text = registry.text();
  CHECK(text.contains("leat_access_requests_total{instance=\"access\",result=\"allowed\"} 100\n"));
  CHECK(text.contains("leat_access_requests_total{instance=\"access\",result=\"denied\"} 1\n"));
  const auto serve = [&] { stage.serve("GET / HTTP/1.1\r\nHost: no.example\r\n\r\n"); };
  CHECK(leat::test::allocations_of(100, serve) == 0);
}

TEST_CASE("access: a certificate is any, or one of that name, address or fingerprint") {
  const std::string digits = "00ff" + std::string(60, 'a');
  const std::string shown =
      "X-Subject: CN=alice\r\nX-Cn: alice\r\nX-Names: dns:a.example dns:x.b.example uri:spiffe://c/d\r\n"
      "X-Sha256: " +
      digits + "\r\n";
  const auto fits = [&](const std::string& pattern, const std::string& fields) {
    return asked(options({rule("allow", {{"certificate", {"cn:nobody", pattern}}})}), fields) == 200;
  };
  for (const std::string& good :
       {std::string("any"), std::string("cn:alice"), std::string("dns:A.example"),
        std::string("dns:*.b.example"), std::string("uri:spiffe://c/d"), std::string("uri:spiffe://c/*"),
        "sha256:" + digits, "sha256:00:FF" + std::string(60, 'A')}) {
    INFO(good);
    CHECK(fits(good, shown));
    CHECK_FALSE(fits(good, ""));
  }
  for (const std::string& other :
       {std::string("cn:Alice"), std::string("cn:ali"), std::string("dns:b.example"),
        std::string("dns:*.a.example"), std::string("dns:*.x.b.example"), std::string("uri:spiffe://c/"),
        std::string("uri:spiffe://c/d/e"), std::string("uri:a.example"), std::string("cn:a.example"),
        "sha256:" + std::string(64, '0')}) {
    INFO(other);
    CHECK_FALSE(fits(other, shown));
  }
  // What a client says itself is nothing, and one without names has none.
  CHECK_FALSE(fits("cn:alice", "X-Cn: alice\r\nX-Names: dns:a.example\r\n"));
  CHECK_FALSE(fits("dns:*.example", "X-Subject: CN=bob\r\n"));
  for (const char* const bad : {"", "alice", "cn:", "dns:a b", "dns:a.example:80", "uri:*", "uri:a*b*",
                                "sha256:00", "CN:alice", "any:"})
    CHECK(check_certificate_pattern("`certificate`", bad).contains("is no certificate"));
}

TEST_CASE("access: one who has shown no certificate is told that one is needed, where it would help") {
  const auto told = [](Value::Table rules, const std::string& fields) {
    Stage stage(identified_kinds());
    stage.middleware("identified");
    stage.middleware("access", std::move(rules));
    stage.route("/");
    const std::string answer = stage.get("/", fields);
    CHECK(status_of(answer) == 403);
    return answer.contains("who shows a certificate");
  };
  const std::vector<Value> lets = {rule("allow", {{"certificate", {"cn:alice"}}})};
  CHECK(told(options(lets), ""));
  CHECK_FALSE(told(options(lets), "X-Subject: CN=bob\r\nX-Cn: bob\r\n"));
  CHECK_FALSE(told(options({rule("deny", {{"certificate", {"any"}}})}), ""));
}

TEST_CASE("access: rules that make no sense are mistakes, each with its place") {
  const auto said = [](Value::Table given) {
    const Diagnostics all = mistakes("access", std::move(given));
    REQUIRE(all.size() == 1);
    CHECK(all[0].code == kBadOption);
    CHECK(all[0].place.line == 1);
    return all[0].message;
  };
  const auto of = [&](const Conditions& conditions) { return said(options({rule("allow", conditions)})); };
  CHECK(said({entry("rules", std::string("allow"))}).contains("`rules` is a list of tables"));
  CHECK(said(options({list_of({"allow"})})).contains("a rule is a table"));
  CHECK(said(options({}, "refuse")).contains("`default`"));
  CHECK(said(options({table({})})).contains("needs `action`"));
  CHECK(said(options({rule("permit", {})})).contains("`action` is \"allow\" or \"deny\""));
  CHECK(of({{"path", {"/"}}}).contains("unknown option `path`"));
  CHECK(of({{"client", {"10.0.0.1/8"}}}).contains("bits set behind its prefix"));
  CHECK(of({{"client", {"localhost"}}}).contains("no range of addresses"));
  CHECK(of({{"client", {}}}).contains("`client` of a rule is empty"));
  for (const char* host : {"", "*", "*.", "a.*", "*.*.b", "a:80", "a.", "a b", "http://a", "[::1"})
    CHECK(of({{"host", {host}}}).contains("no host"));
  for (const char* method : {"get", "", "GETS"}) CHECK(of({{"method", {method}}}).contains("no method"));
  for (const char* header : {"", ": x", "a b: x", "X: a\r\nY: b"})
    CHECK(of({{"header", {header}}}).contains("no header field"));
}

TEST_CASE("access: a rule can be for times of the week") {
  CHECK(asked(options({rule("allow", {{"time", {"Mon-Sun"}}})}), "") == 200);
  CHECK(asked(options({rule("allow", {{"time", {"00:00-12:00", "12:00-24:00"}}})}), "") == 200);
  // One of these is not now, whenever that is.
  const int morning = asked(options({rule("allow", {{"time", {"00:00-12:00"}}})}), "");
  const int evening = asked(options({rule("allow", {{"time", {"12:00-24:00"}}})}), "");
  CHECK(((morning == 200 && evening == 403) || (morning == 403 && evening == 200)));
  CHECK(asked(options({rule("allow", {{"time", {"Mon-Sun"}}, {"host", {"b"}}})}), "") == 403);
}

}  // namespace leat::middleware

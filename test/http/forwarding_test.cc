// Whom a request is for, by every form of the fields that say it; and what is left of them for others to see.
#include "http/forwarding.h"

#include <catch2/catch_test_macros.hpp>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "base/log.h"

namespace leat::http {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kProxy = "10.0.0.1";

ProxyTrust trust_of(std::initializer_list<std::string_view> fields) {
  ProxyTrust trust;
  for (const char* range : {"10.0.0.0/8", "2001:db8:1::/48", "unix"})
    trust.proxies.push_back(*AddressRange::parse(range));
  trust.fields.clear();
  for (const std::string_view field : fields) trust.fields.push_back(*ForwardingField::parse(field));
  return trust;
}
const ProxyTrust kForProtoHost = trust_of({"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"});
const ProxyTrust kForwarded = trust_of({"forwarded"});

// A request with a head of these fields, behind Host.
class Asked {
 public:
  explicit Asked(const Fields& fields) {
    bytes_ = "GET / HTTP/1.1\r\n";
    add("Host", "site.example");
    for (const auto& [name, value] : fields) add(name, value);
    bytes_ += "\r\n";
    head_.bytes = bytes_.data();
    head_.size = static_cast<uint32_t>(bytes_.size());
    head_.slots = slots_.data();
    head_.slot_count = static_cast<uint32_t>(slots_.size());
    head_.host = slots_.front().value;
    head_.forwarded = true;
    request.show_head(head_);
  }

  // By a connection from `peer`, who is trusted if `trust` says so.
  bool identify(const ProxyTrust& trust, std::string_view peer = kProxy) {
    connection_.peer = connection_.client = peer;
    return http::identify(request, arena_, connection_, trust.trusts(peer) ? &trust : nullptr);
  }
  [[nodiscard]] std::string header(std::string_view name) const {
    const std::string_view value = request.header(name);
    return value.data() == nullptr ? "none" : std::string(value);
  }
  // Leaves so many pieces of 16 bytes of the request's memory.
  void leave_memory(size_t pieces) {
    arena_.set_limit(Block::kSize);
    size_t most = 0;
    while (arena_.allocate(16, 16) != nullptr) ++most;
    arena_.reset();
    for (; most > pieces; --most) REQUIRE(arena_.allocate(16, 16) != nullptr);
  }
  [[nodiscard]] const Head& head() const { return head_; }

  Request request;

 private:
  void add(std::string_view name, std::string_view value) {
    const auto at = static_cast<uint32_t>(bytes_.size());
    const auto name_size = static_cast<uint32_t>(name.size());
    slots_.push_back({.name = {at, name_size},
                      .value = {at + name_size + 2, static_cast<uint32_t>(value.size())},
                      .id = find_header(name)});
    bytes_.append(name).append(": ").append(value).append("\r\n");
  }

  std::string bytes_;
  std::vector<HeaderSlot> slots_;
  Head head_;
  BlockPool pool_{64, 0};
  Arena arena_{pool_, size_t{1} << 20};
  ClientIdentity connection_;
};

std::string client(const ProxyTrust& trust, const Fields& fields, std::string_view peer = kProxy) {
  Asked asked(fields);
  REQUIRE(asked.identify(trust, peer));
  CHECK(asked.request.peer() == peer);
  return std::string(asked.request.client()) + (asked.request.client_in_doubt() ? "?" : "");
}
std::string for_list(std::string_view list) {
  return client(kForProtoHost, {{"X-Forwarded-For", std::string(list)}});
}
std::string forwarded(std::string_view list) {
  return client(kForwarded, {{"Forwarded", std::string(list)}});
}

}  // namespace

TEST_CASE("forwarding: X-Forwarded-For is read from the right up to the first who is not trusted") {
  CHECK(for_list("192.0.2.1") == "192.0.2.1");
  CHECK(for_list("198.51.100.1, 192.0.2.1") == "192.0.2.1");       // the left one may be the client's own
  CHECK(for_list("192.0.2.1, 10.0.0.3,10.0.0.2") == "192.0.2.1");  // two more that are trusted
  CHECK(for_list("198.51.100.1, 192.0.2.1, 10.0.0.2") == "192.0.2.1");
  CHECK(for_list("10.0.0.9, 10.0.0.2") == "10.0.0.9");    // all are: it came from inside
  CHECK(for_list("10.0.0.9, 192.0.2.1") == "192.0.2.1");  // somebody who would like to be
  CHECK(for_list("192.0.2.1, unix:") == "192.0.2.1");
  CHECK(for_list("garbage, 192.0.2.1") == "192.0.2.1");  // never looked at
  CHECK(for_list(" \t192.0.2.1 , ,\t") == "192.0.2.1");
  CHECK(for_list("2001:DB8::1") == "2001:db8::1");
  CHECK(for_list("[2001:db8::1]") == "2001:db8::1");
  CHECK(for_list("[2001:db8::1]:8080, 10.0.0.2:443") == "2001:db8::1");
  CHECK(for_list("192.0.2.1:54321") == "192.0.2.1");
  CHECK(for_list("::ffff:192.0.2.1") == "192.0.2.1");
  CHECK(for_list("192.0.2.1, ::ffff:10.0.0.2") == "192.0.2.1");
  CHECK(for_list("192.0.2.1, 2001:db8:1::7") == "192.0.2.1");
  CHECK(for_list("unknown, 10.0.0.2") == "unknown");
  CHECK(for_list("UNKNOWN") == "unknown");
  CHECK(for_list("_hidden") == "_hidden");
  CHECK(for_list("") == "10.0.0.1");  // the proxy itself asks
  CHECK(for_list(" , ") == "10.0.0.1");
}

TEST_CASE("forwarding: an element of X-Forwarded-For that nobody understands leaves the client unknown") {
  for (const std::string_view item :
       {"garbage", "192.0.2.300", "192.0.2.1:", "192.0.2.1:99999", "192.0.2.1:80:80", "[192.0.2.1]",
        "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[unix:]", "unix:/run/x", "fe80::1%eth0",
        "192.0.2.1/24", "\"192.0.2.1\"", "_", "_a b", ":80", "192.0.2.1;10.0.0.2"}) {
    CHECK(for_list(item) == "unknown?");
    CHECK(for_list(std::string("192.0.2.7, ") + std::string(item) + ", 10.0.0.2") == "unknown?");
  }
  CHECK(for_list(std::string(129, '_')) == "unknown?");
}

TEST_CASE("forwarding: several fields of a name are one list") {
  const auto lines = [](std::initializer_list<const char*> values) {
    Fields fields;
    for (const char* value : values) fields.emplace_back("X-Forwarded-For", value);
    return client(kForProtoHost, fields);
  };
  CHECK(lines({"198.51.100.1", "192.0.2.1"}) == "192.0.2.1");
  CHECK(lines({"192.0.2.1, 10.0.0.3", "", "10.0.0.2"}) == "192.0.2.1");
  CHECK(lines({"192.0.2.1", "bad"}) == "unknown?");
  CHECK(
      client(kForwarded, {{"Forwarded", "for=192.0.2.1"}, {"Accept", "x"}, {"forwarded", "for=10.0.0.2"}}) ==
      "192.0.2.1");
}

TEST_CASE("forwarding: a list of many proxies is followed as far as it may be") {
  std::string list = "192.0.2.1";
  ProxyTrust trust = kForProtoHost;
  trust.hops = 4;
  for (int i = 0; i < 3; ++i) list += ", 10.0.0.2";
  CHECK(client(trust, {{"X-Forwarded-For", list}}) == "192.0.2.1");
  list += ", 10.0.0.2";
  CHECK(client(trust, {{"X-Forwarded-For", list}}) == "unknown?");
  for (int i = 0; i < 100; ++i) list += ",10.0.0.2";
  CHECK(for_list(list) == "unknown?");
  std::string forwarded_list = "for=192.0.2.1";
  for (int i = 0; i < 3; ++i) forwarded_list += ", for=10.0.0.2";
  ProxyTrust by_rfc = kForwarded;
  by_rfc.hops = 4;
  CHECK(client(by_rfc, {{"Forwarded", forwarded_list}}) == "192.0.2.1");
  by_rfc.hops = ProxyTrust::kMostHops;
  for (int i = 0; i < 60; ++i) forwarded_list += ", for=10.0.0.2";
  CHECK(client(by_rfc, {{"Forwarded", forwarded_list}}) == "192.0.2.1");
  for (int i = 0; i < 100; ++i) forwarded_list += ", for=10.0.0.2";
  CHECK(client(by_rfc, {{"Forwarded", forwarded_list}}) == "unknown?");
  // What a client has sent before it does not matter, however much it is.
  std::string forged;
  for (int i = 0; i < 5000; ++i) forged += "for=10.0.0.2,";
  CHECK(client(by_rfc, {{"Forwarded", forged + "for=198.51.100.7"}}) == "198.51.100.7");
}

TEST_CASE("forwarding: Forwarded in all its forms") {
  CHECK(forwarded("for=192.0.2.1") == "192.0.2.1");
  CHECK(forwarded("For=\"192.0.2.1:4711\"") == "192.0.2.1");
  CHECK(forwarded("for=\"[2001:db8:cafe::17]:4711\"") == "2001:db8:cafe::17");
  CHECK(forwarded("for=\"[2001:db8:cafe::17]\"") == "2001:db8:cafe::17");
  CHECK(forwarded("for=\"[2001:db8:cafe::17]:_port\"") == "2001:db8:cafe::17");
  CHECK(forwarded("for=198.51.100.1;proto=http, for=192.0.2.1;by=203.0.113.43") == "192.0.2.1");
  CHECK(forwarded("for=192.0.2.1, for=10.0.0.2, for=\"10.0.0.3:80\"") == "192.0.2.1");
  CHECK(forwarded("by=10.0.0.1;host=\"a,b;c\";for=192.0.2.1") == "192.0.2.1");
  CHECK(forwarded("for=10.0.0.9;ext=\"x, for=192.0.2.1\"") == "10.0.0.9");
  CHECK(forwarded("for=\"192.0.2.\\1\"") == "192.0.2.1");  // a backslash that nobody needs
  CHECK(forwarded("for=unknown") == "unknown");
  CHECK(forwarded("for=_hidden, for=_SEVKISEK") == "_SEVKISEK");
  CHECK(forwarded("for=\"_gazonk:_p\"") == "_gazonk");
  CHECK(forwarded("proto=https") == "unknown");  // for whom is not said
  CHECK(forwarded("for=192.0.2.1; proto=https ;") == "192.0.2.1");
  CHECK(forwarded(", ,") == "10.0.0.1");
}

TEST_CASE("forwarding: a malformed Forwarded leaves the client unknown") {
  for (const std::string_view text :
       {"for", "for=", "=192.0.2.1", "for=\"192.0.2.1", "for=192.0.2.1:80", "for=[2001:db8::1]",
        "for=\"2001:db8::1]\"", "for=192.0.2.1;for=192.0.2.2", "for=a b", "for=\"\"", "for = 192.0.2.1",
        "192.0.2.1", "for=192.0.2.1;proto", "for=192.0.2.1;proto=http;proto=https", "for=\"192.0.2.1\\\"",
        "for=\"192.0.2.1\"x", "f/or=192.0.2.1"}) {
    CHECK(forwarded(text) == "unknown?");
  }
  // Quotes that a client leaves open swallow what the proxy says: that proxy is not who asks.
  CHECK(forwarded("for=\"10.0.0.9, for=192.0.2.1") == "unknown?");
  CHECK(forwarded("bad, for=192.0.2.1") == "192.0.2.1");
  CHECK(forwarded("for=\"" + std::string(200, 'x') + "\"") == "unknown?");
}

TEST_CASE("forwarding: scheme and host are those of the nearest proxy's word") {
  const auto said = [](const ProxyTrust& trust, const Fields& fields) {
    Asked asked(fields);
    REQUIRE(asked.identify(trust));
    CHECK(asked.header("Host") == asked.request.host());  // one and the same for everybody
    return std::string(asked.request.scheme()) + "://" + std::string(asked.request.host());
  };
  CHECK(said(kForProtoHost, {{"X-Forwarded-Proto", "https"}}) == "https://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Proto", "HTTPS"}}) == "https://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Proto", "https, http"}}) == "http://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Proto", "http"}, {"X-Forwarded-Proto", "https"}}) ==
        "https://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Proto", "gopher"}}) == "http://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Host", "shop.example:8443"}}) == "http://shop.example:8443");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Host", "forged.example, shop.example"}}) == "http://shop.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Host", "user@shop.example"}}) == "http://site.example");
  CHECK(said(kForProtoHost, {{"X-Forwarded-Host", ""}}) == "http://site.example");
  CHECK(said(kForwarded, {{"Forwarded", "for=192.0.2.1;proto=https;host=shop.example"}}) ==
        "https://shop.example");
  CHECK(said(kForwarded, {{"Forwarded", "for=192.0.2.1;host=\"shop.example:80\""}}) ==
        "http://shop.example:80");
  // The client's way to the first proxy, not that between two of them.
  CHECK(said(kForwarded, {{"Forwarded", "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http"}}) ==
        "https://site.example");
  CHECK(said(kForwarded, {{"Forwarded", "for=198.51.100.1;proto=https, for=192.0.2.1"}}) ==
        "http://site.example");
  CHECK(said(kForwarded, {{"Forwarded", "for=192.0.2.1;host=\"sh\\op.example\""}}) == "http://site.example");
}

TEST_CASE("forwarding: fields of who is not trusted are taken from the request") {
  const Fields all = {{"Accept", "text/html"},
                      {"X-Forwarded-For", "192.0.2.1"},
                      {"Forwarded", "for=192.0.2.1;proto=https"},
                      {"x-forwarded-proto", "https"},
                      {"X-Forwarded-Host", "forged.example"},
                      {"X-Forwarded-Port", "443"},
                      {"X-Forwarded-Prefix", "/x"},
                      {"X-Forwarded-Server", "s"},
                      {"X-Real-IP", "192.0.2.1"},
                      {"X-Request-Id", "one"}};
  Asked asked(all);
  REQUIRE(asked.identify(kForProtoHost, "203.0.113.9"));
  CHECK(asked.request.client() == "203.0.113.9");
  CHECK(asked.request.client_in_doubt());
  CHECK(asked.request.scheme() == "http");
  CHECK(asked.request.host() == "site.example");
  REQUIRE(asked.request.head().slot_count == 3);
  CHECK(asked.header("host") == "site.example");
  CHECK(asked.header("accept") == "text/html");
  CHECK(asked.header("x-request-id") == "one");
  for (const auto& [name, value] : all)
    if (name != "Accept" && name != "X-Request-Id") CHECK(asked.header(name) == "none");
}

TEST_CASE("forwarding: of a proxy that is trusted only the fields that it sets are left") {
  const Fields both = {{"X-Forwarded-For", "192.0.2.1"},
                       {"Forwarded", "for=10.0.0.9;host=forged.example"},
                       {"X-Forwarded-Host", "forged.example"}};
  Asked asked(both);
  REQUIRE(asked.identify(trust_of({"x-forwarded-for"})));
  CHECK(asked.request.client() == "192.0.2.1");
  CHECK_FALSE(asked.request.client_in_doubt());
  CHECK(asked.request.host() == "site.example");
  CHECK(asked.header("x-forwarded-for") == "192.0.2.1");
  CHECK(asked.header("forwarded") == "none");
  CHECK(asked.header("x-forwarded-host") == "none");
  // None at all.
  Asked none(both);
  REQUIRE(none.identify(trust_of({})));
  CHECK(none.request.client() == kProxy);
  CHECK(none.request.head().slot_count == 1);
  // Where all are believed, the head stays the one that was parsed, which others may share.
  Asked kept({{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-Proto", "https"}});
  REQUIRE(kept.identify(kForProtoHost));
  CHECK(&kept.request.head() == &kept.head());
}

TEST_CASE("forwarding: without memory it says so, wherever that is out") {
  size_t refused = 0;
  constexpr size_t kRooms = 60;
  for (size_t room = 0; room < kRooms; ++room) {
    Asked asked({{"X-Forwarded-For", "2001:db8::1, 2001:db8:1::1"},
                 {"X-Forwarded-Host", "a.example"},
                 {"X-Real-IP", "x"}});
    asked.leave_memory(room);
    if (!asked.identify(kForProtoHost)) {
      ++refused;
      continue;
    }
    CHECK(asked.request.client() == "2001:db8::1");
    CHECK(asked.header("x-real-ip") == "none");
  }
  CHECK(refused > 8);  // the identity, the address, the head that is shown and its fields
  CHECK(refused < kRooms);
}

TEST_CASE("forwarding: the log says once in a while who is not believed") {
  static std::vector<std::string> lines;
  lines.clear();
  log::divert([](log::Level level, std::string_view line) {
    lines.push_back((level == log::Level::Warn ? "warn: " : "info: ") + std::string(line));
  });
  CHECK(client(kForProtoHost, {{"X-Forwarded-Prefix", "/a"}}, "192.168.7.1") == "192.168.7.1?");
  CHECK(client(kForProtoHost, {{"X-Forwarded-Port", "1"}}, "203.0.113.9") == "203.0.113.9?");
  log::divert(nullptr);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] ==
        "warn: 192.168.7.1 sends X-Forwarded-Prefix and is not one of server.trusted_proxies: the field is "
        "taken from "
        "its requests");
  CHECK(lines[1].starts_with(
      "info: 203.0.113.9 sends X-Forwarded-Port and is not one of server.trusted_proxies"));
}

TEST_CASE("forwarding: names of fields") {
  CHECK(ForwardingField::parse("X-Forwarded-For")->text() == "x-forwarded-for");
  CHECK(ForwardingField::parse("forwarded")->text() == "forwarded");
  CHECK(ForwardingField::parse("host").error().starts_with(
      "`host` is no field by which proxies tell of a request"));
  CHECK(ForwardingField::parse("x-forwarded").error().contains("x-real-ip"));
  const auto list = [](std::initializer_list<std::string_view> names) { return trust_of(names).fields; };
  CHECK(tell_twice(list({"forwarded", "x-forwarded-for"})));
  CHECK(tell_twice(list({"x-forwarded-proto", "forwarded"})));
  CHECK_FALSE(tell_twice(list({"forwarded", "x-forwarded-port"})));
  CHECK_FALSE(tell_twice(list({"x-forwarded-for", "x-forwarded-host"})));
}

}  // namespace leat::http

// Connections that begin with a header of the PROXY protocol: whom their requests are for, whose share of the connections
// they are, and who may not connect at all.
#include <memory>
#include <string>

#include <catch2/catch_test_macros.hpp>

#include "worker/address_counts.h"
#include "worker/rig.h"

namespace leat::test {

namespace {

constexpr uint32_t kHandshakeMs = 500;

// Peers are unix sockets or come from the loopback, by the engine.
std::shared_ptr<const http::ProxyTrust> trust_of(std::initializer_list<std::string_view> ranges) {
  auto trust = std::make_shared<http::ProxyTrust>();
  for (const std::string_view range : ranges) trust->proxies.push_back(*AddressRange::parse(range));
  return trust;
}

Rig::Options proxied_options(worker::AddressCounts* addresses = nullptr) {
  Rig::Options options;
  options.plain = true;
  options.connections.addresses = addresses;
  options.connections.listeners.push_back({.name = "*:80",
                                           .handshake_timeout_ms = kHandshakeMs,
                                           .trust = trust_of({"unix", "127.0.0.1", "::1", "10.0.0.0/8"}),
                                           .proxy_protocol = true});
  return options;
}

std::string header(std::string_view client) {
  return "PROXY TCP4 " + std::string(client) + " 192.0.2.80 1234 80\r\n";
}

std::string client_of(std::string_view received) {
  const auto answers = read_answers(received);
  REQUIRE(answers.size() == 1);
  return answers[0].status == 200 ? answers[0].body : std::to_string(answers[0].status);
}

constexpr std::string_view kVersion2Tls{
    "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xc0\0\2\1\xc0\0\2\x50\4\xd2\0\x50\x20\0\5\1\0\0\0\0", 36};

}  // namespace

TEST_CASE("proxied: requests are for the client that the header names, whatever pieces it comes in") {
  Rig rig(proxied_options());
  const std::string whole = header("192.0.2.1") + get("/client");
  const size_t head = header("192.0.2.1").size();
  for (size_t cut = 0; cut < head + 10; ++cut) {
    FakePeer& peer = rig.connect();
    if (cut != 0) peer.sends(whole.substr(0, cut));
    rig.settle();
    CHECK(peer.received().empty());
    peer.sends(whole.substr(cut));
    rig.settle();
    CHECK(client_of(peer.take_received()) == "192.0.2.1 http 192.0.2.80:80");
    peer.sends(get("/client") + get("/client"));
    rig.settle();
    CHECK(read_answers(peer.take_received()).size() == 2);
    peer.closes();
    rig.settle();
    CHECK(peer.closed());
  }
  FakePeer& slow = rig.connect();
  for (const char byte : whole) {
    slow.sends({&byte, 1});
    rig.settle();
  }
  CHECK(client_of(slow.received()) == "192.0.2.1 http 192.0.2.80:80");
}

TEST_CASE("proxied: version 2 says that the client came by TLS, and a proxy may connect for itself") {
  Rig rig(proxied_options());
  FakePeer& tls = rig.connect();
  tls.sends(std::string(kVersion2Tls) + get("/client"));
  rig.settle();
  CHECK(client_of(tls.received()) == "192.0.2.1 https 192.0.2.80:80");
  FakePeer& own = rig.connect();
  own.sends("PROXY UNKNOWN\r\n" + get("/client"));
  rig.settle();
  const std::string itself = client_of(own.received());
  CHECK((itself == "unix: http " || itself == "127.0.0.1 http "));
}

TEST_CASE("proxied: fields count where the client that is named is trusted, too") {
  Rig rig(proxied_options());
  const std::string request =
      "GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n\r\n";
  FakePeer& through = rig.connect();
  through.sends(header("10.0.0.2") + request);
  rig.settle();
  CHECK(client_of(through.received()) == "203.0.113.7 https 192.0.2.80:80");
  FakePeer& forged = rig.connect();
  forged.sends(header("192.0.2.1") + request);
  rig.settle();
  CHECK(client_of(forged.received()) == "192.0.2.1 http 192.0.2.80:80 ?");
  FakePeer& nobodys = rig.connect();
  nobodys.sends("PROXY UNKNOWN\r\n" + request);
  rig.settle();
  CHECK(client_of(nobodys.received()).ends_with(" ?"));
  // The same bytes, which are a known head by now, are another client's with each of them.
  for (int i = 0; i < 20; ++i) {
    for (FakePeer* peer : {&through, &forged}) peer->take_received();
    through.sends(request);
    forged.sends(request);
    rig.settle();
    CHECK(client_of(through.received()) == "203.0.113.7 https 192.0.2.80:80");
    CHECK(client_of(forged.received()) == "192.0.2.1 http 192.0.2.80:80 ?");
  }
}

TEST_CASE("proxied: what is no header is closed without an answer") {
  Rig rig(proxied_options());
  for (const std::string& begin :
       {get("/client"), std::string("PROXY TCP4 1 2\r\n"), std::string("\r\n\r\n\0\r\nQUIT\n\x31", 13)}) {
    FakePeer& peer = rig.connect();
    peer.sends(begin + get("/client"));
    rig.settle();
    CHECK(peer.shut_down());
    CHECK(peer.received().empty());
  }
  CHECK(rig.site.wire.requests == 0);
}

TEST_CASE("proxied: a header that does not come, or not whole") {
  Rig rig(proxied_options());
  FakePeer& silent = rig.connect();
  FakePeer& half = rig.connect();
  half.sends("PROXY TCP4 192.");
  FakePeer& leaves = rig.connect();
  leaves.sends("PROXY TC");
  leaves.closes();
  rig.settle();
  CHECK(leaves.closed());
  rig.pass_time(kHandshakeMs - 10);
  rig.settle();
  CHECK_FALSE(silent.closed());
  CHECK_FALSE(half.closed());
  rig.pass_time(20);
  rig.settle();
  CHECK(silent.closed());
  CHECK(half.closed());
  CHECK(half.received().empty());
  // Once it is there, the next time limit is another one.
  FakePeer& peer = rig.connect();
  peer.sends(header("192.0.2.1"));
  rig.settle();
  rig.pass_time(2 * kHandshakeMs);
  peer.sends(get("/client"));
  rig.settle();
  CHECK(client_of(peer.received()) == "192.0.2.1 http 192.0.2.80:80");
}

TEST_CASE("proxied: who is not trusted may not connect") {
  Rig::Options options = proxied_options();
  options.connections.listeners[0].trust = trust_of({"203.0.113.1"});
  Rig rig(options);
  FakePeer& peer = rig.connect();
  peer.sends(header("192.0.2.1") + get("/client"));
  rig.settle();
  CHECK(peer.closed());
  CHECK(peer.received().empty());
  CHECK(rig.connections->count() == 0);
}

TEST_CASE("proxied: connections are those of the clients, and not of the proxy") {
  worker::AddressCounts addresses(2, 2);
  Rig rig(proxied_options(&addresses));
  std::vector<FakePeer*> busy;
  const auto begin = [&](std::string_view client) {
    busy.push_back(&rig.connect());
    busy.back()->sends(header(client) + "GET /cli");
    rig.settle();
  };
  for (const char* client :
       {"192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2", "10.0.0.2", "10.0.0.2", "10.0.0.2"})
    begin(client);
  for (const FakePeer* peer : busy) CHECK_FALSE(peer->shut_down());

  SECTION("one too many that asks at once") {
    FakePeer& third = rig.connect();
    third.sends(header("192.0.2.1") + get("/client"));
    rig.settle();
    CHECK(client_of(third.received()) == "503");
    CHECK(third.shut_down());
  }
  SECTION("one too many that asks later") {
    FakePeer& third = rig.connect();
    third.sends(header("192.0.2.1"));
    rig.settle();
    CHECK(third.received().empty());
    third.sends(get("/client"));
    rig.settle();
    CHECK(client_of(third.received()) == "503");
  }
  SECTION("one too many that does not ask") {
    FakePeer& third = rig.connect();
    third.sends(header("192.0.2.1"));
    rig.settle();
    rig.pass_time(3'000);
    rig.settle();
    CHECK(third.closed());
  }
  SECTION("one that leaves makes room") {
    busy[0]->resets();
    rig.settle();
    begin("192.0.2.1");
    FakePeer& third = rig.connect();
    third.sends(header("192.0.2.3") + get("/client"));
    rig.settle();
    CHECK(client_of(third.received()).starts_with("192.0.2.3"));
    CHECK_FALSE(busy.back()->shut_down());
  }
  SECTION("an idle one makes room") {
    busy[0]->sends("ent HTTP/1.1\r\nHost: a\r\n\r\n");
    rig.settle();
    CHECK(client_of(busy[0]->take_received()).starts_with("192.0.2.1"));
    FakePeer& third = rig.connect();
    third.sends(header("192.0.2.1") + get("/client"));
    rig.settle();
    CHECK(client_of(third.received()).starts_with("192.0.2.1"));
    CHECK(busy[0]->closed());
  }
}

TEST_CASE("proxied: a listener without the protocol counts no connections of who is trusted") {
  worker::AddressCounts addresses(1, 1);
  Rig::Options options;
  options.plain = true;
  options.connections.addresses = &addresses;
  options.connections.listeners.push_back({.trust = trust_of({"unix", "127.0.0.1", "::1"})});
  Rig rig(options);
  for (int i = 0; i < 3; ++i) {
    FakePeer& peer = rig.connect();
    peer.sends("GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\n\r\n");
    rig.settle();
    CHECK(client_of(peer.received()) == "192.0.2.9 http ");
  }
}

}  // namespace leat::test

// For whom a response is stored: by http and https it is not the same, nor, where the route says so, for two clients.
#include "cache/site.h"
#include "http/forwarding.h"

namespace leat::cache {

namespace {

http::ProtocolPeer by(std::string_view scheme, std::string_view client = "192.0.2.1") {
  return {.identity = {.peer = "10.0.0.1", .client = client, .scheme = scheme}};
}

// Often enough that the head is a known one, and its note is used.
void ask_often(Site& site, const http::ProtocolPeer& peer, std::string_view body,
               std::string_view fields = "") {
  for (int i = 0; i < 20; ++i) {
    Site::Client client(site, peer);
    client.ask("/a", fields);
    CHECK(client.take().body == body);
  }
}

}  // namespace

TEST_CASE("response cache: http and https are stored apart") {
  Site site;
  ask_often(site, by("http"), "run 1");
  ask_often(site, by("https"), "run 2");
  ask_often(site, by("http"), "run 1");
  ask_often(site, by("https"), "run 2");
  CHECK(site.script->runs == 2);
  // What is purged by its path goes for both.
  site.purge(PurgeBy::Target, "/a", true);
  ask_often(site, by("https"), "run 3");
  ask_often(site, by("http"), "run 4");
}

TEST_CASE("response cache: clients share what is stored unless the route says otherwise") {
  Policy policy = minute();
  SECTION("shared") {
    Site site(policy);
    ask_often(site, by("http", "192.0.2.1"), "run 1");
    ask_often(site, by("http", "192.0.2.2"), "run 1");
  }
  SECTION("each its own") {
    policy.per_client = true;
    Site site(policy);
    ask_often(site, by("http", "192.0.2.1"), "run 1");
    ask_often(site, by("http", "192.0.2.2"), "run 2");
    ask_often(site, by("http", "192.0.2.1"), "run 1");
    ask_often(site, by("https", "192.0.2.1"), "run 3");
    ask_often(site, by("http", "unknown"), "run 4");
  }
}

TEST_CASE(
    "response cache: what is answered to who has shown a certificate is for no other, unless it says so") {
  const transport::PeerCertificate alice{.subject = "CN=alice"};
  const transport::TlsFacts anonymous{.version = "TLSv1.3"},
      known{.version = "TLSv1.3", .certificate = &alice};
  http::ProtocolPeer nobody = by("https"), one = by("https");
  nobody.identity.tls = &anonymous;
  one.identity.tls = &known;
  Site site;
  ask_often(site, nobody, "run 1");
  for (int run = 2; run < 22; ++run) {
    Site::Client client(site, one);
    client.ask("/a");
    CHECK(client.take().body == "run " + std::to_string(run));
  }
  ask_often(site, nobody, "run 1");
}

TEST_CASE("response cache: the host that a trusted proxy says is the one in the key") {
  http::ProxyTrust trust;
  trust.fields = {http::ForwardingField(http::HeaderId::XForwardedHost)};
  http::ProtocolPeer proxy = by("http");
  proxy.trust = &trust;
  Site site;
  ask_often(site, by("http"), "run 1");
  ask_often(site, proxy, "run 2", "x-forwarded-host: b\r\n");
  // The same head, from somebody who is not believed.
  ask_often(site, by("http"), "run 1", "x-forwarded-host: b\r\n");
  ask_often(site, proxy, "run 2", "x-forwarded-host: b\r\n");
  ask_often(site, by("http"), "run 2", "Host: b\r\n");
}

TEST_CASE("response cache: what is renewed is renewed for whom it is") {
  Policy policy = minute();
  policy.stale_while_revalidate_ms = 30'000;
  policy.per_client = true;
  Site site(policy);
  site.harness->worker.asks_self = true;
  ask_often(site, by("https", "192.0.2.7"), "run 1");
  site.pass(61'500);
  ask_often(site, by("https", "192.0.2.7"), "run 1");
  CHECK(site.harness->worker.asked_client == "192.0.2.7");
  CHECK(site.harness->worker.asked_scheme == "https");
  site.refresh();
  ask_often(site, by("https", "192.0.2.7"), "run 2");
  CHECK(site.script->runs == 2);

  Policy shared = minute();
  shared.stale_while_revalidate_ms = 30'000;
  Site other(shared);
  other.harness->worker.asks_self = true;
  ask_often(other, by("http", "192.0.2.7"), "run 1");
  other.pass(61'500);
  ask_often(other, by("http", "192.0.2.7"), "run 1");
  CHECK(other.harness->worker.asked_client == "self");  // for nobody in particular

  // One that comes to another route has nothing to renew there: nobody has let it in.
  http::ProtocolPeer stray = by("http", "self");
  stray.internal = true;
  Site::Client self(other, stray);
  self.ask("/never-asked-for");
  CHECK(self.take().status == 504);
  CHECK(other.script->runs == 1);

  shared.apart = "client 192.0.2.0/24, listener 127.0.0.1:81";
  Site chosen(shared);
  chosen.harness->worker.asks_self = true;
  http::ProtocolPeer near = by("http", "192.0.2.7");
  near.listener = "127.0.0.1:81";
  ask_often(chosen, near, "run 1");
  chosen.pass(61'500);
  ask_often(chosen, near, "run 1");
  CHECK(chosen.harness->worker.asked_client == "192.0.2.7");  // by whom it has its route
  CHECK(chosen.harness->worker.asked_listener == "127.0.0.1:81");
}

}  // namespace leat::cache

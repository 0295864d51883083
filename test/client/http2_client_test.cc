// The client over HTTP/2 with scripted upstreams: one connection for many fetches, and what becomes of them when it ends, or fails.
#include <catch2/catch_test_macros.hpp>
#include <string>
#include <vector>

#include "client/rig.h"
#include "support/http2_harness.h"

namespace leat::client {
namespace {

using namespace std::string_literals;
using leat::test::data;
using leat::test::frame;
using leat::test::h2_fields;
using leat::test::headers;
using leat::test::hpack;
using leat::test::number_32;
using leat::test::reset;
using leat::test::setting;
using leat::test::settings;
using test::Peer;
using test::Rig;

UpstreamOptions by_http2(UpstreamOptions options = {}) {
  options.protocol = UpstreamProtocol::Http2;
  return options;
}

// Waits until the server has heard of so many requests.
void hear_requests(Rig& rig, Peer& peer, size_t count) {
  REQUIRE(rig.until([&] {
    rig.hear(peer);
    std::string_view left = peer.received;
    if (left.starts_with(http2::kPreface)) left.remove_prefix(http2::kPreface.size());
    size_t heard = 0;
    while (left.size() >= http2::kFrameHeader) {
      const http2::FrameHeader header = http2::read_frame_header(left.data());
      if (left.size() < http2::kFrameHeader + header.size) break;
      heard += header.is(http2::FrameType::Headers) ? 1 : 0;
      left.remove_prefix(http2::kFrameHeader + header.size);
    }
    return heard >= count;
  }));
}

std::string answered(uint32_t stream, std::string_view body) {
  return headers(stream, hpack({{":status", "200"}}), 4) + data(stream, body, 1);
}
std::string goaway(uint32_t last) { return frame(7, 0, 0, number_32(last) + number_32(0)); }

}  // namespace

TEST_CASE("http2 client: all fetches go by one connection, which is kept") {
  Rig rig(by_http2());
  std::vector<Rig::Asked*> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(rig.ask({.target = "/"}));
  Peer& peer = *rig.accept();
  rig.reply(peer, settings());
  hear_requests(rig, peer, 20);
  std::string all;
  for (uint32_t i = 20; i-- > 0;) all += answered(2 * i + 1, std::to_string(i));
  rig.reply(peer, all);
  for (size_t i = 0; i < asked.size(); ++i) {
    CHECK(rig.wait(asked[i]) == FetchStatus::Answered);
    CHECK(asked[i]->fetch.body == std::to_string(i));
    CHECK(asked[i]->fetch.by_http2);
  }
  auto* next = rig.ask();
  hear_requests(rig, peer, 21);
  rig.reply(peer, answered(41, "next"));
  CHECK(rig.wait(next) == FetchStatus::Answered);
  CHECK(rig.accepted == 1);
  CHECK(rig.nobody_waits());
}

TEST_CASE("http2 client: who has no room on a connection gets another one, and then waits") {
  Rig rig(by_http2({.connections = 2, .waiting = 1}));
  auto* first = rig.ask();
  Peer& one = *rig.accept();
  rig.reply(one, settings(setting(3, 1)));
  hear_requests(rig, one, 1);
  REQUIRE(rig.until([&] {
    rig.hear(one);
    return one.received.contains(frame(4, 1, 0));
  }));
  auto* second = rig.ask();
  Peer& two = *rig.accept();
  rig.reply(two, settings(setting(3, 1)));
  hear_requests(rig, two, 1);
  REQUIRE(rig.until([&] {
    rig.hear(two);
    return two.received.contains(frame(4, 1, 0));
  }));
  auto* third = rig.ask();
  CHECK(rig.started);
  rig.ask();
  CHECK_FALSE(rig.started);
  rig.reply(one, answered(1, "first"));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  hear_requests(rig, one, 2);
  rig.reply(one, answered(3, "third"));
  CHECK(rig.wait(third) == FetchStatus::Answered);
  rig.reply(two, answered(1, "second"));
  CHECK(rig.wait(second) == FetchStatus::Answered);
}

TEST_CASE("http2 client: what a server has not looked at goes by another connection, whatever its method") {
  Rig rig(by_http2());
  auto* first = rig.ask();
  Peer& one = *rig.accept();
  rig.reply(one, settings());
  hear_requests(rig, one, 1);
  auto* second = rig.ask({.method = "POST", .body = "12345"});
  hear_requests(rig, one, 2);
  rig.reply(one, goaway(1));
  Peer& two = *rig.accept();
  rig.reply(two, settings());
  hear_requests(rig, two, 1);
  REQUIRE(rig.until([&] {
    rig.hear(two);
    return two.received.ends_with("12345");
  }));
  rig.reply(two, answered(1, "second"));
  CHECK(rig.wait(second) == FetchStatus::Answered);
  CHECK(second->fetch.body == "second");
  rig.reply(one, answered(1, "first"));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  CHECK(rig.hung_up(one));
}

TEST_CASE("http2 client: a request that is refused is tried again, but not without end") {
  Rig rig(by_http2());
  auto* asked = rig.ask();
  Peer& peer = *rig.accept();
  rig.reply(peer, settings());
  for (uint32_t i = 0; i < 4; ++i) {
    hear_requests(rig, peer, i + 1);
    CHECK(asked->resumed == 0);
    rig.reply(peer, reset(2 * i + 1, 7));
  }
  CHECK(rig.wait(asked) == FetchStatus::Failed);
  CHECK(asked->fetch.message.ends_with("it refused the request"));
}

TEST_CASE("http2 client: a connection that ends has what may be repeated repeated once") {
  Rig rig(by_http2());
  auto* before = rig.ask();
  Peer& one = *rig.accept();
  rig.reply(one, settings());
  hear_requests(rig, one, 1);
  rig.reply(one, answered(1, "before"));
  CHECK(rig.wait(before) == FetchStatus::Answered);
  auto* get = rig.ask();
  auto* post = rig.ask({.method = "POST", .body = "x"});
  hear_requests(rig, one, 3);
  one.fd.reset();
  CHECK(rig.wait(post) == FetchStatus::Failed);
  Peer& two = *rig.accept();
  rig.reply(two, settings());
  hear_requests(rig, two, 1);
  two.fd.reset();
  CHECK(rig.wait(get) == FetchStatus::Failed);
}

TEST_CASE("http2 client: a fetch that is too late is taken back, and the others go on") {
  Rig rig(by_http2());
  auto* late = rig.ask({.timeout_ms = 30});
  auto* other = rig.ask();
  Peer& peer = *rig.accept();
  rig.reply(peer, settings());
  hear_requests(rig, peer, 2);
  CHECK(rig.wait(late) == FetchStatus::Timeout);
  REQUIRE(rig.until([&] {
    rig.hear(peer);
    return peer.received.contains(reset(1));
  }));
  rig.reply(peer, answered(1, "too late") + answered(3, "other"));
  CHECK(rig.wait(other) == FetchStatus::Answered);
  CHECK(other->fetch.body == "other");
}

TEST_CASE("http2 client: a server that says nothing is left to those that it has") {
  Rig rig(by_http2());
  auto* first = rig.ask();
  Peer& silent = *rig.accept();
  rig.reply(silent, settings());
  hear_requests(rig, silent, 1);
  rig.reply(silent, answered(1, "first"));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  auto* lost = rig.ask({.timeout_ms = 30});
  CHECK(rig.wait(lost) == FetchStatus::Timeout);
  auto* next = rig.ask();
  Peer& other = *rig.accept();
  rig.reply(other, settings());
  hear_requests(rig, other, 1);
  rig.reply(other, answered(1, "next"));
  CHECK(rig.wait(next) == FetchStatus::Answered);
}

TEST_CASE("http2 client: a server that speaks something else is no server") {
  Rig rig(by_http2());
  auto* asked = rig.ask();
  Peer& peer = *rig.accept();
  rig.reply(peer, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  CHECK(rig.wait(asked) == FetchStatus::Failed);
  CHECK(rig.hung_up(peer));
}

TEST_CASE("http2 client: nobody waits for a server that cannot be connected to") {
  Rig rig(by_http2({.connect_timeout_ms = 300}));
  auto taken = rig.upstream;
  auto opened = Upstream::open("h2c://127.0.0.1:1", {});
  REQUIRE(opened.has_value());
  rig.upstream = *opened;
  std::vector<Rig::Asked*> asked;
  for (int i = 0; i < 10; ++i) asked.push_back(rig.ask());
  for (auto* each : asked) {
    CHECK(rig.wait(each) == FetchStatus::Failed);
    CHECK(each->fetch.message.contains("connect"));
  }
  CHECK(rig.until([&] { return rig.client->count() == 0; }));
}

TEST_CASE("http2 client: a connection that nobody uses is closed after a time") {
  Rig rig(by_http2({.idle_timeout_ms = 20}));
  auto* asked = rig.ask();
  Peer& peer = *rig.accept();
  rig.reply(peer, settings());
  hear_requests(rig, peer, 1);
  rig.reply(peer, answered(1, "x"));
  CHECK(rig.wait(asked) == FetchStatus::Answered);
  CHECK(rig.hung_up(peer));
}

TEST_CASE("http2 client: who is told may ask for the next and take others back") {
  Rig rig(by_http2());
  auto* first = rig.ask();
  auto* other = rig.ask();
  auto* third = rig.ask();  // which is over as well while the first is told
  struct Told {
    Rig& rig;
    Rig::Asked* other;
    Rig::Asked* next = nullptr;
  } told{rig, other};
  first->owner = &told;
  first->resume = [](http::Exchange&, void* argument) {
    auto& asked = *static_cast<Rig::Asked*>(static_cast<Fetch*>(argument));
    auto& its = *static_cast<Told*>(asked.owner);
    ++asked.resumed;
    its.rig.client->cancel(its.other->fetch);
    its.next = its.rig.ask();
  };
  Peer& peer = *rig.accept();
  rig.reply(peer, settings());
  hear_requests(rig, peer, 3);
  rig.reply(peer, answered(1, "first") + answered(3, "other") + answered(5, "third"));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  CHECK(rig.wait(third) == FetchStatus::Answered);
  CHECK(other->resumed == 0);
  hear_requests(rig, peer, 4);
  CHECK(rig.nobody_waits());
  rig.reply(peer, answered(7, "next"));
  CHECK(rig.wait(told.next) == FetchStatus::Answered);
  CHECK(told.next->fetch.body == "next");
}

}  // namespace leat::client

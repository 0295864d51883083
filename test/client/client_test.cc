// The client against scripted upstreams.
#include "client/client.h"

#include <fmt/core.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <memory>
#include <string>
#include <vector>

#include "client/rig.h"

namespace leat::client {
namespace {

using test::answer;
using test::Peer;
using test::Rig;

}  // namespace

TEST_CASE("client: requests that wait to be sent count, and one that there is no memory for is refused") {
  Rig rig;
  const std::string body(rig.worker.blocks().most() * 2 / 3, 'b');
  auto* first = rig.ask({.method = "POST", .body = body});
  REQUIRE(rig.started);
  CHECK(rig.worker.blocks().used() >= body.size());
  rig.ask({.method = "POST", .body = body});
  CHECK_FALSE(rig.started);
  rig.ask({.method = "POST", .body = "small"});
  CHECK(rig.started);
  rig.client->cancel(first->fetch);
  CHECK(rig.until([&] { return rig.worker.blocks().used() < 100'000; }));
}

TEST_CASE("client: what is asked for is sent as HTTP, and a connection is used again") {
  Rig rig;
  const Field fields[] = {{"Accept", "text/plain"}, {"X-A", ""}};
  auto* first = rig.ask({.method = "GET", .target = "/a?b=c", .fields = fields});
  REQUIRE(rig.started);
  Peer& peer = *rig.accept();
  CHECK(rig.take(peer) == "GET /a?b=c HTTP/1.1\r\nHost: " + rig.upstream->authority() +
                              "\r\nAccept: text/plain\r\nX-A: \r\n\r\n");
  rig.reply(peer, answer("hello", "Server: x\r\n"));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  CHECK(first->fetch.code == 200);
  CHECK(first->fetch.body == "hello");
  REQUIRE(first->fetch.fields.size() == 2);
  CHECK(first->fetch.fields[1].name == "Server");
  auto* second = rig.ask({.method = "POST", .target = "/", .body = "12345"});
  CHECK(rig.take(peer, "12345") ==
        "POST / HTTP/1.1\r\nHost: " + rig.upstream->authority() + "\r\nContent-Length: 5\r\n\r\n12345");
  rig.reply(peer, answer("again"));
  CHECK(rig.wait(second) == FetchStatus::Answered);
  CHECK(second->fetch.body == "again");
  CHECK(rig.nobody_waits());
}

TEST_CASE("client: a connection whose answer has no certain end is not used again") {
  for (const std::string& bytes : {answer("x", "Connection: close\r\n"), answer("x") + "y",
                                   std::string("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx")}) {
    Rig rig;
    auto* first = rig.ask();
    Peer& peer = *rig.accept();
    rig.take(peer);
    rig.reply(peer, bytes);
    CHECK(rig.wait(first) == FetchStatus::Answered);
    CHECK(first->fetch.body == "x");
    CHECK(rig.hung_up(peer));
    auto* second = rig.ask();
    Peer& other = *rig.accept();
    rig.take(other);
    rig.reply(other, answer("z"));
    CHECK(rig.wait(second) == FetchStatus::Answered);
  }
}

TEST_CASE(
    "client: a kept connection that proves closed costs nothing but for methods that must not be repeated") {
  const std::string method = GENERATE("GET", "PUT", "POST");
  Rig rig;
  auto* first = rig.ask();
  Peer& peer = *rig.accept();
  rig.take(peer);
  rig.reply(peer, answer(""));
  CHECK(rig.wait(first) == FetchStatus::Answered);
  auto* second = rig.ask({.method = method});
  rig.take(peer);
  peer.fd.reset();
  if (method == "POST") {
    CHECK(rig.wait(second) == FetchStatus::Failed);
    CHECK(rig.nobody_waits());
    return;
  }
  Peer& other = *rig.accept();
  CHECK(rig.take(other).starts_with(method + " / HTTP/1.1\r\n"));
  // Once, and no more: this one was new.
  other.fd.reset();
  CHECK(rig.wait(second) == FetchStatus::Failed);
  CHECK(rig.nobody_waits());
}

TEST_CASE("client: an idle connection goes when the upstream closes it, says something, or after its time") {
  Rig rig({.idle_timeout_ms = 30});
  for (int way = 0; way < 3; ++way) {
    auto* asked = rig.ask();
    Peer& peer = *rig.accept();
    rig.take(peer);
    rig.reply(peer, answer(""));
    CHECK(rig.wait(asked) == FetchStatus::Answered);
    CHECK(rig.client->count() == 1);
    if (way == 0) peer.fd.reset();
    if (way == 1) rig.reply(peer, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    CHECK(rig.until([&] { return rig.client->count() == 0; }));
  }
}

TEST_CASE("client: what goes wrong is told as what it is") {
  Rig rig({.timeout_ms = 40, .body_bytes = 10});
  auto* broken = rig.ask();
  Peer& one = *rig.accept();
  rig.take(one);
  rig.reply(one, "nonsense\r\n\r\n");
  CHECK(rig.wait(broken) == FetchStatus::Failed);
  CHECK(broken->fetch.message == rig.upstream->url() + ": the answer is not well-formed HTTP");
  auto* large = rig.ask();
  Peer& two = *rig.accept();
  rig.take(two);
  rig.reply(two, answer("12345678901"));
  CHECK(rig.wait(large) == FetchStatus::TooLarge);
  auto* late = rig.ask();
  Peer& three = *rig.accept();
  rig.take(three);
  rig.reply(three, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234");
  CHECK(rig.wait(late) == FetchStatus::Timeout);
  CHECK(late->fetch.message == rig.upstream->url() + ": no answer within 40 ms");
  CHECK(rig.hung_up(three));
  auto* own = rig.ask({.timeout_ms = 5});
  CHECK(rig.wait(own) == FetchStatus::Timeout);
}

TEST_CASE("client: nobody at the address is told with the system's reason") {
  Rig rig;
  auto nobody = Upstream::open("unix:/nowhere/at/all.sock", {});
  REQUIRE(nobody.has_value());
  rig.upstream = *nobody;
  auto* asked = rig.ask();
  CHECK(rig.started);
  CHECK(asked->resumed == 0);  // never from within
  CHECK(rig.wait(asked) == FetchStatus::Failed);
  CHECK(asked->fetch.message == "cannot connect to unix:/nowhere/at/all.sock: No such file or directory");
}

TEST_CASE("client: past its connections fetches wait in order, and past that they are refused") {
  Rig rig({.connections = 1, .waiting = 2});
  auto* first = rig.ask({.target = "/1"});
  auto* second = rig.ask({.target = "/2"});
  auto* third = rig.ask({.target = "/3"});
  REQUIRE(rig.started);
  auto* fourth = rig.ask({.target = "/4"});
  CHECK_FALSE(rig.started);
  Peer& peer = *rig.accept();
  for (const std::string target : {"/1", "/2", "/3"}) {
    CHECK(rig.take(peer).starts_with("GET " + target + " "));
    rig.reply(peer, answer(target));
  }
  CHECK(rig.wait(first) == FetchStatus::Answered);
  CHECK(rig.wait(second) == FetchStatus::Answered);
  CHECK(rig.wait(third) == FetchStatus::Answered);
  CHECK(third->fetch.body == "/3");
  CHECK(fourth->resumed == 0);
  CHECK(rig.nobody_waits());
}

TEST_CASE("client: those that wait get a new connection when theirs breaks") {
  Rig rig({.connections = 1});
  auto* first = rig.ask({.target = "/1"});
  auto* second = rig.ask({.target = "/2"});
  Peer& peer = *rig.accept();
  rig.take(peer);
  peer.fd.reset();
  CHECK(rig.wait(first) == FetchStatus::Failed);
  Peer& other = *rig.accept();
  CHECK(rig.take(other).starts_with("GET /2 "));
  rig.reply(other, answer(""));
  CHECK(rig.wait(second) == FetchStatus::Answered);
}

TEST_CASE("client: a fetch may be cancelled before there is a connection, and while it waits") {
  Rig rig({.connections = 1});
  auto* first = rig.ask();
  auto* second = rig.ask();
  rig.client->cancel(second->fetch);
  rig.client->cancel(second->fetch);
  rig.client->cancel(first->fetch);
  CHECK(rig.until([&] { return rig.client->count() == 0; }));
  CHECK(first->resumed + second->resumed == 0);
}

TEST_CASE("client: a fetch that is cancelled in the midst of its answer makes room for the next") {
  Rig rig({.connections = 1});
  auto* first = rig.ask();
  Peer& peer = *rig.accept();
  rig.take(peer);
  rig.reply(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234");
  auto* second = rig.ask({.target = "/2"});
  CHECK(rig.nobody_waits());
  rig.client->cancel(first->fetch);
  Peer& other = *rig.accept();
  CHECK(rig.hung_up(peer));
  CHECK(rig.take(other).starts_with("GET /2 "));
  rig.reply(other, answer(""));
  CHECK(rig.wait(second) == FetchStatus::Answered);
  CHECK(first->resumed == 0);
  rig.client->cancel(second->fetch);  // it is over
  CHECK(rig.client->count() == 1);
}

TEST_CASE("client: a body larger than every buffer arrives, both ways") {
  Rig rig({.body_bytes = 8 << 20});
  std::string body(3 << 20, '\0');
  for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  auto* asked = rig.ask({.method = "PUT", .body = body});
  Peer& peer = *rig.accept();
  std::string received;
  REQUIRE(rig.until([&] {
    rig.hear(peer);
    received += std::exchange(peer.received, {});
    return received.ends_with(body.substr(body.size() - 100)) && received.size() > body.size();
  }));
  CHECK(received.substr(received.size() - body.size()) == body);
  const std::string back = rig.on_wire(peer, answer(body));
  size_t sent = 0;
  REQUIRE(rig.until([&] {
    const ssize_t now =
        ::send(peer.fd.get(), back.data() + sent, back.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (now > 0) sent += static_cast<size_t>(now);
    return sent == back.size();
  }));
  CHECK(rig.wait(asked) == FetchStatus::Answered);
  CHECK(asked->fetch.body == body);
}

TEST_CASE("client: a handshake is a part of connecting, and what becomes of it is told as that") {
  Rig rig({.connect_timeout_ms = 30}, Rig::Over::Transport);
  auto* late = rig.ask();
  CHECK(rig.wait(late) == FetchStatus::Failed);  // nobody has even accepted
  CHECK(late->fetch.message == "cannot connect to " + rig.upstream->url() + ": no answer in time");
  rig.accept(false);
  auto* refused = rig.ask();
  Peer& strange = *rig.accept(false);
  rig.reply_wire(strange, strange.odd.record('?', "not what was agreed on"));
  CHECK(rig.wait(refused) == FetchStatus::Failed);
  auto* left = rig.ask();
  rig.accept(false)->fd.reset();
  CHECK(rig.wait(left) == FetchStatus::Failed);
  CHECK(rig.until([&] { return rig.client->count() == 0; }));
}

TEST_CASE("client: an answer that only an end completes is whole only if that end was said") {
  const bool said = GENERATE(false, true);
  Rig rig({}, Rig::Over::Transport);
  auto* asked = rig.ask();
  Peer& peer = *rig.accept();
  rig.take(peer);
  rig.reply(peer, "HTTP/1.1 200 OK\r\n\r\nas much as there");
  if (said) rig.reply_wire(peer, peer.odd.record('e', ""));
  peer.fd.reset();
  CHECK(rig.wait(asked) == (said ? FetchStatus::Answered : FetchStatus::Failed));
  if (said) CHECK(asked->fetch.body == "as much as there");
}

TEST_CASE("client: what a transport says to itself does not end a kept connection, and its failure does") {
  Rig rig({}, Rig::Over::Transport);
  for (const char* target : {"/1", "/2"}) {
    auto* asked = rig.ask({.target = target});
    Peer& peer = rig.accepted == 0 ? *rig.accept() : rig.first();
    CHECK(rig.take(peer).contains(target));
    rig.reply(peer, answer("x"));
    CHECK(rig.wait(asked) == FetchStatus::Answered);
    rig.reply_wire(peer, peer.odd.record('d', ""));
    CHECK(rig.nobody_waits());
  }
  CHECK(rig.client->count() == 1);
  rig.reply_wire(rig.first(), rig.first().odd.record('?', ""));
  CHECK(rig.until([&] { return rig.client->count() == 0; }));
}

TEST_CASE("client: a transport that fails in the midst of an answer fails the fetch") {
  Rig rig({}, Rig::Over::Transport);
  auto* asked = rig.ask();
  Peer& peer = *rig.accept();
  rig.take(peer);
  rig.reply(peer, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234");
  rig.reply_wire(peer, peer.odd.record('?', ""));
  CHECK(rig.wait(asked) == FetchStatus::Failed);
  CHECK(rig.hung_up(peer));
}

TEST_CASE("client: what would be another request on the wire is refused") {
  const Field host[] = {{"host", "other"}};
  const Field split[] = {{"A", "b\r\nC: d"}};
  const Field name[] = {{"A b", "c"}};
  const Field length[] = {{"Content-Length", "3"}};
  const Field fine[] = {{"A", "b\tc \xc3\xa9"}};
  CHECK(refuse_request({}).empty());
  CHECK(refuse_request({.method = "OPTIONS", .target = "*", .fields = fine}).empty());
  CHECK_FALSE(refuse_request({.method = ""}).empty());
  CHECK_FALSE(refuse_request({.method = "GE T"}).empty());
  CHECK_FALSE(refuse_request({.method = "CONNECT"}).empty());
  CHECK_FALSE(refuse_request({.target = ""}).empty());
  CHECK_FALSE(refuse_request({.target = "http://a/"}).empty());
  CHECK_FALSE(refuse_request({.target = "/a b"}).empty());
  CHECK_FALSE(refuse_request({.target = "/a\r\n"}).empty());
  CHECK_FALSE(refuse_request({.target = "/a#b"}).empty());
  CHECK_FALSE(refuse_request({.fields = host}).empty());
  CHECK_FALSE(refuse_request({.fields = split}).empty());
  CHECK_FALSE(refuse_request({.fields = name}).empty());
  CHECK_FALSE(refuse_request({.fields = length}).empty());
}

}  // namespace leat::client

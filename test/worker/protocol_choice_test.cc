// Two protocols on one listening socket: HTTP/1 and one of lines, told apart by what the transport's ends
// agree on, by the first bytes, or by what the listener has.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "http/protocol.h"
#include "support/odd_transport.h"
#include "worker/rig.h"

namespace leat::test {

namespace {

class Named final : public http::ProtocolFactory {
 public:
  Named(std::string_view name, std::string_view preface) : name_(name), preface_(preface) {}
  std::unique_ptr<http::Protocol> make(const http::ProtocolPeer&) override { return nullptr; }
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view preface() const override { return preface_; }

 private:
  std::string_view name_, preface_;
};

Rig::Options both() {
  Rig::Options options;
  options.lines = true;
  return options;
}

// Over a transport whose ends agree on `alpn`.
Rig::Options agreeing_on(std::string_view alpn) {
  Rig::Options options = both();
  options.plain = true;  // the tests speak the other side themselves
  options.connections.listeners.push_back({.transport = odd_transports(alpn)});
  return options;
}

std::string lines(std::string_view text) { return std::string(kLinePreface).append(text); }

void send_in_pieces(Rig& rig, FakePeer& peer, std::string_view bytes, size_t size) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
    peer.sends(bytes.substr(0, size));
    rig.settle();
  }
}

}  // namespace

TEST_CASE("protocol choice: by agreement, then by preface, then what begins with anything") {
  Named one("one", ""), two("two", "TWO "), three("three", "TWELVE ");
  http::ProtocolFactory* const all[] = {&one, &two, &three};
  const auto chosen = [&](std::string_view agreed, std::string_view first, bool last = false) {
    const http::ProtocolChoice choice = http::choose_protocol(all, agreed, first, last);
    CHECK_FALSE((choice.needs_more && choice.factory != nullptr));
    return choice.needs_more ? "more" : choice.factory == nullptr ? "none" : choice.factory->name();
  };
  CHECK(chosen("two", "") == "two");
  CHECK(chosen("one", "TWO ") == "one");
  CHECK(chosen("other", "TWO ") == "two");
  CHECK(chosen("", "") == "more");
  CHECK(chosen("", "TW") == "more");
  CHECK(chosen("", "TWE") == "more");
  CHECK(chosen("", "TWELVE ") == "three");
  CHECK(chosen("", "TWO and more") == "two");
  CHECK(chosen("", "TWI") == "one");
  CHECK(chosen("", "TW", true) == "one");
  http::ProtocolFactory* const particular[] = {&two, &three};
  CHECK(http::choose_protocol(particular, "", "G").factory == nullptr);
  CHECK_FALSE(http::choose_protocol(particular, "", "G").needs_more);
  http::ProtocolFactory* const fixed[] = {&two};
  CHECK(http::choose_protocol(fixed, "one", "").factory == &two);
}

TEST_CASE("protocol choice: the first bytes tell, in whatever pieces they come") {
  Rig rig(both());
  const size_t size = GENERATE(size_t{1}, size_t{7}, size_t{1000});
  FakePeer& of_lines = rig.connect();
  FakePeer& of_http = rig.connect();
  send_in_pieces(rig, of_lines, lines("GET /\nGET /echo ab\n"), size);
  send_in_pieces(rig, of_http, post("/echo", "abc") + get("/"), size);
  CHECK(of_lines.received() == "=200 5\nhello=200 2\nab");
  const auto answers = read_answers(of_http.received());
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].body == "abc");
  CHECK_FALSE(of_lines.closed());
  CHECK_FALSE(of_http.closed());
}

TEST_CASE("protocol choice: who begins and does not go on has the time of a head") {
  Rig rig(both());
  FakePeer& begun = rig.connect();
  FakePeer& silent = rig.connect();
  rig.pass_time(2'000);
  begun.sends(kLinePreface.substr(0, 3));
  rig.settle();
  rig.pass_time(rig.limits.head_timeout_ms / 2);
  begun.sends(kLinePreface.substr(3, 1));  // which gives it no more time
  rig.settle();
  rig.pass_time(rig.limits.head_timeout_ms / 2 - 100);
  CHECK_FALSE(begun.closed());
  rig.pass_time(200);
  CHECK(begun.shut_down());
  CHECK(begun.received().empty());
  CHECK_FALSE(silent.closed());
  rig.pass_time(rig.limits.idle_timeout_ms);
  CHECK(silent.closed());
  CHECK(rig.site.wire.requests == 0);
}

TEST_CASE("protocol choice: who leaves before it is known is gone") {
  Rig rig(both());
  FakePeer& peer = rig.connect();
  peer.sends(GENERATE(as<std::string_view>(), "", kLinePreface.substr(0, 4), "GET / HT"));
  rig.settle();
  GENERATE(false, true) ? peer.closes() : peer.resets();
  rig.settle();
  CHECK(peer.closed());
  CHECK(rig.site.wire.requests == 0);
}

TEST_CASE("protocol choice: a whole request behind which its peer ends is answered by who takes anything") {
  Rig rig(both());
  FakePeer& peer = rig.connect();
  peer.sends(get("/"));
  peer.closes();
  rig.settle();
  CHECK(read_answers(peer.received()).at(0).body == "hello");
  CHECK(peer.closed());
}

TEST_CASE("protocol choice: by agreement lines need no preface, and without one they do") {
  const auto said = [](std::string_view alpn, const std::string& bytes) {
    Rig rig(agreeing_on(alpn));
    FakePeer& peer = rig.connect();
    OddPeer odd;
    peer.sends(odd.says(bytes));
    rig.settle();
    odd.hears(peer.received());
    return odd.plain;
  };
  CHECK(said(kLineName, "GET /\n") == "=200 5\nhello");
  CHECK(said(kLineName, lines("GET /\n")) == "=200 5\nhello");
  CHECK(said("", lines("GET /\n")) == "=200 5\nhello");
  CHECK(read_answers(said("", get("/"))).at(0).body == "hello");
  CHECK(read_answers(said("http/1.1", get("/"))).at(0).body == "hello");
  CHECK(read_answers(said("http/1.1", lines("GET /\n"))).at(0).status == 400);
}

TEST_CASE("protocol choice: a listener may have but one, or others first") {
  Rig::Options options = both();
  options.plain = true;
  SECTION("lines alone need no preface") {
    options.connections.listeners.push_back({.protocols = {std::string(kLineName)}});
    Rig rig(options);
    CHECK(rig.ask("GET /\n") == "=200 5\nhello");
  }
  SECTION("HTTP alone knows no other's preface") {
    options.connections.listeners.push_back({.protocols = {"http/1.1"}});
    Rig rig(options);
    CHECK(read_answers(rig.ask(lines("GET /\n"))).at(0).status == 400);
  }
  SECTION("the order does not matter where a preface tells") {
    options.connections.listeners.push_back({.protocols = {std::string(kLineName), "http/1.1"}});
    Rig rig(options);
    CHECK(read_answers(rig.ask(get("/"))).at(0).body == "hello");
    CHECK(rig.ask(lines("GET /\n")) == "=200 5\nhello");
  }
}

TEST_CASE("protocol choice: one that is turned away is told so in the words of its protocol") {
  Rig::Options options = both();
  options.connections.most = 1;
  Rig rig(options);
  FakePeer& busy = rig.connect();
  busy.sends(get("/never"));
  rig.settle();
  FakePeer& of_lines = rig.connect();
  FakePeer& of_http = rig.connect();
  send_in_pieces(rig, of_lines, lines("GET /\n"), 4);
  send_in_pieces(rig, of_http, get("/"), 4);
  CHECK(of_lines.received() == "=503 0\n");
  CHECK(read_answers(of_http.received()).at(0).status == 503);
  CHECK(rig.site.wire.requests == 1);
}

TEST_CASE("protocol choice: draining closes who has said nothing, and answers who has begun") {
  Rig rig(both());
  FakePeer& silent = rig.connect();
  FakePeer& begun = rig.connect();
  begun.sends(kLinePreface.substr(0, 5));
  rig.settle();
  rig.drain();
  CHECK(silent.closed());
  CHECK_FALSE(begun.closed());
  begun.sends(lines("GET /\n").substr(5));
  rig.settle();
  CHECK(begun.received() == "=200 5\nhello");
  CHECK(begun.shut_down());
}

TEST_CASE("protocol choice: a request knows by which listening socket it came") {
  Rig::Options options = both();
  options.plain = true;
  options.connections.listeners.push_back({.name = "127.0.0.1:8080"});
  Rig rig(options);
  FakePeer& peer = rig.connect();
  peer.sends(get("/never"));
  rig.settle();
  size_t seen = 0;
  rig.exchanges.for_each([&](http::Exchange& exchange) {
    ++seen;
    CHECK(exchange.listener() == "127.0.0.1:8080");
  });
  CHECK(seen == 1);
}

}  // namespace leat::test

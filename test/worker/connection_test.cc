// Connections, on the fake engine and on real sockets: keep-alive, closing as a join, completions that come
// late or for another. Completions with stale tokens and failures other than resets are scripted: no kernel
// makes them to order, and those tests are the fake engine's alone (Rig::Options::scripted).
#include "worker/connections.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "worker/rig.h"

namespace leat::test {

namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

// Watches a descriptor of the daemon's past its closing.
class Witness {
 public:
  explicit Witness(const FakePeer& peer) : fd_(::dup(peer.fd())) {}
  // The socket was told to end with a reset, not with an orderly close.
  [[nodiscard]] bool reset() const {
    linger value{};
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &value, &size) == 0);
    return value.l_onoff == 1 && value.l_linger == 0;
  }

 private:
  Fd fd_;
};

}  // namespace

TEST_CASE("connection: answers request after request on one connection") {
  Rig rig;
  FakePeer& peer = rig.connect();
  for (int i = 0; i < 5; ++i) {
    peer.sends(get("/"));
    rig.settle();
    const auto answers = read_answers(peer.take_received());
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status == 200);
    CHECK(answers[0].body == "hello");
    CHECK_FALSE(peer.closed());
  }
  CHECK(rig.connections->count() == 1);
}

TEST_CASE("connection: answers a pipelined batch in order with one send") {
  Rig rig;
  FakePeer& peer = rig.connect();
  std::string batch;
  for (int i = 0; i < 16; ++i) batch += post("/echo", std::to_string(i));
  peer.sends(batch);
  rig.settle();
  CHECK(peer.sends_completed() == 1);
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 16);
  for (size_t i = 0; i < 16; ++i) CHECK(answers[i].body == std::to_string(i));
}

TEST_CASE("connection: an answer that leaves in short sends arrives whole") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.reads_slowly(7);
  peer.sends(get("/") + get("/pinned/5000") + get("/"));
  rig.settle();
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 3);
  CHECK(answers[1].body == std::string(5000, 'x'));
  CHECK(answers[2].body == "hello");
  CHECK(rig.site.pinned == 0);
}

TEST_CASE("connection: a peer that closes is closed, with all it was owed") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/") + get("/"));
  peer.closes();
  rig.settle();
  CHECK(read_answers(peer.received()).size() == 2);
  CHECK(peer.closed());
  CHECK(rig.connections->count() == 0);
}

TEST_CASE("connection: a client's Connection: close is honoured at once") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  rig.settle();
  CHECK(peer.received().find("Connection: close\r\n") != std::string::npos);
  CHECK(peer.closed());
}

TEST_CASE("connection: survives resets while it receives") {
  Rig rig;
  FakePeer& peer = rig.connect();
  SECTION("before the first byte") {}
  SECTION("in a head") { peer.sends("GET / HT"); }
  SECTION("in a body") { peer.sends("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123"); }
  SECTION("in a streamed body") {
    peer.sends("POST /stream HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n123");
  }
  SECTION("with a request suspended") { peer.sends(get("/never")); }
  SECTION("with a request waiting for a timer") { peer.sends(get("/wait/1000")); }
  rig.settle();
  peer.resets();
  rig.settle();
  CHECK(peer.closed());
  CHECK(rig.connections->count() == 0);
  CHECK(rig.exchanges.out() == 0);
  CHECK(rig.site.wire.cancelled <= 1);
}

TEST_CASE("connection: a peer that leaves bytes behind a request that waits is noticed") {
  Rig rig;
  FakePeer& peer = rig.connect();
  const std::string unread = GENERATE(as<std::string>(), "G", get("/"), std::string(100'000, 'x'));
  peer.sends(get(GENERATE("/never", "/wait/60000")) + unread);
  rig.settle();
  peer.sends("and what is not received any more");
  rig.settle();
  CHECK_FALSE(rig.engine.receiving(peer));
  rig.pass_time(150);
  CHECK(rig.engine.polling_end(peer));
  CHECK(rig.site.wire.cancelled == 0);
  SECTION("when it resets") {
    peer.resets();
    rig.settle();
  }
  SECTION("when it closes") {
    peer.closes();
    rig.pass_time(250);
  }
  CHECK(peer.closed());
  CHECK(peer.received().empty());
  CHECK(rig.site.wire.cancelled == 1);
  CHECK(rig.exchanges.out() == 0);
  CHECK(rig.connections->count() == 0);
}

TEST_CASE("connection: a socket that fails behind a request that waits ends it") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& peer = rig.connect();
  peer.sends(get("/never") + get("/"));
  rig.settle();
  rig.pass_time(150);
  REQUIRE(rig.engine.polling_end(peer));
  peer.fails(ETIMEDOUT);
  rig.settle();
  CHECK(peer.closed());
  CHECK(rig.site.wire.cancelled == 1);
  CHECK(rig.connections->count() == 0);
}

TEST_CASE("connection: a peer that left before anybody looked for its end is noticed") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/never") + "G");
  rig.settle();
  SECTION("by a reset") { peer.resets(); }
  SECTION("by a close") { peer.closes(); }
  SECTION("while the poll for its end is on its way") {
    rig.pass_time(120);
    REQUIRE(rig.engine.polling_end(peer));
    peer.hold_completions();
    peer.resets();
    rig.settle();
    CHECK_FALSE(peer.closed());
    peer.deliver_completions();
  }
  rig.pass_time(400);
  CHECK(peer.closed());
  CHECK(rig.site.wire.cancelled == 1);
}

TEST_CASE("connection: what waits behind a request is received again once that is answered") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/wait/500") + get("/"));
  rig.settle();
  rig.pass_time(200);
  REQUIRE(rig.engine.polling_end(peer));
  peer.sends(get("/"));
  SECTION("and its peer stays") {
    rig.pass_time(300);
    CHECK(read_answers(peer.received()).size() == 3);
    CHECK(rig.engine.receiving(peer));
    CHECK_FALSE(rig.engine.polling_end(peer));
    CHECK_FALSE(peer.closed());
    peer.sends(get("/"));
    rig.settle();
    CHECK(read_answers(peer.received()).size() == 4);
  }
  SECTION("and its peer has ended its side just before") {
    rig.pass_time(200);
    peer.closes();
    rig.pass_time(100);
    CHECK(read_answers(peer.received()).size() == 3);
    CHECK(peer.closed());
  }
  SECTION("and the daemon stops meanwhile") {
    rig.connections->abandon_all();
    rig.settle();
    CHECK(peer.closed());
  }
  SECTION("and the daemon drains meanwhile") {
    rig.drain();
    rig.pass_time(300);
    // With the one that came before anybody looked for its end. What is sent later was not read.
    CHECK(read_answers(peer.received()).size() == 2);
    CHECK(peer.received().find("Connection: close\r\n") > peer.received().find("HTTP/1.1 200", 1));
    rig.pass_time(2000);
    CHECK(peer.closed());
  }
}

TEST_CASE("connection: requests that wait but shortly cost no poll for their peer's end") {
  Rig rig;
  FakePeer& peer = rig.connect();
  for (int i = 0; i < 10; ++i) {
    peer.sends(get("/wait/50") + get("/"));
    rig.pass_time(49);
    CHECK_FALSE(rig.engine.polling_end(peer));
    rig.pass_time(1);
    CHECK(read_answers(peer.take_received()).size() == 2);
    CHECK(rig.engine.receiving(peer));
  }
}

TEST_CASE("connection: who ends its side has what waits for it given up, and what is on its way sent") {
  Rig rig;
  FakePeer& peer = rig.connect();
  const Witness witness(peer);
  SECTION("suspended") {
    peer.sends(get("/") + get("/never"));
    peer.closes();
    rig.settle();
    CHECK(rig.site.wire.cancelled == 0);
    rig.pass_time(199);
    CHECK_FALSE(peer.closed());
    rig.pass_time(1);
    CHECK(read_answers(peer.received()).size() == 1);
    CHECK_FALSE(witness.reset());
  }
  SECTION("behind an answer that is read slowly") {
    peer.stops_reading();
    peer.sends(get("/pinned/100000") + get("/never"));
    peer.closes();
    rig.pass_time(10'000);
    CHECK_FALSE(peer.closed());
    peer.reads_again();
    rig.settle();
    CHECK_FALSE(peer.closed());
    rig.pass_time(200);
    const auto answers = read_answers(peer.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].complete);
    CHECK_FALSE(witness.reset());
  }
  CHECK(peer.closed());
  CHECK(rig.site.wire.cancelled == 1);
  CHECK(rig.connections->count() == 0);
}

TEST_CASE("connection: tells a suspended request once that its client has gone") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/never"));
  rig.settle();
  CHECK(rig.site.wire.cancelled == 0);
  peer.resets();
  rig.settle();
  CHECK(rig.site.wire.cancelled == 1);
  CHECK(rig.site.wire.done == 1);
}

TEST_CASE("connection: the memory of a send in flight stays until it completes") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.stops_reading();
  peer.sends(get("/pinned/100000"));
  rig.settle();
  REQUIRE(rig.engine.sending(peer));
  REQUIRE(rig.site.pinned == 1);
  const size_t blocks = rig.pool.out();
  peer.hold_completions();
  SECTION("when the peer resets") { peer.resets(); }
  SECTION("when the daemon stops") { rig.connections->abandon_all(); }
  SECTION("when the send has taken too long") { rig.pass_time(31'000); }
  rig.settle();
  CHECK(rig.connections->count() == 1);
  CHECK(rig.site.pinned == 1);
  CHECK(rig.pool.out() == blocks);
  CHECK_FALSE(peer.closed());
  peer.deliver_completions();
  rig.settle();
  CHECK(rig.connections->count() == 0);
  CHECK(rig.site.pinned == 0);
  CHECK(rig.pool.out() == 0);
  CHECK(peer.closed());
}

TEST_CASE("connection: a completion for one who has gone changes nothing for who is there now") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& first = rig.connect();
  first.sends(get("/"));
  rig.settle();
  first.closes();
  rig.settle();
  REQUIRE(first.closed());
  FakePeer& second = rig.connect();
  second.stops_reading();
  second.sends(get("/"));
  rig.settle();
  REQUIRE(rig.engine.sending(second));
  for (const net::Op op : {net::Op::Receive, net::Op::Send, net::Op::Poll}) {
    rig.script().inject(
        {net::Token(op, 0, 0), -ECONNRESET, false, {}});  // the first one's slot and generation
    rig.script().inject({net::Token(op, 0, 0), 5, false, {}});
    rig.script().inject({net::Token(op, 7, 0), 5, false, {}});  // a slot that never was
  }
  rig.settle();
  CHECK_FALSE(second.closed());
  CHECK(rig.engine.sending(second));
  second.reads_again();
  rig.settle();
  CHECK(read_answers(second.received()).size() == 1);
}

TEST_CASE("connection: a slot is used again while old completions are still on their way") {
  Rig rig;
  for (int round = 0; round < 100; ++round) {
    FakePeer& peer = rig.connect();
    peer.sends(get("/"));
    rig.settle();
    CHECK(read_answers(peer.received()).size() == 1);
    CHECK(rig.connections->count() == 1);
    if (round % 2 == 0) {
      peer.resets();
    } else {
      peer.closes();
    }
    rig.settle();
    CHECK(rig.connections->count() == 0);
  }
  CHECK(rig.connections->opened() == 100);
}

TEST_CASE("connection: a suspended request of a peer that has ended its side is answered") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/wait/50") + get("/"));
  peer.closes();
  rig.settle();
  CHECK(peer.received().empty());
  CHECK_FALSE(peer.closed());
  rig.pass_time(49);
  CHECK(peer.received().empty());
  rig.pass_time(1);
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].body == "waited");
  CHECK(peer.closed());
}

TEST_CASE("connection: a timer of a client that has left does nothing") {
  Rig rig;
  rig.pass_time(5000);  // the acceptor's looks after its start
  FakePeer& peer = rig.connect();
  peer.sends(get("/wait/50"));
  rig.settle();
  peer.resets();
  rig.settle();
  CHECK(rig.loop->timers().running() == 0);
  FakePeer& next = rig.connect();
  next.sends(get("/never"));
  rig.settle();
  rig.pass_time(100);
  CHECK(next.received().empty());
}

TEST_CASE("connection: a refused peer gets its answer, and what it still sends is dropped") {
  Rig rig;
  FakePeer& peer = rig.connect();
  const Witness witness(peer);
  peer.sends("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n");
  rig.settle();
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 413);
  CHECK(answers[0].complete);
  CHECK(peer.shut_down());
  CHECK_FALSE(peer.closed());
  for (int i = 0; i < 100; ++i) peer.sends(std::string(16'384, 'y'));
  rig.settle();
  CHECK_FALSE(peer.closed());
  CHECK(rig.pool.out() == 0);
  CHECK(rig.site.wire.requests == 1);
  SECTION("until it closes") { peer.closes(); }
  SECTION("until it resets") { peer.resets(); }
  SECTION("or for two seconds at most") {
    rig.pass_time(1900);
    peer.sends("still here");
    rig.settle();
    CHECK_FALSE(peer.closed());
    rig.pass_time(200);
  }
  rig.settle();
  CHECK(peer.closed());
  CHECK_FALSE(witness.reset());
}

TEST_CASE("connection: an answer that was cut ends with a reset, after what there was of it") {
  Rig rig;
  FakePeer& peer = rig.connect();
  const Witness witness(peer);
  peer.sends(get("/torn") + get("/"));
  rig.settle();
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].body == "torn");
  CHECK_FALSE(answers[0].complete);
  CHECK(peer.closed());
  CHECK(witness.reset());
}

TEST_CASE("connection: draining closes idle connections and finishes what was begun") {
  Rig rig;
  FakePeer& fresh = rig.connect();
  FakePeer& idle = rig.connect();
  FakePeer& busy = rig.connect();
  FakePeer& head = rig.connect();
  FakePeer& dozing = rig.connect();
  rig.pass_time(15'000);
  REQUIRE(rig.engine.polling(dozing));
  idle.sends(get("/"));
  busy.sends(get("/wait/5000"));
  head.sends("GET / HTTP/1.1\r\nHo");
  rig.settle();
  idle.take_received();
  rig.drain();
  // Not at once, for a request may be on its way, which a reset would answer.
  CHECK(fresh.shut_down());
  CHECK(idle.shut_down());
  CHECK(idle.received().empty());
  CHECK(dozing.shut_down());
  CHECK_FALSE(busy.closed());
  CHECK_FALSE(head.closed());
  head.sends("st: a\r\n\r\n");
  rig.settle();
  CHECK(head.received().find("Connection: close\r\n") != std::string::npos);
  CHECK(head.shut_down());
  rig.pass_time(5000);
  CHECK(busy.received().find("Connection: close\r\n") != std::string::npos);
  CHECK(read_answers(busy.received()).at(0).body == "waited");
  rig.pass_time(2000);
  CHECK(rig.connections->count() == 0);
  CHECK(rig.acceptor->stopped());
}

TEST_CASE("connection: a long pipeline leaves turns to others, and is served to its end") {
  Rig rig;
  FakePeer& greedy = rig.connect();
  FakePeer& modest = rig.connect();
  greedy.sends(repeat(get("/"), 200));
  modest.sends(get("/"));
  for (int turns = 0; turns < 3; ++turns) rig.turn();
  CHECK(read_answers(greedy.received()).size() < 200);
  CHECK(read_answers(modest.received()).size() == 1);
  rig.settle();
  rig.pass_time(1);
  CHECK(read_answers(greedy.received()).size() == 200);
  CHECK(rig.pool.out() == 0);
  SECTION("also when its peer leaves meanwhile") {
    greedy.sends(repeat(get("/"), 200));
    rig.turn();
    greedy.resets();
    rig.settle();
    rig.pass_time(1);
    CHECK(greedy.closed());
  }
}

}  // namespace leat::test

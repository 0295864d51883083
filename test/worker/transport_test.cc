// Connections over a transport: its handshake, its end, its failures, and which listening socket has one.
// That requests notice nothing of it is shown by the other tests of connections, which run over one as well.
#include <sys/eventfd.h>

#include <array>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "net/engine_choice.h"
#include "net/sockets.h"
#include "support/odd_transport.h"
#include "worker/rig.h"

namespace leat::test {

namespace {

constexpr uint32_t kHandshakeMs = 500;

Rig::Options odd_options() {
  Rig::Options options;
  options.plain = true;  // the tests speak the other side themselves
  options.connections.listeners.push_back(
      {.transport = odd_transports(), .handshake_timeout_ms = kHandshakeMs});
  return options;
}

// Connections on a real engine, of which the test is the client.
struct RealStage final : net::LoopClient {
  RealStage() {
    auto chosen = net::create_engine(GENERATE(net::EngineChoice::Uring, net::EngineChoice::Epoll), {});
    if (!chosen) SKIP("no io_uring here: " << chosen.error().text());
    engine = std::move(chosen->engine);
    loop = *net::Loop::create(*engine);
    harness.worker.now_ms = loop->now_ms();
    worker::ConnectionOptions options;
    if (odd) options.listeners.push_back({.transport = odd_transports()});
    connections = std::make_unique<worker::Connections>(*loop, spoken, harness.environment.memory,
                                                        harness.limits, options);
    connections->open(std::move(pair.near));
  }
  ~RealStage() override {
    connections->abandon_all();
    CHECK(until([&] { return connections->count() == 0; }));
  }
  template <class Met>
  bool until(Met met) {
    const uint64_t deadline = engine->now_ns() + 10'000'000'000;
    while (!met() && engine->now_ns() < deadline) loop->turn(*this, engine->now_ns() + 1'000'000);
    return met();
  }
  void says(std::string_view bytes) { net::write_all(pair.far.get(), odd ? peer.says(bytes) : bytes); }
  std::vector<Answer> answers(size_t count) {
    std::vector<Answer> all;
    REQUIRE(until([&] {
      const std::string wire = net::read_some(pair.far.get());
      odd ? peer.hears(wire) : void(peer.plain += wire);
      all = read_answers(peer.plain);
      return all.size() == count && all.back().complete;
    }));
    return all;
  }
  void on_completion(const net::Completion& completion) override { connections->on_completion(completion); }
  void on_turn_end() override { connections->on_turn_end(); }

  const bool odd = GENERATE(false, true);
  Site site;
  HttpHarness harness{site};
  http1::Sessions sessions{harness.environment};
  const std::array<http::ProtocolFactory*, 1> spoken{&sessions};
  net::Pair pair = net::socket_pair();
  OddPeer peer;
  std::unique_ptr<net::Engine> engine;
  std::unique_ptr<net::Loop> loop;
  std::unique_ptr<worker::Connections> connections;
};

}  // namespace

TEST_CASE("transport: real sockets of both engines carry one as they carry plain bytes") {
  RealStage stage;
  stage.says(get("/") + post("/echo", "twice"));
  auto answers = stage.answers(2);
  CHECK(answers[0].body == "hello");
  CHECK(answers[1].body == "twice");
  stage.says(get("/pinned/3000000") + get("/big/700000"));
  answers = stage.answers(4);
  CHECK(answers[2].body == std::string(3'000'000, 'x'));
  CHECK(answers[3].body == std::string(700'000, 'x'));
  stage.says("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  CHECK(stage.answers(5)[4].body == "hello");
  stage.pair.far.reset();
  CHECK(stage.until([&] { return stage.connections->count() == 0; }));
  CHECK(stage.site.pinned == 0);
}

TEST_CASE("transport: a handshake may come in any pieces, and the first request behind it") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  const std::string wire = odd.says(get("/"));
  const bool at_once = GENERATE(false, true);
  for (size_t i = 0; i < wire.size(); ++i) {
    peer.sends(wire.substr(i, 1));
    if (!at_once) rig.settle();
  }
  rig.settle();
  odd.hears(peer.received());
  CHECK(odd.greeted);
  CHECK(read_answers(odd.plain).at(0).body == "hello");
  CHECK_FALSE(odd.ended);
  CHECK_FALSE(peer.closed());
}

TEST_CASE("transport: a handshake that takes too long ends the connection") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  const std::string wire = odd.says(get("/"));
  SECTION("where nothing came") {}
  SECTION("where bytes drip in") { peer.sends(wire.substr(0, 5)); }
  rig.pass_time(kHandshakeMs - 10);
  CHECK_FALSE(peer.closed());
  peer.sends(wire.substr(0, 1));
  rig.pass_time(20);
  CHECK(peer.closed());
  CHECK(peer.received().empty());
}

TEST_CASE("transport: one that leaves during the handshake is gone at once") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  peer.sends("h");
  SECTION("by closing") { peer.closes(); }
  SECTION("by a reset") { peer.resets(); }
  rig.settle();
  CHECK(peer.closed());
}

TEST_CASE("transport: why a handshake failed is told, and not lost in a reset") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.sends(odd.record('h', "even hello"));
  rig.settle();
  odd.hears(peer.received());
  CHECK(odd.failed);
  CHECK(peer.shut_down());
  CHECK_FALSE(peer.closed());
  peer.closes();
  rig.settle();
  CHECK(peer.closed());
  CHECK(rig.site.wire.requests == 0);
}

TEST_CASE("transport: one that fails later ends the request under way") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.sends(odd.says(get("/never")));
  rig.settle();
  CHECK(rig.exchanges.out() == 1);
  peer.sends(odd.record('?', ""));
  rig.settle();
  odd.hears(peer.received());
  CHECK(odd.failed);
  CHECK_FALSE(odd.ended);
  CHECK(peer.closed());
  CHECK(rig.site.wire.cancelled == 1);
}

TEST_CASE("transport: the last answer is followed by a word that it was the last") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.sends(odd.says("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
  rig.settle();
  odd.hears(peer.received());
  CHECK(read_answers(odd.plain).at(0).complete);
  CHECK(odd.ended);
  CHECK(peer.shut_down());
}

TEST_CASE("transport: a cut answer is followed by nothing that could make it look whole") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.sends(odd.says(get("/torn")));
  rig.settle();
  odd.hears(peer.received());
  CHECK(read_answers(odd.plain).at(0).body == "torn");
  CHECK_FALSE(odd.ended);
  CHECK(peer.closed());
}

TEST_CASE("transport: a peer that says that it sends no more gets what it asked for") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.sends(odd.says(get("/") + get("/")) + odd.record('e', ""));
  rig.settle();
  odd.hears(peer.received());
  CHECK(read_answers(odd.plain).size() == 2);
  CHECK(odd.ended);
}

TEST_CASE("transport: a body leaves sealed a send at a time, and the session counts plain bytes alone") {
  Rig rig(odd_options());
  FakePeer& peer = rig.connect();
  OddPeer odd;
  peer.reads_slowly(GENERATE(size_t{997}, size_t{100'000}));
  peer.sends(odd.says(get("/pinned/500000") + get("/")));
  rig.settle();
  odd.hears(peer.received());
  const auto answers = read_answers(odd.plain);
  REQUIRE(answers.size() == 2);
  CHECK(answers[0].body == std::string(500'000, 'x'));
  CHECK(answers[1].body == "hello");
  CHECK(rig.site.pinned == 0);
  CHECK(rig.pool.out() == 0);
}

TEST_CASE("transport: one that is turned away is told so behind its handshake") {
  Rig::Options options = odd_options();
  options.connections.most = 1;
  Rig rig(options);
  FakePeer& first = rig.connect();
  OddPeer busy;
  first.sends(busy.says(get("/never")));
  rig.settle();
  FakePeer& second = rig.connect();
  OddPeer odd;
  second.sends(odd.says(""));
  rig.settle();
  second.sends(odd.says(get("/")));
  rig.settle();
  odd.hears(second.received());
  CHECK(read_answers(odd.plain).at(0).status == 503);
  CHECK(odd.ended);
}

TEST_CASE("transport: each listening socket has its own, or none") {
  Rig::Options options = odd_options();
  options.connections.listeners.emplace_back();
  Rig rig(options);
  worker::Acceptor plain(*rig.loop, *rig.connections, rig.engine.listener(), 1, {}, 1);
  rig.shared = &plain;
  plain.start();
  rig.acceptor->stop();
  rig.settle();
  FakePeer& peer = rig.connect();
  peer.sends(get("/"));
  rig.settle();
  CHECK(read_answers(peer.received()).at(0).body == "hello");
  plain.stop();
  rig.settle();
}

}  // namespace leat::test

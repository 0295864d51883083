// Connections under pressure, on the fake engine and on real sockets: peers that do not read or send too
// slowly, timeouts in virtual time, and receive buffers that have run out. Where it matters how much of a
// send completes in a turn, or that buffers run out and come back, that is scripted, which is the fake
// engine's alone (Rig::Options::scripted): a kernel completes a send when all of it has gone.
#include <catch2/catch_test_macros.hpp>
#include <cerrno>

#include "worker/rig.h"

namespace leat::test {

namespace {

std::string repeat(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

}  // namespace

TEST_CASE("pressure: a peer that reads nothing while it pipelines huge answers is held back") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.stops_reading();
  constexpr size_t kRequests = 2000;
  for (size_t i = 0; i < kRequests; ++i) peer.sends(get("/big/30000"));
  rig.settle();
  rig.pass_time(5);
  CHECK_FALSE(rig.engine.receiving(peer));
  // The high-water mark, one answer beyond it, and the input of some buffers.
  const size_t served = rig.site.wire.done;
  CHECK(served < 12);
  CHECK(rig.pool.out() * Block::kSize <
        rig.limits.output_high_bytes + 40'000 + 3 * Block::kSize + rig.sealed_bytes());
  peer.reads_again();
  for (size_t i = 0; i < kRequests && rig.site.wire.done < kRequests; ++i) {
    rig.settle();
    rig.pass_time(1);
  }
  CHECK(rig.engine.receiving(peer));
  const auto answers = read_answers(peer.received());
  CHECK(answers.size() == kRequests);
  CHECK(answers.back().body.size() == 30'000);
  CHECK(rig.pool.out() == 0);
}

TEST_CASE("pressure: a peer that reads a little at a time gets everything, within bounds all the time") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.reads_slowly(10'000);
  peer.sends(repeat(get("/big/100000"), 50));
  size_t most = 0;
  for (int i = 0; i < 2000 && rig.site.wire.done < 50; ++i) {
    rig.turn();
    rig.engine.pass_time(1'000'000);
    most = std::max(most, rig.pool.out());
  }
  rig.settle();
  CHECK(read_answers(peer.received()).size() == 50);
  CHECK(most * Block::kSize < rig.limits.output_high_bytes + 100'000 + 8 * Block::kSize + rig.sealed_bytes());
}

TEST_CASE("pressure: requests behind a suspended one are kept in bounds and answered after it") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/wait/1000"));
  for (int i = 0; i < 1000; ++i) peer.sends(get("/"));
  rig.settle();
  CHECK_FALSE(rig.engine.receiving(peer));
  CHECK(rig.pool.out() <= 4);
  rig.pass_time(1010);
  CHECK(read_answers(peer.received()).size() == 1001);
}

TEST_CASE("pressure: a send without progress is given up after its timeout") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& peer = rig.connect();
  peer.stops_reading();
  peer.sends(get("/big/100000"));
  rig.settle();
  rig.pass_time(29'900);
  CHECK_FALSE(peer.closed());
  SECTION("and its connection with it") {
    rig.pass_time(200);
    CHECK(peer.closed());
    CHECK(rig.pool.out() == 0);
  }
  SECTION("but progress starts it anew") {
    peer.reads_again();
    peer.reads_slowly(1000);
    rig.turn();
    rig.turn();
    peer.stops_reading();
    rig.settle();
    rig.pass_time(29'900);
    CHECK_FALSE(peer.closed());
    rig.pass_time(200);
    CHECK(peer.closed());
  }
}

TEST_CASE("pressure: a large answer goes out in steps, so that a slow reader shows progress") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& peer = rig.connect();
  constexpr size_t kStep = 256 * 1024;
  peer.stops_reading();
  peer.sends(get("/pinned/4000000"));
  rig.settle();
  size_t before = 0;
  // Longer in all than the send timeout many times over, but a step within each.
  while (read_answers(peer.received()).empty() || !read_answers(peer.received())[0].complete) {
    rig.pass_time(25'000);
    REQUIRE_FALSE(peer.closed());
    peer.reads_again();
    rig.turn();
    peer.stops_reading();
    const size_t now = peer.received().size();
    REQUIRE(now > before);
    REQUIRE(now - before <= kStep);
    before = now;
  }
  CHECK(read_answers(peer.received())[0].body.size() == 4'000'000);
}

TEST_CASE("pressure: an idle connection dozes, wakes for a request, and is closed when its time is over") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends(get("/"));
  rig.settle();
  peer.take_received();
  rig.pass_time(9'900);
  CHECK(rig.engine.receiving(peer));
  rig.pass_time(200);
  CHECK_FALSE(rig.engine.receiving(peer));
  CHECK(rig.engine.polling(peer));
  rig.pass_time(20'000);
  peer.sends(get("/"));
  rig.settle();
  CHECK(read_answers(peer.take_received()).size() == 1);
  CHECK(rig.engine.receiving(peer));
  rig.pass_time(74'900);
  CHECK(rig.engine.polling(peer));
  CHECK_FALSE(peer.closed());
  rig.pass_time(200);
  CHECK(peer.closed());
  CHECK(peer.received().empty());
}

TEST_CASE("pressure: a request that arrives while its connection falls asleep is answered") {
  Rig rig;
  FakePeer& peer = rig.connect();
  rig.pass_time(9'999);
  peer.hold_completions();
  SECTION("before the receive is cancelled") {
    peer.sends(get("/"));
    rig.settle();
    rig.pass_time(10);
    peer.deliver_completions();
  }
  SECTION("after it is cancelled") {
    rig.pass_time(10);
    peer.sends(get("/"));
    rig.settle();
    peer.deliver_completions();
  }
  rig.settle();
  CHECK(read_answers(peer.received()).size() == 1);
  CHECK(rig.engine.receiving(peer));
  CHECK_FALSE(rig.engine.polling(peer));
}

TEST_CASE("pressure: a dozing peer that leaves is closed") {
  Rig rig;
  FakePeer& peer = rig.connect();
  rig.pass_time(11'000);
  REQUIRE(rig.engine.polling(peer));
  SECTION("by closing") { peer.closes(); }
  SECTION("by a reset") { peer.resets(); }
  rig.settle();
  CHECK(peer.closed());
}

TEST_CASE("pressure: a head that does not arrive in time is answered with 408, then the connection closes") {
  Rig rig;
  FakePeer& peer = rig.connect();
  rig.pass_time(30'000);
  peer.sends("GET / HTTP/1.1\r\n");
  rig.settle();
  for (int i = 0; i < 9; ++i) {
    rig.pass_time(1000);
    peer.sends("X-Slow: y\r\n");
    rig.settle();
  }
  rig.pass_time(900);
  CHECK(peer.received().empty());
  rig.pass_time(200);
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 408);
  CHECK(peer.shut_down());
  rig.pass_time(2'100);
  CHECK(peer.closed());
}

TEST_CASE("pressure: a body that stops, or trickles, is answered with 408") {
  Rig rig;
  FakePeer& peer = rig.connect();
  peer.sends("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  rig.settle();
  SECTION("one that stops, ten seconds after its last byte") {
    rig.pass_time(5'000);
    peer.sends("x");
    rig.settle();
    rig.pass_time(9'900);
    CHECK(peer.received().empty());
    rig.pass_time(200);
  }
  SECTION("one that trickles, once its average is too low") {
    for (int i = 0; i < 12; ++i) {
      rig.pass_time(1'000);
      peer.sends("x");
      rig.settle();
    }
  }
  CHECK(read_answers(peer.received()).at(0).status == 408);
}

TEST_CASE("pressure: a peer that takes long to read an answer is not idle") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& peer = rig.connect();
  peer.stops_reading();
  peer.sends(get("/pinned/500000") + get("/"));
  rig.settle();
  for (int i = 0; i < 10; ++i) {
    peer.reads_again();
    peer.reads_slowly(1000);
    rig.turn();
    peer.stops_reading();
    rig.pass_time(20'000);
    REQUIRE_FALSE(peer.closed());
  }
  peer.reads_again();
  rig.settle();
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 2);
  CHECK(answers[1].body == "hello");
  CHECK_FALSE(peer.shut_down());
  peer.sends(get("/"));
  rig.settle();
  CHECK(read_answers(peer.received()).size() == 3);
}

TEST_CASE("pressure: a connection that finds no receive buffer waits and goes on") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& peer = rig.connect();
  rig.script().set_buffers(0);
  peer.sends(get("/"));
  rig.settle();
  CHECK_FALSE(rig.engine.receiving(peer));
  CHECK(peer.received().empty());
  rig.turn();
  CHECK_FALSE(rig.engine.receiving(peer));
  SECTION("when there are buffers again") {
    rig.script().set_buffers(1);
    rig.turn();
    rig.settle();
    CHECK(read_answers(peer.received()).size() == 1);
  }
  SECTION("or is abandoned while it waits") { rig.connections->abandon_all(); }
  SECTION("or leaves while it waits, which shows once it receives") {
    peer.resets();
    rig.script().set_buffers(1);
    rig.settle();
    CHECK(peer.closed());
  }
}

TEST_CASE("pressure: of many that wait for buffers, as many go on in a turn as there are buffers") {
  Rig rig(Rig::Options{.buffers = 3000, .scripted = true});
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 200; ++i) peers.push_back(&rig.connect());
  rig.script().set_buffers(0);
  for (FakePeer* peer : peers) peer->sends(get("/"));
  rig.settle();
  rig.script().set_buffers(3);
  size_t turns = 0;
  for (size_t answered = 0; answered < peers.size() && turns < 1000; ++turns) {
    rig.turn();
    size_t receiving = 0;
    answered = 0;
    for (const FakePeer* peer : peers) {
      receiving += rig.engine.receiving(*peer) && peer->received().empty() ? 1 : 0;
      answered += peer->received().empty() ? 0 : 1;
    }
    CHECK(receiving <= 6);  // three that were let go on, and three that are about to be answered
  }
  CHECK(turns < 1000);
}

TEST_CASE("pressure: when blocks run out requests get an answer or a close, and others go on after it") {
  Rig rig(Rig::Options{.limits = {.answer_timeout_ms = 2000}, .blocks = 8});
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(&rig.connect());
    peers.back()->sends(get("/never"));
  }
  rig.settle();
  for (FakePeer* peer : peers) {
    if (!peer->closed()) peer->resets();
  }
  rig.settle();
  rig.pass_time(3000);
  CHECK(rig.connections->count() == 0);
  CHECK(rig.pool.out() == 0);
  CHECK(read_answers(rig.ask(get("/"))).at(0).body == "hello");
}

TEST_CASE("pressure: who does not read loses its memory before others are refused") {
  Rig rig(Rig::Options{.blocks = 200});
  std::vector<FakePeer*> idlers;
  // Each has 200 KB to take, and takes nothing: all of the memory, and more.
  for (int i = 0; i < 30; ++i) {
    idlers.push_back(&rig.connect());
    idlers.back()->stops_reading();
    idlers.back()->sends(get("/big/200000"));
    rig.settle();
  }
  CHECK(rig.pool.is_short());
  size_t refused = 0;
  for (const FakePeer* peer : idlers) refused += read_answers(peer->received()).empty() ? 0 : 1;
  CHECK(refused == 0);  // nobody of them reads, and nothing was cut off
  rig.pass_time(500);
  CHECK_FALSE(rig.pool.is_short());
  size_t cut = 0;
  for (const FakePeer* peer : idlers) cut += peer->closed() ? 1 : 0;
  CHECK(cut > 0);
  CHECK(cut < idlers.size());
  for (int i = 0; i < 20; ++i) {
    const auto answers = read_answers(rig.ask(get("/big/100000")));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status == 200);
    CHECK(answers[0].body.size() == 100'000);
  }
}

TEST_CASE("pressure: an answer that there is no memory for is a 503 and not a reset") {
  // Over a transport it is a reset: what is sealed is a copy, and a block kept for each connection to hold
  // one would be the very memory that has run out.
  Rig rig(Rig::Options{.blocks = 20, .plain = true});
  FakePeer& idler = rig.connect();
  idler.stops_reading();
  idler.sends(get("/big/200000"));
  rig.settle();
  for (const char* path : {"/big/300000", "/big/200000", "/chunks", "/"}) {
    INFO(path);
    FakePeer& peer = rig.connect();
    peer.sends(get(path));
    rig.settle();
    const auto answers = read_answers(peer.received());
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].complete);
    if (answers[0].status == 200) continue;
    CHECK(answers[0].status == 503);
    CHECK(answers[0].head.contains("Retry-After: 1\r\n"));
    CHECK(answers[0].head.contains("Connection: close\r\n"));
    CHECK(answers[0].body.contains("\"status\":503"));
    CHECK(peer.shut_down());
  }
  CHECK(rig.pool.used() <= rig.pool.most());
}

TEST_CASE("pressure: bodies that are not sent to their end count, and give way") {
  Rig rig(Rig::Options{.blocks = 64});
  const std::string head = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 20; ++i) {
    peers.push_back(&rig.connect());
    peers.back()->sends(head + std::string(199'999, 'x'));
    rig.settle();
    CHECK(rig.pool.used() <= rig.pool.most());
  }
  rig.pass_time(1000);
  CHECK_FALSE(rig.pool.is_short());
  size_t refused = 0;
  for (const FakePeer* peer : peers) {
    if (peer->received().empty()) continue;
    ++refused;
    CHECK(read_answers(peer->received()).at(0).status == 503);
  }
  CHECK(refused > 10);
  CHECK(refused < peers.size());  // as much as there is good room for stays
  CHECK(read_answers(rig.ask(post("/echo", std::string(10'000, 'y')))).at(0).status == 200);
}

TEST_CASE("pressure: what is sent behind a request that waits is bounded, and that request is answered") {
  Rig rig(Rig::Options{.blocks = 64, .plain = true});  // as above, once for sixteen of them
  std::vector<FakePeer*> peers;
  const std::string many = repeat(get("/"), 3000);
  for (int i = 0; i < 16; ++i) peers.push_back(&rig.connect());
  for (FakePeer* peer : peers) peer->sends(get("/wait/5000") + many);
  rig.settle();
  CHECK(rig.pool.used() <= rig.pool.most());
  rig.pass_time(500);
  CHECK(rig.pool.used() <= rig.pool.most());
  rig.pass_time(10'000);
  for (const FakePeer* peer : peers) {
    const auto answers = read_answers(peer->received());
    REQUIRE_FALSE(answers.empty());
    // There may have been no memory for the request itself.
    CHECK((answers[0].body == "waited" || answers[0].status == 503));
    for (const Answer& answer : answers) CHECK(answer.complete);
  }
  CHECK(rig.pool.out() == 0);
}

TEST_CASE("pressure: when exchanges run out the next request gets 503 and a close") {
  Rig rig(Rig::Options{.exchanges = 2});
  FakePeer& first = rig.connect();
  FakePeer& second = rig.connect();
  FakePeer& third = rig.connect();
  first.sends(get("/never"));
  second.sends(get("/wait/10"));
  rig.settle();
  third.sends(get("/"));
  rig.settle();
  CHECK(read_answers(third.received()).at(0).status == 503);
  CHECK(third.shut_down());
  rig.pass_time(10);
  CHECK(read_answers(rig.ask(get("/"))).at(0).status == 200);
}

TEST_CASE("pressure: idle connections hold no block, segment, exchange or buffer") {
  Rig rig;
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 300; ++i) {
    peers.push_back(&rig.connect());
    peers.back()->sends(get("/"));
  }
  rig.settle();
  CHECK(rig.connections->count() == 300);
  CHECK(rig.pool.out() == 0);
  CHECK(rig.segments.out() == 0);
  CHECK(rig.exchanges.out() == 0);
  CHECK(rig.engine.lent_buffers() == 0);
}

}  // namespace leat::test

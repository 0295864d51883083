// The acceptor, on the fake engine and on real sockets: room, descriptors, stopping. That accepting fails is
// scripted, which is the fake engine's alone (Rig::Options::scripted).
#include "worker/acceptor.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <utility>
#include <vector>

#include "worker/rig.h"

namespace leat::test {

namespace {

// A connection that has had its answer and waits for the next request.
FakePeer& idle_peer(Rig& rig) {
  FakePeer& peer = rig.connect();
  peer.sends(get("/"));
  rig.settle();
  REQUIRE(read_answers(peer.take_received()).size() == 1);
  rig.pass_time(1);
  return peer;
}

// One whose request is being answered.
FakePeer& busy_peer(Rig& rig) {
  FakePeer& peer = rig.connect();
  peer.sends(get("/never"));
  rig.settle();
  return peer;
}

// What it asks for is answered with a 503, and nothing else.
void check_turned_away(Rig& rig, FakePeer& peer) {
  peer.sends(get("/"));
  rig.settle();
  const auto answers = read_answers(peer.received());
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].status == 503);
  CHECK(answers[0].head.contains("\r\nRetry-After: 1\r\n"));
  CHECK(answers[0].head.contains("\r\nConnection: close\r\n"));
  CHECK(peer.shut_down());
}

}  // namespace

TEST_CASE("acceptor: out of memory it pauses, then accepts those that waited") {
  Rig rig(Rig::Options{.start = false, .scripted = true});
  const int number = GENERATE(ENOBUFS, ENOMEM);
  rig.script().fail_accept(number);
  rig.acceptor->start();
  FakePeer& waiting = rig.engine.connect();
  waiting.sends(get("/"));
  rig.settle();
  CHECK_FALSE(rig.engine.accepting());
  CHECK(waiting.received().empty());
  rig.pass_time(99);
  CHECK_FALSE(rig.engine.accepting());
  rig.pass_time(2);
  rig.settle();
  CHECK(rig.engine.accepting());
  CHECK(read_answers(waiting.received()).size() == 1);
}

TEST_CASE("acceptor: connections that are open are served while it cannot accept") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& open = rig.connect();
  rig.script().fail_accept(ENOMEM);
  rig.settle();
  REQUIRE_FALSE(rig.engine.accepting());
  open.sends(get("/"));
  rig.settle();
  CHECK(read_answers(open.received()).size() == 1);
  CHECK_FALSE(rig.engine.accepting());  // serving does not make it try more often
}

TEST_CASE("acceptor: out of descriptors it closes idle connections and accepts again at once") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& idle = idle_peer(rig);
  FakePeer& busy = busy_peer(rig);
  rig.script().fail_accept(GENERATE(EMFILE, ENFILE));
  rig.settle();
  CHECK(idle.closed());
  CHECK_FALSE(busy.closed());
  rig.pass_time(2);
  CHECK(rig.engine.accepting());
  FakePeer& next = rig.connect();
  next.sends(get("/"));
  rig.settle();
  CHECK(read_answers(next.received())[0].status == 200);
}

TEST_CASE("acceptor: out of descriptors with none idle it turns clients away until there are some again") {
  Rig rig(Rig::Options{.scripted = true});
  FakePeer& busy = busy_peer(rig);
  rig.script().fail_accept(EMFILE);
  rig.settle();
  CHECK(rig.engine.accepting());
  FakePeer& next = rig.connect();
  check_turned_away(rig, next);
  next.closes();
  rig.pass_time(101);
  CHECK(next.closed());
  FakePeer& later = rig.connect();
  later.sends(get("/"));
  rig.settle();
  CHECK(read_answers(later.received())[0].status == 200);
  CHECK_FALSE(busy.closed());
}

TEST_CASE("acceptor: out of descriptors even for those it would turn away it pauses") {
  Rig rig(Rig::Options{.scripted = true});
  busy_peer(rig);
  rig.script().fail_accept(EMFILE);
  rig.settle();
  rig.script().fail_accept(EMFILE);
  rig.settle();
  CHECK_FALSE(rig.engine.accepting());
  rig.pass_time(101);
  CHECK(rig.engine.accepting());
}

TEST_CASE("acceptor: a client that was gone before it was accepted is no reason to pause") {
  Rig rig(Rig::Options{.scripted = true});
  rig.script().fail_accept(ECONNABORTED);
  rig.settle();
  CHECK(rig.engine.accepting());
}

TEST_CASE("acceptor: a client that finds no room gets the place of whoever has been idle for the longest") {
  Rig rig(Rig::Options{.connections = {.most = 3}});
  FakePeer& first = idle_peer(rig);
  FakePeer& second = idle_peer(rig);
  FakePeer& busy = busy_peer(rig);
  first.sends(get("/"));  // so that the second is idle for longer
  rig.settle();
  FakePeer& next = rig.connect();
  next.sends(get("/"));
  rig.settle();
  CHECK(read_answers(next.received())[0].status == 200);
  CHECK(second.closed());
  CHECK(second.received().empty());
  CHECK_FALSE(first.closed());
  CHECK_FALSE(busy.closed());
  CHECK(rig.connections->count() == 3);
}

TEST_CASE("acceptor: a connection is not given up if its next request comes in the same turn") {
  Rig rig(Rig::Options{.connections = {.most = 2}});
  FakePeer& first = idle_peer(rig);
  FakePeer& second = idle_peer(rig);
  rig.engine.connect();
  first.sends(get("/"));
  rig.settle();
  CHECK(read_answers(first.received()).size() == 1);
  CHECK(second.closed());
}

TEST_CASE("acceptor: many clients get the places of many, those that have been idle for the longest first") {
  constexpr int kPeers = 200;
  Rig rig(Rig::Options{.connections = {.most = kPeers}});
  std::vector<FakePeer*> old;
  for (int i = 0; i < kPeers; ++i) old.push_back(&idle_peer(rig));
  std::vector<FakePeer*> young;
  for (int i = 0; i < 50; ++i) {
    young.push_back(&rig.engine.connect());
    young.back()->sends(get("/"));
  }
  rig.settle();
  for (const FakePeer* peer : young) CHECK(read_answers(peer->received())[0].status == 200);
  for (int i = 0; i < kPeers; ++i) CHECK(old[static_cast<size_t>(i)]->closed() == (i < 50));
}

TEST_CASE("acceptor: a client that finds no room and nobody idle is answered 503, and gets it whole") {
  Rig rig(Rig::Options{.connections = {.most = 2}});
  FakePeer& busy = busy_peer(rig);
  FakePeer& fresh = rig.connect();  // about to ask
  FakePeer& next = rig.connect();
  CHECK(next.received().empty());
  check_turned_away(rig, next);
  CHECK_FALSE(next.closed());  // what it still sends must not make a reset of its answer
  next.closes();
  rig.settle();
  CHECK(next.closed());
  fresh.sends(get("/"));
  rig.settle();
  CHECK(read_answers(fresh.take_received())[0].status == 200);
  CHECK_FALSE(busy.closed());
  SECTION("and the one after it is served when there is room again") {
    fresh.closes();
    rig.settle();
    FakePeer& after = rig.connect();
    after.sends(get("/"));
    rig.settle();
    CHECK(read_answers(after.received())[0].status == 200);
  }
}

TEST_CASE("acceptor: a client that is turned away and says nothing is closed after a moment") {
  Rig rig(Rig::Options{.connections = {.most = 1}});
  busy_peer(rig);
  FakePeer& mute = rig.connect();
  rig.pass_time(1990);
  CHECK_FALSE(mute.closed());
  rig.pass_time(20);
  CHECK(mute.closed());
  CHECK(mute.received().empty());
}

TEST_CASE("acceptor: a connection that has never asked for anything is given up once it has had its time") {
  Rig rig(Rig::Options{.connections = {.most = 1}});
  FakePeer& fresh = rig.connect();
  FakePeer& early = rig.connect();
  check_turned_away(rig, early);
  rig.pass_time(1000);
  FakePeer& late = rig.connect();
  CHECK(fresh.closed());
  late.sends(get("/"));
  rig.settle();
  CHECK(read_answers(late.received())[0].status == 200);
}

TEST_CASE("acceptor: with too many to turn away it leaves the rest in the backlog until there is room") {
  Rig rig(Rig::Options{.connections = {.most = 2, .most_turned_away = 3}});
  FakePeer& first = busy_peer(rig);
  busy_peer(rig);
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 3; ++i) peers.push_back(&rig.connect());
  CHECK_FALSE(rig.engine.accepting());
  FakePeer& waiting = rig.connect();
  waiting.sends(get("/"));
  rig.settle();
  CHECK(waiting.received().empty());
  CHECK(rig.connections->places().turned_away() == 3);
  first.resets();
  rig.settle();
  CHECK(read_answers(waiting.received())[0].status == 200);
  for (FakePeer* peer : peers) check_turned_away(rig, *peer);
}

TEST_CASE("acceptor: a burst that overfills the table costs nobody an answer") {
  Rig rig(Rig::Options{.connections = {.most = 4}});
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(&rig.engine.connect());
    peers.back()->sends(get("/"));
  }
  rig.settle();
  size_t served = 0;
  for (const FakePeer* peer : peers) {
    const auto answers = read_answers(peer->received());
    REQUIRE(answers.size() == 1);
    CHECK((answers[0].status == 200 || answers[0].status == 503));
    served += answers[0].status == 200;
  }
  CHECK(served == 4);
  CHECK(rig.connections->count() == 10);  // those that were turned away linger
  rig.pass_time(2010);
  CHECK(rig.connections->count() == 4);
}

TEST_CASE("acceptor: what it accepts goes where it is told, one at a time") {
  Rig rig;
  rig.acceptor->stop();
  rig.settle();
  std::vector<Fd> given;
  worker::Acceptor shared(*rig.loop, *rig.connections, rig.engine.listener(), 1,
                          [&given](Fd fd) { given.push_back(std::move(fd)); });
  rig.shared = &shared;
  shared.start();
  for (int i = 0; i < 5; ++i) rig.engine.connect();
  rig.settle();
  CHECK(given.size() == 5);
  CHECK(rig.connections->count() == 0);
  CHECK(rig.engine.accepting());
  shared.stop();
  rig.settle();
  CHECK(shared.stopped());
}

TEST_CASE("acceptor: stopped, it lets go of its socket once the engine has") {
  Rig rig;
  REQUIRE(rig.engine.accepting());
  rig.acceptor->stop();
  CHECK_FALSE(rig.acceptor->stopped());
  rig.acceptor->stop();
  rig.settle();
  CHECK(rig.acceptor->stopped());
  CHECK_FALSE(rig.engine.accepting());
  rig.pass_time(1000);
  CHECK_FALSE(rig.engine.accepting());
}

TEST_CASE("acceptor: stopped in its pause, it does not start again") {
  Rig rig(Rig::Options{.scripted = true});
  rig.script().fail_accept(ENOMEM);
  rig.settle();
  rig.acceptor->stop();
  rig.pass_time(1000);
  CHECK(rig.acceptor->stopped());
  CHECK_FALSE(rig.engine.accepting());
}

}  // namespace leat::test

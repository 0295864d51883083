// The acceptor on the fake engine: room, descriptors, stopping.
#include "server/acceptor.h"

#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>

#include "server/rig.h"

namespace leat::test {

TEST_CASE("acceptor: out of descriptors it pauses, then accepts those that waited") {
  Rig rig(Rig::Options{.start = false});
  const int number = GENERATE(EMFILE, ENFILE, ENOBUFS, ENOMEM);
  rig.engine.fail_accept(number);
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

TEST_CASE("acceptor: connections that are open are served while it is out of descriptors") {
  Rig rig;
  FakePeer& open = rig.connect();
  rig.engine.fail_accept(EMFILE);
  rig.settle();
  REQUIRE_FALSE(rig.engine.accepting());
  open.sends(get("/"));
  rig.settle();
  CHECK(read_answers(open.received()).size() == 1);
  CHECK_FALSE(rig.engine.accepting());  // serving does not make it try more often
}

TEST_CASE("acceptor: a client that was gone before it was accepted is no reason to pause") {
  Rig rig;
  rig.engine.fail_accept(ECONNABORTED);
  rig.settle();
  CHECK(rig.engine.accepting());
}

TEST_CASE("acceptor: full, it leaves clients in the backlog until there is room") {
  Rig rig(Rig::Options{.connections = {.most = 2}});
  FakePeer& first = rig.connect();
  FakePeer& second = rig.connect();
  CHECK_FALSE(rig.engine.accepting());
  FakePeer& third = rig.connect();
  third.sends(get("/"));
  rig.settle();
  CHECK(third.received().empty());
  CHECK(rig.connections->count() == 2);
  second.sends(get("/"));
  rig.settle();
  CHECK(read_answers(second.received()).size() == 1);
  first.closes();
  rig.settle();
  CHECK(first.closed());
  CHECK(rig.connections->count() == 2);
  CHECK(read_answers(third.received()).size() == 1);
  CHECK(rig.acceptor->accepted() == 3);
}

TEST_CASE("acceptor: a burst that overfills the table costs only those that found no room") {
  Rig rig(Rig::Options{.connections = {.most = 4}});
  std::vector<FakePeer*> peers;
  for (int i = 0; i < 10; ++i) {
    peers.push_back(&rig.engine.connect());
    peers.back()->sends(get("/"));
  }
  rig.settle();
  CHECK(rig.connections->count() == 4);
  size_t answered = 0;
  for (const FakePeer* peer : peers) answered += peer->received().empty() ? 0 : 1;
  CHECK(answered == 4);
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
  Rig rig;
  rig.engine.fail_accept(EMFILE);
  rig.settle();
  rig.acceptor->stop();
  rig.pass_time(1000);
  CHECK(rig.acceptor->stopped());
  CHECK_FALSE(rig.engine.accepting());
}

}  // namespace leat::test

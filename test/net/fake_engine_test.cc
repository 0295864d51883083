// The fake engine is relied upon by the connection tests, so it is tested itself: an echo server runs on it.
#include "support/fake_engine.h"

#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <random>
#include <unordered_map>

namespace leat::test {

namespace {

using net::Completion;
using net::Op;
using net::Token;

constexpr int kListener = 1'000'000;

// Sends back what it receives, one send at a time; closes as a join when the peer has ended or failed.
class Echo : public net::LoopClient {
 public:
  explicit Echo(net::Loop& loop) : loop_(loop) { accept(); }

  void accept() { loop_.engine().accept(Token(Op::Accept, 0, 0), kListener); }

  void on_completion(const Completion& completion) override {
    if (completion.token.op() == Op::Accept) {
      if (completion.result >= 0) {
        const uint32_t slot = next_slot_++;
        connections_[slot].fd = completion.result;
        receive(slot);
      } else {
        last_accept_error = -completion.result;
      }
      if (!completion.armed && completion.result >= 0) accept();
      return;
    }
    const auto found = connections_.find(completion.token.slot());
    if (found == connections_.end()) {
      ++stale;
      return;
    }
    Connection& connection = found->second;
    if (completion.token.op() == Op::Send) return on_send(connection, completion.result);
    connection.receiving = completion.armed;
    if (completion.result > 0) {
      connection.pending.append(completion.buffer.data, completion.buffer.size);
      loop_.engine().release(completion.buffer.id);
    } else if (completion.result != -ENOBUFS) {
      connection.ending = true;
    }
    if (!completion.armed && !connection.ending) receive(found->first);
  }

  void on_turn_end() override {
    for (auto at = connections_.begin(); at != connections_.end();) {
      Connection& connection = at->second;
      if (connection.under_way.empty() && !connection.pending.empty() && !connection.broken) {
        connection.under_way.swap(connection.pending);
        send(at->first);
      }
      const bool over = connection.ending && connection.under_way.empty() && !connection.receiving &&
                        (connection.pending.empty() || connection.broken);
      if (over) ::close(connection.fd);
      at = over ? connections_.erase(at) : std::next(at);
    }
  }

  int last_accept_error = 0;
  int stale = 0;

 private:
  struct Connection {
    int fd = -1;
    std::string pending;
    std::string under_way;
    bool receiving = false;
    bool ending = false;
    bool broken = false;
  };

  void receive(uint32_t slot) {
    connections_[slot].receiving = true;
    loop_.engine().receive(Token(Op::Receive, slot, 0), connections_[slot].fd);
  }
  void send(uint32_t slot) {
    std::string& bytes = connections_[slot].under_way;
    const size_t half = bytes.size() / 2;
    const iovec parts[] = {{bytes.data(), half}, {bytes.data() + half, bytes.size() - half}};
    loop_.engine().send(Token(Op::Send, slot, 0), connections_[slot].fd, parts);
  }
  void on_send(Connection& connection, int32_t result) {
    if (result < 0) {
      connection.broken = true;
      connection.under_way.clear();
      return;
    }
    connection.pending.insert(0, connection.under_way.substr(static_cast<size_t>(result)));
    connection.under_way.clear();
  }

  net::Loop& loop_;
  std::unordered_map<uint32_t, Connection> connections_;
  uint32_t next_slot_ = 0;
};

struct Stage {
  explicit Stage(uint32_t buffers = 64, uint32_t buffer_size = 1024) : engine(buffers, buffer_size) {}
  void settle() { REQUIRE(test::settle(*loop, echo)); }
  FakeEngine engine;
  std::unique_ptr<net::Loop> loop = *net::Loop::create(engine);
  Echo echo{*loop};
};

}  // namespace

TEST_CASE("fake engine: carries bytes both ways, one completion a call, and sees the close") {
  Stage stage;
  FakePeer& peer = stage.engine.connect();
  peer.sends("one ");
  peer.sends("two");
  stage.settle();
  CHECK(peer.received() == "one two");
  CHECK(peer.sends_completed() == 1);
  CHECK(stage.engine.receiving(peer));
  CHECK_FALSE(peer.closed());
  CHECK(stage.engine.lent_buffers() == 0);
  peer.sends("!");
  peer.closes();
  stage.settle();
  CHECK(peer.take_received() == "one two!");
  CHECK(peer.closed());
  CHECK(peer.shut_down());
}

TEST_CASE("fake engine: splits what is larger than a buffer, and ends a receive when there is none left") {
  Stage stage(2, 10);
  FakePeer& peer = stage.engine.connect();
  peer.sends(std::string(95, 'x'));
  stage.settle();
  CHECK(peer.received() == std::string(95, 'x'));
  stage.engine.set_buffers(0);
  peer.sends("waits");
  stage.loop->turn(stage.echo, 0);
  stage.loop->turn(stage.echo, 0);
  CHECK(peer.received().size() == 95);
  stage.engine.set_buffers(2);
  stage.settle();
  CHECK(peer.received().size() == 100);
}

TEST_CASE("fake engine: short writes, a peer that does not read, a reset") {
  Stage stage;
  FakePeer& peer = stage.engine.connect();
  peer.reads_slowly(3);
  peer.sends("0123456789");
  stage.settle();
  CHECK(peer.received() == "0123456789");
  CHECK(peer.sends_completed() == 4);

  peer.stops_reading();
  peer.sends("stuck");
  stage.settle();
  CHECK(stage.engine.sending(peer));
  CHECK(peer.received().size() == 10);
  SECTION("it reads again") {
    peer.reads_again();
    stage.settle();
    CHECK(peer.received() == "0123456789stuck");
  }
  SECTION("it resets") {
    peer.resets();
    stage.settle();
    CHECK(peer.closed());
    CHECK(peer.received().size() == 10);
  }
  SECTION("it fails in another way") {
    peer.fails(ETIMEDOUT);
    peer.reads_again();
    stage.settle();
    CHECK(peer.closed());
  }
}

TEST_CASE("fake engine: completions held back come late, stale ones are the client's to drop") {
  Stage stage;
  FakePeer& slow = stage.engine.connect();
  FakePeer& fast = stage.engine.connect();
  stage.settle();
  slow.hold_completions();
  slow.sends("late");
  fast.sends("at once");
  stage.settle();
  CHECK(slow.received().empty());
  CHECK(fast.received() == "at once");
  slow.deliver_completions();
  stage.engine.inject({Token(Op::Receive, 12345, 9), -ECANCELED, false, {}});
  stage.settle();
  CHECK(slow.received() == "late");
  CHECK(stage.echo.stale == 1);
}

TEST_CASE("fake engine: an accept fails as told, and clients wait until there is one") {
  Stage stage;
  stage.engine.fail_accept(EMFILE);
  FakePeer& peer = stage.engine.connect(kListener);
  stage.settle();
  CHECK(stage.echo.last_accept_error == EMFILE);
  CHECK_FALSE(stage.engine.accepting());
  peer.sends("hello");
  stage.settle();
  CHECK(peer.received().empty());
  stage.echo.accept();
  stage.settle();
  CHECK(peer.received() == "hello");
}

TEST_CASE("fake engine: what is cancelled ends, what is polled for is seen") {
  Stage stage;
  FakePeer& peer = stage.engine.connect();
  stage.settle();
  stage.engine.cancel(Token(Op::Receive, 0, 0));
  stage.settle();  // the echo server takes it for the end
  CHECK(peer.closed());

  FakePeer& other = stage.engine.connect();
  stage.settle();
  stage.engine.poll(Token(Op::Poll, 99, 0), other.fd());
  CHECK(stage.engine.idle());
  CHECK(stage.engine.polling(other));
  other.sends("x");
  stage.settle();
  CHECK_FALSE(stage.engine.polling(other));
  CHECK(stage.echo.stale == 1);

  stage.engine.poll_end(Token(Op::Poll, 99, 0), other.fd());
  other.sends("y");
  stage.settle();
  CHECK(stage.engine.polling_end(other));
  SECTION("the end of a side") { other.closes(); }
  SECTION("a reset") { other.resets(); }
  CHECK_FALSE(stage.engine.idle());
  CHECK_FALSE(stage.engine.polling_end(other));
}

TEST_CASE("fake engine: time passes from timer to timer, and only when asked to") {
  Stage stage;
  static int runs;
  runs = 0;
  net::Timer timer([](net::Timer&) { ++runs; });
  const uint64_t start = stage.loop->now_ms();
  stage.loop->timers().start(timer, start + 10'000);
  stage.settle();
  CHECK(stage.engine.now_ns() / 1'000'000 == start);
  pass_time(*stage.loop, stage.echo, 9'999);
  CHECK(runs == 0);
  pass_time(*stage.loop, stage.echo, 1);
  CHECK(runs == 1);
  CHECK(stage.loop->now_ms() == start + 10'000);
}

TEST_CASE("fake engine: a misbehaving world loses and reorders nothing within a connection") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  Stage stage(4, 256);
  stage.engine.misbehave(seed);
  std::mt19937 random(seed);
  std::vector<FakePeer*> peers;
  std::vector<std::string> sent(10);
  for (size_t i = 0; i < sent.size(); ++i) peers.push_back(&stage.engine.connect());
  for (int round = 0; round < 20; ++round) {
    for (size_t i = 0; i < sent.size(); ++i) {
      std::string bytes(1 + random() % 700, '\0');
      for (char& byte : bytes) byte = static_cast<char>('a' + random() % 26);
      peers[i]->sends(bytes);
      sent[i] += bytes;
    }
    stage.loop->turn(stage.echo, 0);
  }
  for (FakePeer* peer : peers) peer->closes();
  stage.settle();
  for (size_t i = 0; i < sent.size(); ++i) {
    CHECK(peers[i]->received() == sent[i]);
    CHECK(peers[i]->closed());
  }
}

}  // namespace leat::test

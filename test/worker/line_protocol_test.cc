// A connection drives whatever protocol it is given: one of lines, on the fake engine and on real sockets of
// both engines, plain and over a transport.
#include "worker/line_protocol.h"

#include <sys/eventfd.h>

#include <array>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/check.h"
#include "net/engine_choice.h"
#include "net/sockets.h"
#include "support/fake_engine.h"
#include "support/http_harness.h"
#include "support/odd_transport.h"
#include "worker/connections.h"
#include "worker/exchange_timers.h"
#include "worker/rig.h"
#include "worker/self_requests.h"

namespace leat::test {

namespace {

// The site of the connection suite, and an answer that is longer than what may be queued.
class LineSite final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override { return site.on_request(exchange); }
  void on_body(http::Exchange& exchange, std::string_view piece) override { site.on_body(exchange, piece); }
  void on_body_end(http::Exchange& exchange) override {
    if (exchange.request.path() != "/slowly") return site.on_body_end(exchange);
    exchange.begin(std::nullopt);
    exchange.suspend();
    on_writable(exchange);
  }
  void on_writable(http::Exchange& exchange) override {
    while (written < kPieces) {
      ++written;
      if (exchange.write(std::string(1000, 'x'))) continue;
      ++waited;
      return;
    }
    exchange.end();
  }
  void on_response(http::Exchange& exchange) override { site.on_response(exchange); }
  void on_cancel(http::Exchange& exchange) override { site.on_cancel(exchange); }
  void on_done(http::Exchange& exchange) override {
    internal += exchange.internal() ? 1 : 0;
    last_status = exchange.finished() ? exchange.response.status : exchange.cut().status;
    site.on_done(exchange);
  }

  static constexpr int kPieces = 100;
  Site site;
  int written = 0, waited = 0, internal = 0;
  uint16_t last_status = 0;
};

// What Rig is for HTTP/1, with any engine.
class LineRig final : public net::LoopClient, public http::WorkerContext, public worker::ExchangeResumer {
 public:
  explicit LineRig(net::Engine& engine, bool odd = false)
      : loop(*net::Loop::create(engine)),
        timers(std::make_unique<worker::ExchangeTimers>(loop->timers(), *this, 16)),
        connections(std::make_unique<worker::Connections>(*loop, spoken, environment.memory, limits,
                                                          connection_options(odd))),
        self_requests(
            std::make_unique<worker::SelfRequests>(*loop, protocols, limits, worker::SelfRequestOptions{})) {}
  ~LineRig() override {
    if (acceptor != nullptr) acceptor->stop();
    connections->abandon_all();
    self_requests->abandon_all();
    turn_until([this] { return connections->count() == 0 && (acceptor == nullptr || acceptor->stopped()); });
    ENSURE(exchanges.out() == 0);
    ENSURE(pool.out() == 0);
    ENSURE(segments.out() == 0);
    ENSURE(site.site.pinned == 0);
    ENSURE(site.site.wire.done == site.site.wire.requests);
    self_requests.reset();
    connections.reset();
    timers.reset();
  }

  static worker::ConnectionOptions connection_options(bool odd) {
    worker::ConnectionOptions options;
    if (odd) options.listeners.push_back({.transport = odd_transports()});
    return options;
  }
  // Where the engine invents its clients.
  void listen() {
    acceptor = std::make_unique<worker::Acceptor>(*loop, *connections, Fd(::eventfd(0, EFD_CLOEXEC)), 0);
    acceptor->start();
  }
  bool turn_until(const std::function<bool()>& done) {
    for (int i = 0; i < 10'000 && !done(); ++i) loop->turn(*this, loop->now_ns() + 1'000'000);
    return done();
  }

  std::unique_ptr<net::Loop> loop;
  LineSite site;
  http::Limits limits;
  BlockPool pool{1024, 64};
  NodePool<transport::OutputSegment> segments{1024};
  http::ExchangePool exchanges{*this, 16};
  LineEnvironment environment{*this, site, {pool, segments}, exchanges};
  LineProtocols protocols{environment};
  const std::array<http::ProtocolFactory*, 1> spoken{&protocols};
  std::unique_ptr<worker::ExchangeTimers> timers;
  std::unique_ptr<worker::Connections> connections;
  std::unique_ptr<worker::SelfRequests> self_requests;
  std::unique_ptr<worker::Acceptor> acceptor;

  // --- http::WorkerContext
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return loop->now_ns(); }
  [[nodiscard]] std::string_view date() const override { return TestWorker::kDate; }
  [[nodiscard]] BlockPool& blocks() override { return pool; }
  [[nodiscard]] bool resume_after(http::Ticket ticket, uint64_t delay_ms, Resume call,
                                  void* argument) override {
    http::Exchange* exchange = exchanges.find(ticket);
    return exchange != nullptr && timers->start(*exchange, loop->now_ms() + delay_ms, call, argument);
  }
  void forget_timers(http::Exchange& exchange) override { timers->forget(exchange); }
  [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return false; }
  void run_soon(std::function<void()>) override {}
  void resume(http::Exchange& exchange, Resume call, void* argument) override {
    http::Protocol& protocol = *exchange.stream().protocol();
    if (protocol.internal())
      self_requests->touch(protocol);
    else
      connections->touch(protocol);
    protocol.resume(exchange, call, argument);
  }
  void on_completion(const net::Completion& completion) override {
    if (completion.token.op() == net::Op::Accept) return acceptor->on_completion(completion);
    connections->on_completion(completion);
  }
  void on_turn_end() override {
    connections->on_turn_end();
    if (acceptor != nullptr) acceptor->on_turn_end();
  }
};

// A client on a real socket, of an engine of the kernel's.
struct RealClient {
  explicit RealClient(net::EngineChoice choice)
      : engine(std::move(net::create_engine(choice, {})->engine)), rig(*engine, odd) {
    net::Pair pair = net::socket_pair();
    far = std::move(pair.far);
    rig.connections->open(std::move(pair.near));
  }
  void says(std::string_view text) { net::write_all(far.get(), odd ? peer.says(text) : text); }
  // What has come once that ends with `end`.
  std::string hears_until(std::string_view end) {
    std::string heard;
    REQUIRE(rig.turn_until([&] {
      const std::string wire = net::read_some(far.get());
      if (odd) peer.hears(wire);
      heard += odd ? std::exchange(peer.plain, {}) : wire;
      return heard.ends_with(end);
    }));
    return heard;
  }
  bool hears_the_end() {
    return rig.turn_until([&] {
      char bytes[100];
      return ::recv(far.get(), bytes, sizeof bytes, MSG_DONTWAIT) == 0;
    });
  }

  const bool odd = GENERATE(false, true);
  std::unique_ptr<net::Engine> engine;
  LineRig rig;
  Fd far;
  OddPeer peer;
};

net::EngineChoice any_engine() {
  const auto choice = GENERATE(net::EngineChoice::Epoll, net::EngineChoice::Uring);
  if (!net::create_engine(choice, {})) SKIP("this kernel has no such engine");
  return choice;
}

}  // namespace

TEST_CASE("line protocol: lines are answered in order, whole and in pieces") {
  RealClient client(any_engine());
  client.says("GET /\nGET /echo some text\nGE");
  CHECK(client.hears_until("text") == "=200 5\nhello=200 9\nsome text");
  client.says("T /chunks\nHEAD /\nGET /nocontent\n");
  CHECK(client.hears_until("=204 0\n") == "~200\n+5\nfirst+6\nsecond+0\n=200 5\n=204 0\n");
  client.says("GET /missing\n");
  CHECK(client.hears_until("}").starts_with("=404 "));
  CHECK(client.rig.site.site.wire.done == 6);
}

TEST_CASE("line protocol: pinned bodies leave and are let go of") {
  RealClient client(any_engine());
  client.says("GET /pinned/100000\nGET /\n");
  CHECK(client.hears_until("hello") == "=200 100000\n" + std::string(100'000, 'x') + "=200 5\nhello");
  CHECK(client.rig.site.site.pinned == 0);
}

TEST_CASE("line protocol: a handler that writes more than is read waits for room") {
  RealClient client(any_engine());
  client.says("GET /slowly\n");
  const std::string heard = client.hears_until("+0\n");
  CHECK(heard.size() == 5 + 100 * (6 + 1000) + 3);
  CHECK(client.rig.site.waited > 10);
}

TEST_CASE("line protocol: a suspended request is resumed, and one that is not is answered at its deadline") {
  RealClient client(any_engine());
  client.rig.environment.answer_timeout_ms = 50;
  client.says("GET /wait/1\nGET /\n");
  CHECK(client.hears_until("hello") == "=200 6\nwaited=200 5\nhello");
  client.says("GET /never\n");
  CHECK(client.hears_until("}").starts_with("=504 "));
}

TEST_CASE("line protocol: a cut answer ends the connection") {
  RealClient client(any_engine());
  client.says("GET /torn\nGET /\n");
  CHECK(client.hears_until("-0\n") == "~200\n+4\ntorn-0\n");
  CHECK(client.rig.turn_until([&] { return client.rig.connections->count() == 0; }));
  CHECK(client.rig.site.last_status == 200);
  CHECK(client.rig.site.site.wire.requests == 1);
}

TEST_CASE("line protocol: a connection that goes takes its request with it") {
  RealClient client(any_engine());
  client.says("GET /never\n");
  REQUIRE(client.rig.turn_until([&] { return client.rig.exchanges.out() == 1; }));
  client.rig.connections->abandon_all();
  CHECK(client.rig.exchanges.out() == 0);
  CHECK(client.rig.site.site.wire.cancelled == 1);
  CHECK(client.rig.site.last_status == 499);
}

TEST_CASE("line protocol: draining answers what was begun and closes") {
  RealClient client(any_engine());
  client.says("GET /wait/20\n");
  REQUIRE(client.rig.turn_until([&] { return client.rig.exchanges.out() == 1; }));
  client.rig.connections->drain_all(0);
  CHECK(client.hears_until("waited") == "=200 6\nwaited");
  CHECK(client.hears_the_end());
}

TEST_CASE("line protocol: a request that a worker makes to itself is marked as such") {
  RealClient client(any_engine());
  REQUIRE(client.rig.self_requests->ask("GET /wait/1\n", {}, ""));
  CHECK(client.rig.turn_until([&] { return client.rig.site.internal == 1; }));
  CHECK(client.rig.site.last_status == 200);
}

TEST_CASE("line protocol: on the fake engine one send carries what a turn has answered") {
  FakeEngine engine;
  LineRig rig(engine);
  rig.listen();
  FakePeer& peer = engine.connect();
  REQUIRE(settle(*rig.loop, rig));
  peer.sends("GET /\nGET /chunks\nGET /echo a b\n");
  REQUIRE(settle(*rig.loop, rig));
  CHECK(peer.take_received() == "=200 5\nhello~200\n+5\nfirst+6\nsecond+0\n=200 3\na b");
  CHECK(peer.sends_completed() == 1);
  peer.sends("GET /wait/5\n");
  REQUIRE(settle(*rig.loop, rig));
  CHECK(peer.take_received().empty());
  pass_time(*rig.loop, rig, 10);
  CHECK(peer.take_received() == "=200 6\nwaited");
  peer.sends("GET /never\n");
  REQUIRE(settle(*rig.loop, rig));
  peer.resets();
  REQUIRE(settle(*rig.loop, rig));
  CHECK(rig.connections->count() == 0);
  CHECK(rig.site.last_status == 499);
}

}  // namespace leat::test

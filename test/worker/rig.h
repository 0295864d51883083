// Rig: a worker's inside without the worker: connections, acceptor and timers on a staged engine, with a
// small site. What worker.cc wires together on a thread of its own is wired here so that a test can look at
// all of it, and take one turn at a time. A test with one runs on the fake engine and on real sockets of both
// engines of the kernel's, plain and over OddTransport; one that scripts what no kernel does on demand says
// so in its options. Destroying it checks that nothing has leaked: no connection, exchange, block, output
// segment, receive buffer or timer is left.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/fake_engine.h"
#include "support/http_harness.h"
#include "worker/acceptor.h"
#include "worker/connections.h"
#include "worker/exchange_timers.h"
#include "worker/line_protocol.h"

namespace leat::test {

// WireService's site and, for what only shows on a connection:
//   /big/{n}     n times 'x', copied
//   /pinned/{n}  the same in memory of its own, freed by its release
//   /wait/{ms}   answers after a timer
//   /never       suspends and is not resumed
//   /client      whom the request is for: client, scheme, destination, and a question mark where that is in doubt
//   /torn        begins an answer of 10 bytes, writes 4 and gives up
class Site final : public http::Service {
 public:
  BodyMode on_request(http::Exchange& exchange) override { return wire.on_request(exchange); }
  void on_body(http::Exchange& exchange, std::string_view piece) override { wire.on_body(exchange, piece); }
  void on_body_end(http::Exchange& exchange) override;
  void on_writable(http::Exchange& exchange) override { wire.on_writable(exchange); }
  void on_response(http::Exchange& exchange) override { wire.on_response(exchange); }
  void on_cancel(http::Exchange& exchange) override { wire.on_cancel(exchange); }
  void on_done(http::Exchange& exchange) override { wire.on_done(exchange); }

  WireService wire;
  size_t pinned = 0;  // bodies whose release has not run
};

class Rig final : public net::LoopClient, public http::WorkerContext, public worker::ExchangeResumer {
 public:
  struct Options {
    http::Limits limits;
    worker::ConnectionOptions connections;
    uint32_t buffers = 64;
    size_t blocks = 4096;
    size_t exchanges = 1024;
    bool start = true;   // accept at once
    bool plain = false;  // over plain sockets alone; otherwise a test runs once more over OddTransport
    // On the fake engine alone: the test has it fail, run out of buffers, complete a send in part or keep
    // bytes of two calls apart.
    bool scripted = false;
    bool lines = false;  // LineProtocol is spoken as well
  };
  Rig() : Rig(Options{}) {}
  explicit Rig(const Options& options);
  ~Rig() override;

  // A connected peer, accepted.
  FakePeer& connect();
  void turn() { loop->turn(*this, 0); }
  void settle();
  void pass_time(uint64_t ms) { test::pass_time(*loop, *this, ms); }
  void drain(uint64_t idle_ms = 0);
  // A request's whole life on a new connection: what came back.
  std::string ask(std::string_view request);

  const bool odd;  // over OddTransport
  // What may be sealed and not have left yet, beside what the session holds.
  [[nodiscard]] size_t sealed_bytes() const { return odd ? transport::Transport::kMostSealed * 5 / 4 : 0; }
  const std::unique_ptr<StagedEngine> own_engine;
  StagedEngine& engine;
  // Where Options::scripted is.
  [[nodiscard]] FakeEngine& script() { return dynamic_cast<FakeEngine&>(engine); }
  std::unique_ptr<net::Loop> loop;
  Site site;
  http::Limits limits;
  BlockPool pool;
  NodePool<transport::OutputSegment> segments;
  http::ExchangePool exchanges;
  http1::Writer writer{"leat"};
  http::KnownHeads heads;
  http1::KnownLines known_lines;
  http1::Environment environment;
  http1::Sessions sessions;
  LineEnvironment line_environment{*this, site, {pool, segments}, exchanges};
  LineProtocols lines{line_environment};
  std::vector<http::ProtocolFactory*> protocols;
  std::unique_ptr<worker::ExchangeTimers> timers;
  std::unique_ptr<worker::Connections> connections;
  std::unique_ptr<worker::Acceptor> acceptor;
  worker::Acceptor* shared = nullptr;  // a test's own, with the number 1
  bool draining = false;

  // --- http::WorkerContext
  [[nodiscard]] uint32_t index() const override { return 0; }
  [[nodiscard]] uint64_t now_ns() const override { return loop->now_ns(); }
  [[nodiscard]] std::string_view date() const override { return TestWorker::kDate; }
  [[nodiscard]] BlockPool& blocks() override { return pool; }
  [[nodiscard]] bool resume_after(http::Ticket ticket, uint64_t delay_ms, Resume resume,
                                  void* argument) override;
  void forget_timers(http::Exchange& exchange) override { timers->forget(exchange); }
  [[nodiscard]] bool resume_from_any_thread(http::Ticket, Resume, void*) override { return false; }
  void run_soon(std::function<void()>) override {}

  // --- server::ExchangeResumer
  void resume(http::Exchange& exchange, Resume call, void* argument) override;

  // --- net::LoopClient
  void on_completion(const net::Completion& completion) override;
  void on_turn_end() override;
};

// One request of HTTP/1.1 without a body.
std::string get(std::string_view path);
// One with a body by length.
std::string post(std::string_view path, std::string_view body);

// What a peer received, as a client understands it.
struct Answer {
  int status = 0;
  std::string head;  // status line and fields
  std::string body;  // without framing
  bool complete = false;
};
// Reads final answers one after the other; the last one may be incomplete. `head_only` tells of the answer
// with that index that no body follows whatever its fields say.
std::vector<Answer> read_answers(std::string_view bytes, const std::function<bool(size_t)>& head_only = {});

}  // namespace leat::test

#include "worker/rig.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cstdlib>
#include <cstring>

#include "base/check.h"
#include "base/text.h"
#include "support/odd_transport.h"
#include "support/socket_engine.h"

namespace leat::test {

namespace {

uint64_t number_after(std::string_view path, std::string_view prefix) {
  return parse_number<uint64_t>(path.substr(prefix.size())).value_or(0);
}

struct Pinned {
  std::vector<char> bytes;
  size_t* count;
};

// An OddPeer behind a FakePeer.
class OddWire final : public PeerWire {
 public:
  std::string says(std::string_view bytes) override { return peer_.says(bytes); }
  std::string hears(std::string_view bytes) override {
    peer_.hears(bytes);
    return std::exchange(peer_.plain, {});
  }

 private:
  OddPeer peer_;
};

std::unique_ptr<StagedEngine> make_engine(const Rig::Options& options) {
  if (options.scripted) return std::make_unique<FakeEngine>(options.buffers);
  const auto kernel = GENERATE(as<std::optional<net::EngineChoice>>(), std::nullopt, net::EngineChoice::Uring,
                               net::EngineChoice::Epoll);
  if (!kernel) return std::make_unique<FakeEngine>(options.buffers);
  auto engine = SocketEngine::create(*kernel, options.buffers);
  if (engine == nullptr) SKIP("this kernel has no such engine");
  return engine;
}

worker::ConnectionOptions with_transport(worker::ConnectionOptions options, bool odd) {
  if (odd) options.listeners.push_back({.transport = odd_transports(), .handshake_timeout_ms = 600'000});
  return options;
}

}  // namespace

void Site::on_body_end(http::Exchange& exchange) {
  const std::string_view path = exchange.request.path();
  if (path.starts_with("/big/")) {
    exchange.send(std::string(number_after(path, "/big/"), 'x'));
  } else if (path.starts_with("/pinned/")) {
    auto* body = new Pinned{std::vector<char>(number_after(path, "/pinned/"), 'x'), &pinned};
    ++pinned;
    exchange.send_pinned({body->bytes.data(), body->bytes.size()}, {[](void* context) {
                                                                      auto* gone =
                                                                          static_cast<Pinned*>(context);
                                                                      --*gone->count;
                                                                      delete gone;
                                                                    },
                                                                    body});
  } else if (path.starts_with("/wait/")) {
    const http::Ticket ticket = exchange.suspend();
    ENSURE(exchange.worker().resume_after(
        ticket, number_after(path, "/wait/"), [](http::Exchange& later, void*) { later.send("waited"); },
        nullptr));
  } else if (path == "/client") {
    const http::ClientIdentity& asks = exchange.request.identity();
    exchange.send(std::string(asks.client)
                      .append(" ")
                      .append(asks.scheme)
                      .append(" ")
                      .append(asks.destination)
                      .append(asks.in_doubt ? " ?" : ""));
  } else if (path == "/never") {
    exchange.suspend();
  } else if (path == "/torn") {
    exchange.begin(10);
    exchange.write("torn");
    exchange.abort();
  } else {
    wire.on_body_end(exchange);
  }
}

Rig::Rig(const Options& options)
    : odd(options.plain ? false : GENERATE(false, true)),
      own_engine(make_engine(options)),
      engine(*own_engine),
      loop(*net::Loop::create(engine)),
      limits(options.limits),
      pool(options.blocks, 64),
      segments(options.blocks * 2),
      exchanges(*this, options.exchanges),
      environment{.worker = *this,
                  .service = site,
                  .limits = limits,
                  .memory = {pool, segments},
                  .exchanges = exchanges,
                  .writer = writer,
                  .heads = &heads,
                  .lines = &known_lines},
      sessions(environment),
      protocols(options.lines ? std::vector<http::ProtocolFactory*>{&sessions, &lines}
                              : std::vector<http::ProtocolFactory*>{&sessions}),
      timers(std::make_unique<worker::ExchangeTimers>(loop->timers(), *this, options.exchanges * 2)),
      connections(std::make_unique<worker::Connections>(*loop, protocols, environment.memory, limits,
                                                        with_transport(options.connections, odd))),
      acceptor(std::make_unique<worker::Acceptor>(*loop, *connections, engine.listener(), 0)) {
  writer.set_date(TestWorker::kDate);
  if (odd) engine.set_wire([] { return std::make_unique<OddWire>(); });
  if (options.start) acceptor->start();
}

Rig::~Rig() {
  acceptor->stop();
  connections->abandon_all();
  settle();
  ENSURE(acceptor->stopped());
  ENSURE(connections->count() == 0);
  ENSURE(exchanges.out() == 0);
  ENSURE(pool.out() == 0);
  ENSURE(segments.out() == 0);
  ENSURE(engine.lent_buffers() == 0);
  ENSURE(site.pinned == 0);
  ENSURE(site.wire.done == site.wire.requests + site.wire.refused);
  ENSURE(loop->timers().running() == 0);
}

FakePeer& Rig::connect() {
  FakePeer& peer = engine.connect();
  settle();
  return peer;
}

void Rig::settle() { REQUIRE(test::settle(*loop, *this)); }

void Rig::drain(uint64_t idle_ms) {
  draining = true;
  acceptor->stop();
  connections->drain_all(loop->now_ms() + idle_ms);
  settle();
}

std::string Rig::ask(std::string_view request) {
  FakePeer& peer = connect();
  peer.sends(request);
  settle();
  std::string answer = peer.take_received();
  peer.closes();
  settle();
  return answer;
}

bool Rig::resume_after(http::Ticket ticket, uint64_t delay_ms, Resume call, void* argument) {
  http::Exchange* exchange = exchanges.find(ticket);
  return exchange != nullptr && timers->start(*exchange, loop->now_ms() + delay_ms, call, argument);
}

void Rig::resume(http::Exchange& exchange, Resume call, void* argument) {
  http::Protocol& protocol = *exchange.stream().protocol();
  connections->touch(protocol);
  protocol.resume(exchange, call, argument);
}

void Rig::on_completion(const net::Completion& completion) {
  if (completion.token.op() == net::Op::Accept) {
    (completion.token.slot() == 0 ? acceptor.get() : shared)->on_completion(completion);
  } else {
    connections->on_completion(completion);
  }
}

void Rig::on_turn_end() {
  connections->on_turn_end();
  if (!draining) acceptor->on_turn_end();
}

std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a.example\r\n\r\n";
}

std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: a.example\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         std::string(body);
}

namespace {

// The value of a field in a head, or nothing.
std::optional<std::string> field(std::string_view head, std::string_view name) {
  const std::string wanted = "\r\n" + std::string(name) + ": ";
  const size_t at = head.find(wanted);
  if (at == std::string_view::npos) return std::nullopt;
  const size_t from = at + wanted.size();
  return std::string(head.substr(from, head.find("\r\n", from) - from));
}

// Takes a chunked body off the front; false while it is incomplete.
bool read_chunks(std::string_view& left, std::string& body) {
  while (true) {
    const size_t line = left.find("\r\n");
    if (line == std::string_view::npos) return false;
    const size_t size = std::stoul(std::string(left.substr(0, line)), nullptr, 16);
    if (size == 0) {
      // Trailers end like a head: with a blank line, which may be the first.
      const size_t end = left.find("\r\n\r\n", line);
      if (end == std::string_view::npos) return false;
      left.remove_prefix(end + 4);
      return true;
    }
    if (left.size() < line + 2 + size + 2) return false;
    body.append(left.substr(line + 2, size));
    REQUIRE(left.substr(line + 2 + size, 2) == "\r\n");
    left.remove_prefix(line + 2 + size + 2);
  }
}

}  // namespace

std::vector<Answer> read_answers(std::string_view left, const std::function<bool(size_t)>& head_only) {
  std::vector<Answer> answers;
  while (!left.empty()) {
    const size_t end = left.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      answers.push_back({.head = std::string(left)});
      return answers;
    }
    Answer answer{.head = std::string(left.substr(0, end + 2))};
    REQUIRE(answer.head.starts_with("HTTP/1.1 "));
    answer.status = std::stoi(answer.head.substr(9, 3));
    left.remove_prefix(end + 4);
    if (answer.status == 100) continue;
    answer.complete = true;
    const bool bare =
        answer.status == 204 || answer.status == 304 || (head_only && head_only(answers.size()));
    if (const auto length = field(answer.head, "Content-Length"); length && !bare) {
      const size_t size = std::stoul(*length);
      answer.complete = left.size() >= size;
      answer.body = left.substr(0, size);
      left.remove_prefix(std::min(size, left.size()));
    } else if (field(answer.head, "Transfer-Encoding") && !bare) {
      answer.complete = read_chunks(left, answer.body);
      if (!answer.complete) left = {};
    } else if (!bare) {
      answer.body = left;  // until the connection is closed
      left = {};
    }
    answers.push_back(std::move(answer));
  }
  return answers;
}

}  // namespace leat::test

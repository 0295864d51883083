// A client and a scripted upstream, over real sockets and both engines, plain and over a transport. Test and client take
// turns on one thread.
#pragma once

#include <fmt/core.h>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <cerrno>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "client/client.h"
#include "net/engine_choice.h"
#include "net/sockets.h"
#include "support/http_harness.h"
#include "support/odd_transport.h"
#include "support/recording_stream.h"

namespace leat::client::test {

namespace support = leat::test;

inline constexpr uint64_t kPatienceNs = 10'000'000'000;  // turns a hang into a failure

inline std::string answer(std::string_view body, std::string_view fields = "") {
  return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}", body.size(), fields, body);
}

// A connection of the upstream's side.
struct Peer {
  Fd fd;
  std::string received = {};
  support::OddPeer odd = {};
};

class Rig final : public net::LoopClient {
 public:
  enum class Over : uint8_t { Either, Transport };
  explicit Rig(UpstreamOptions options = {}, Over over = Over::Either)
      : odd(over == Over::Transport || GENERATE(false, true)) {
    if (odd)
      options.transport = [](const transport::Now&) {
        return [] { return std::make_unique<support::OddTransport>(support::OddTransport::Side::Client); };
      };
    const auto choice = GENERATE(net::EngineChoice::Uring, net::EngineChoice::Epoll);
    auto chosen = net::create_engine(choice, {});
    if (!chosen) SKIP("no io_uring here: " << chosen.error().text());
    engine_ = std::move(chosen->engine);
    loop_ = std::move(*net::Loop::create(*engine_));
    listener_ = net::listen_on_loopback();
    auto opened = Upstream::open("http://" + net::local_address(listener_.get())->text(), options);
    REQUIRE(opened.has_value());
    upstream = std::move(*opened);
    client = std::make_unique<Client>(
        *loop_, transport::OutputMemory{worker.blocks(), segments_},
        [](void*, Fetch& fetch) { fetch.resume(*fetch.exchange, &fetch); }, nullptr);
  }
  ~Rig() override {
    for (const auto& each : asked_) client->cancel(each->fetch);
    client->close_all();
    CHECK(until([&] { return client->count() == 0; }));
    CHECK(engine_->free_buffers() == buffers_);
  }

  // One fetch and the exchange that it belongs to.
  struct Asked : Fetch {
    explicit Asked(http::WorkerContext& worker) : own(worker, stream) {
      own.arena().set_limit(size_t{16} << 20);
      exchange = &own;
      resume = [](http::Exchange&, void* argument) {
        ++static_cast<Asked*>(static_cast<Fetch*>(argument))->resumed;
      };
    }
    support::RecordingStream stream;
    http::Exchange own;
    int resumed = 0;
    Fetch& fetch = *this;
  };

  Asked* ask(const FetchRequest& request = {}) {
    auto& asked = *asked_.emplace_back(std::make_unique<Asked>(worker));
    started = client->start(asked.fetch, upstream, request);
    return &asked;
  }

  template <class Met>
  bool until(Met met) {
    const uint64_t deadline = engine_->now_ns() + kPatienceNs;
    while (!met()) {
      if (engine_->now_ns() > deadline) return false;
      loop_->turn(*this, engine_->now_ns() + 1'000'000);
    }
    return true;
  }
  // The next connection that the upstream accepts.
  Peer* accept(bool greets = true) {
    int fd = -1;
    REQUIRE(until([&] { return (fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)) >= 0; }));
    peers_.push_back({.fd = Fd(fd)});
    ++accepted;
    if (odd && greets) net::write_all(fd, peers_.back().odd.says({}));
    return &peers_.back();
  }
  Peer& first() { return peers_.front(); }
  bool nobody_waits() {
    pollfd event{listener_.get(), POLLIN, 0};
    for (int i = 0; i < 5; ++i) loop_->turn(*this, engine_->now_ns() + 1'000'000);
    return ::poll(&event, 1, 0) == 0;
  }
  void hear(Peer& peer) const {
    const std::string bytes = net::read_some(peer.fd.get());
    if (!odd) {
      peer.received += bytes;
      return;
    }
    peer.odd.hears(bytes);
    peer.received += std::exchange(peer.odd.plain, {});
  }
  // What the upstream has received, once it ends with `end`.
  std::string take(Peer& peer, std::string_view end = "\r\n\r\n") {
    REQUIRE(until([&] {
      hear(peer);
      return peer.received.ends_with(end);
    }));
    return std::exchange(peer.received, {});
  }
  bool hung_up(Peer& peer) {
    return until([&] {
      char bytes[1000];
      const ssize_t got = ::recv(peer.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno != EAGAIN);
    });
  }
  void reply(Peer& peer, std::string_view bytes) const { reply_wire(peer, on_wire(peer, bytes)); }
  void reply_wire(Peer& peer, std::string_view bytes) const { net::write_all(peer.fd.get(), bytes); }
  std::string on_wire(Peer& peer, std::string_view bytes) const {
    return odd ? peer.odd.says(bytes) : std::string(bytes);
  }
  FetchStatus wait(Asked* asked) {
    REQUIRE(until([&] { return asked->resumed > 0; }));
    CHECK(asked->resumed == 1);
    return asked->fetch.status;
  }

  void on_completion(const net::Completion& completion) override { client->on_completion(completion); }
  void on_turn_end() override { client->on_turn_end(); }

  const bool odd;              // over OddTransport
  support::TestWorker worker;  // whose memory the client counts to its end
  std::shared_ptr<Upstream> upstream;
  std::unique_ptr<Client> client;
  bool started = false;
  int accepted = 0;

 private:
  NodePool<transport::OutputSegment> segments_{256};
  std::unique_ptr<net::Engine> engine_;
  std::unique_ptr<net::Loop> loop_;
  uint32_t buffers_ = net::UringOptions().buffers.count;
  Fd listener_;
  std::deque<Peer> peers_;
  std::vector<std::unique_ptr<Asked>> asked_;
};

}  // namespace leat::client::test

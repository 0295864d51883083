// FakeEngine: an engine whose outside world is a test.
//
//   FakeEngine engine;
//   const auto loop = *net::Loop::create(engine);
//   Worker worker(*loop, ...);                    // asks for accept() on some listener
//   FakePeer& peer = engine.connect();
//   peer.sends("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
//   settle(*loop, worker);
//   CHECK(peer.received() == "HTTP/1.1 200 OK\r\n...");
//   CHECK(peer.closed());
//
// No byte goes through the kernel and nothing happens by itself: operations complete at wait(), in the order
// in which they were asked for, with what the script of their peer says.
//
// It watches its user as well and aborts the test, with a sentence, when a promise of engine.h is broken: two
// sends or two receives at once on one descriptor, a descriptor closed under an operation, a buffer given
// back twice. Buffers are allocated when lent and freed when given back: the address sanitizer sees every
// late use.
//
// Descriptors are real (one end of a socket pair that carries nothing), so that close(2), shutdown(2) and
// peer_of() do on them what they do in the daemon, and numbers are used again as the kernel would. A
// shutdown ends the operations of its direction, as it does in the kernel.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "net/engine.h"
#include "support/staged_engine.h"

namespace leat::test {

class FakeEngine final : public StagedEngine {
 public:
  explicit FakeEngine(uint32_t buffers = 64, uint32_t buffer_size = 16 * 1024)
      : buffer_count_(buffers), buffer_size_(buffer_size) {}
  ~FakeEngine() override;

  // --- The script

  [[nodiscard]] Fd listener() override;
  FakePeer& connect(int listener = -1) override;
  // The accept that is armed, or the next one, ends with this errno value (EMFILE).
  void fail_accept(int number) { accept_failure_ = number; }
  void set_buffers(uint32_t count) { buffer_count_ = count; }
  // Reports a completion of the test's own making, such as one with a stale token.
  void inject(const net::Completion& completion) { queue_.push_back({completion, -1, Kind::Poll, nullptr}); }
  // From now on everything is as unkind as the contract permits: bytes arrive in random pieces, sends are
  // short, completions of different descriptors change places, multishot operations end now and then after a
  // success or with ENOBUFS.
  void misbehave(unsigned seed) { random_.emplace(seed); }

  // --- What the daemon is at

  [[nodiscard]] bool accepting(int listener = -1) const override {
    return find(Kind::Accept, listener) != nullptr;
  }
  [[nodiscard]] bool receiving(const FakePeer& peer) const override {
    return find(Kind::Receive, peer.fd()) != nullptr;
  }
  [[nodiscard]] bool sending(const FakePeer& peer) const override {
    return find(Kind::Send, peer.fd()) != nullptr;
  }
  [[nodiscard]] bool polling(const FakePeer& peer) const override {
    return find(Kind::Poll, peer.fd()) != nullptr;
  }
  [[nodiscard]] bool polling_end(const FakePeer& peer) const override {
    return find(Kind::PollEnd, peer.fd()) != nullptr;
  }
  [[nodiscard]] uint32_t lent_buffers() const override { return static_cast<uint32_t>(lent_.size()); }
  [[nodiscard]] bool idle() override;

  // --- Engine

  void accept(net::Token token, int listener) override;
  void accept_one(net::Token token, int listener) override;
  // Nobody is there to connect to.
  void connect(net::Token token, int fd, const sockaddr* address, socklen_t size) override;
  void receive(net::Token token, int fd) override;
  void send(net::Token token, int fd, std::span<const iovec> parts) override;
  void poll(net::Token token, int fd) override;
  void poll_end(net::Token token, int fd) override;
  void cancel(net::Token target) override;
  void release(uint32_t buffer) override;
  [[nodiscard]] uint32_t free_buffers() const override {
    return buffer_count_ > lent_buffers() ? buffer_count_ - lent_buffers() : 0;
  }
  size_t wait(std::span<net::Completion> out, uint64_t deadline_ns) override;
  [[nodiscard]] std::string_view description() const override { return "a test's script"; }

 private:
  enum class Kind : uint8_t { Accept, Receive, Send, Poll, PollEnd };
  static constexpr bool is_poll(Kind kind) { return kind == Kind::Poll || kind == Kind::PollEnd; }
  struct Operation {
    Kind kind;
    net::Token token;
    int fd;
    FakePeer* peer;  // null for a listener, and for descriptors that are none of the engine's
    std::vector<iovec> parts;
    bool cancelled = false;
    bool finished = false;
    bool once = false;  // an accept of one
  };
  struct Queued {
    net::Completion completion;
    int fd;
    Kind kind;
    FakePeer* peer;
  };

  void start(Kind kind, net::Token token, int fd, std::span<const iovec> parts = {});
  [[nodiscard]] const Operation* find(Kind kind, int fd) const;
  [[nodiscard]] FakePeer* peer_of(int fd) const;
  void progress();
  void progress(Operation& operation);
  void progress_accept(Operation& operation);
  void progress_receive(Operation& operation);
  void progress_send(Operation& operation);
  void report(Operation& operation, int32_t result, bool armed = false, net::Buffer buffer = {});
  net::Buffer lend(std::string& arrived);
  void change_places(size_t from);
  [[nodiscard]] bool unkind(unsigned one_in) { return random_ && (*random_)() % one_in == 0; }

  std::list<std::unique_ptr<FakePeer>> peers_;
  std::deque<std::pair<int, FakePeer*>> backlog_;  // listener, who waits there
  std::map<int, FakePeer*> accepted_;              // the latest peer of each descriptor
  std::list<Operation> operations_;                // in the order asked for
  std::deque<Queued> queue_;                       // happened, not yet reported
  std::map<uint32_t, std::unique_ptr<char[]>> lent_;
  uint32_t next_buffer_ = 0;
  uint32_t buffer_count_;
  uint32_t buffer_size_;
  int accept_failure_ = 0;
  std::optional<std::mt19937> random_;
};

}  // namespace leat::test

// SocketEngine: the stage over sockets of the kernel's. Operations are asked of one of its engines, peers are
// clients over loopback, with small buffers, so that one who does not read is felt soon. Only time is the
// test's, and that completions of one connection can be kept back.
//
// It watches its user as FakeEngine does: two operations of one kind at once on a descriptor, or one that is
// closed under an operation, end the test.
#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "net/engine_choice.h"
#include "support/staged_engine.h"

namespace leat::test {

class SocketEngine final : public StagedEngine {
 public:
  // Null where this kernel has no such engine.
  static std::unique_ptr<SocketEngine> create(net::EngineChoice choice, uint32_t buffers);
  ~SocketEngine() override;

  // --- StagedEngine
  [[nodiscard]] Fd listener() override;
  // To the listener that was made last, if -1.
  FakePeer& connect(int listener = -1) override;
  [[nodiscard]] bool accepting(int listener = -1) const override { return find(Kind::Accept, listener); }
  [[nodiscard]] bool receiving(const FakePeer& peer) const override { return find(Kind::Receive, peer.fd()); }
  [[nodiscard]] bool sending(const FakePeer& peer) const override { return find(Kind::Send, peer.fd()); }
  [[nodiscard]] bool polling(const FakePeer& peer) const override { return find(Kind::Poll, peer.fd()); }
  [[nodiscard]] bool polling_end(const FakePeer& peer) const override {
    return find(Kind::PollEnd, peer.fd());
  }
  [[nodiscard]] uint32_t lent_buffers() const override { return lent_; }
  [[nodiscard]] bool idle() override;

  // --- net::Engine
  void accept(net::Token token, int listener) override;
  void accept_one(net::Token token, int listener) override;
  void connect(net::Token token, int fd, const sockaddr* address, socklen_t size) override;
  void receive(net::Token token, int fd) override;
  void send(net::Token token, int fd, std::span<const iovec> parts) override;
  void poll(net::Token token, int fd) override;
  void poll_end(net::Token token, int fd) override;
  void cancel(net::Token target) override { engine_->cancel(target); }
  void release(uint32_t buffer) override;
  [[nodiscard]] uint32_t free_buffers() const override { return engine_->free_buffers(); }
  size_t wait(std::span<net::Completion> out, uint64_t deadline_ns) override;
  [[nodiscard]] std::string_view description() const override { return engine_->description(); }

 private:
  enum class Kind : uint8_t { Accept, Connect, Receive, Send, Poll, PollEnd };
  struct Operation {
    Kind kind;
    int fd;
    FakePeer* peer;  // null for a listener, and for descriptors that are none of the stage's
  };
  struct Queued {
    net::Completion completion;
    FakePeer* peer;
  };

  explicit SocketEngine(std::unique_ptr<net::Engine> engine) : engine_(std::move(engine)) {}
  void start(Kind kind, net::Token token, int fd);
  [[nodiscard]] bool find(Kind kind, int fd) const;
  bool gather(uint64_t patience_ns);
  [[nodiscard]] bool under_way(const FakePeer& peer) const;
  bool await();
  void take(const net::Completion& completion);
  void meet(int fd);
  bool play();
  bool play(FakePeer& peer);

  std::unique_ptr<net::Engine> engine_;
  int newest_listener_ = -1;
  std::list<std::unique_ptr<FakePeer>> peers_;
  std::map<uint16_t, FakePeer*> arriving_;    // by their port, until they are accepted
  std::map<int, FakePeer*> accepted_;         // the latest peer of each descriptor
  std::map<uint64_t, Operation> operations_;  // by token
  std::deque<Queued> queue_;                  // happened, not yet reported
  uint32_t lent_ = 0;
};

}  // namespace leat::test

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
// in which they were asked for, with what the script of their peer says. Time is virtual: it stands still,
// except that a wait() with nothing to report jumps to its deadline, so that a turn with a deadline runs into
// the next timer.
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
#include "net/loop.h"

namespace leat::test {

// What lies between a peer and the wire: as it speaks a transport, for one.
class PeerWire {
 public:
  virtual ~PeerWire() = default;
  virtual std::string says(std::string_view bytes) = 0;   // plain to wire
  virtual std::string hears(std::string_view bytes) = 0;  // wire to plain
  virtual std::string ends() { return {}; }               // before the end of the stream
};

// The other end of one connection. Lives as long as its engine.
class FakePeer {
 public:
  // What the peer does. Bytes of one call arrive as one completion, if they fit a buffer; of two calls, as
  // two.
  void sends(std::string_view bytes) { arriving_.push_back(wire_ ? wire_->says(bytes) : std::string(bytes)); }
  void sends_raw(std::string_view bytes) { arriving_.emplace_back(bytes); }  // past what lies between
  void closes() {  // the end of its stream; it still reads
    if (wire_ != nullptr)
      if (const std::string last = wire_->ends(); !last.empty()) arriving_.push_back(last);
    ended_ = true;
  }
  void resets() { reset_ = true; }                  // receives fail with ECONNRESET, sends with EPIPE
  void fails(int number) { failure_ = number; }     // receives fail with another errno value
  void reads_slowly(size_t most) { most_ = most; }  // a send takes `most` bytes and completes short
  void stops_reading() { stalled_ = true; }         // sends stay under way
  void reads_again() { stalled_ = false, most_ = SIZE_MAX; }

  // What the kernel does: completions of this connection are kept back until delivered, however late.
  void hold_completions() { held_ = true; }
  void deliver_completions() { held_ = false; }

  // What the daemon did.
  [[nodiscard]] const std::string& received() const { return received_; }
  std::string take_received() { return std::exchange(received_, {}); }
  [[nodiscard]] size_t sends_completed() const { return sends_completed_; }  // a gathered one counts once
  [[nodiscard]] bool closed() const;                                         // its descriptor is closed
  [[nodiscard]] bool shut_down() const;         // closed, or shut down for sending
  [[nodiscard]] int fd() const { return fd_; }  // the daemon's descriptor

 private:
  friend class FakeEngine;

  int fd_ = -1;
  uint64_t inode_ = 0;  // of the daemon's end: tells it from whatever gets its number later
  Fd near_;             // until accepted
  Fd far_;
  std::deque<std::string> arriving_;
  bool ended_ = false;
  bool reset_ = false;
  int failure_ = 0;
  size_t most_ = SIZE_MAX;
  bool stalled_ = false;
  bool held_ = false;
  std::string received_;
  std::unique_ptr<PeerWire> wire_;
  size_t sends_completed_ = 0;
};

class FakeEngine final : public net::Engine {
 public:
  explicit FakeEngine(uint32_t buffers = 64, uint32_t buffer_size = 16 * 1024)
      : buffer_count_(buffers), buffer_size_(buffer_size) {}
  ~FakeEngine() override;

  // --- The script

  // A client connects; it is accepted at the next wait() in which an accept on `listener` (any, if -1) is
  // armed.
  FakePeer& connect(int listener = -1);
  // The accept that is armed, or the next one, ends with this errno value (EMFILE).
  void fail_accept(int number) { accept_failure_ = number; }
  // Peers that connect from now on speak through what this makes.
  void set_wire(std::function<std::unique_ptr<PeerWire>()> make) { make_wire_ = std::move(make); }
  void set_buffers(uint32_t count) { buffer_count_ = count; }
  // Reports a completion of the test's own making, such as one with a stale token.
  void inject(const net::Completion& completion) { queue_.push_back({completion, -1, Kind::Poll, nullptr}); }
  // From now on everything is as unkind as the contract permits: bytes arrive in random pieces, sends are
  // short, completions of different descriptors change places, multishot operations end now and then after a
  // success or with ENOBUFS.
  void misbehave(unsigned seed) { random_.emplace(seed); }
  void pass_time(uint64_t ns) { now_ns_ += ns; }

  // --- What the daemon is at

  [[nodiscard]] bool accepting(int listener = -1) const { return find(Kind::Accept, listener) != nullptr; }
  [[nodiscard]] bool receiving(const FakePeer& peer) const {
    return find(Kind::Receive, peer.fd()) != nullptr;
  }
  [[nodiscard]] bool sending(const FakePeer& peer) const { return find(Kind::Send, peer.fd()) != nullptr; }
  [[nodiscard]] bool polling(const FakePeer& peer) const { return find(Kind::Poll, peer.fd()) != nullptr; }
  [[nodiscard]] bool polling_end(const FakePeer& peer) const {
    return find(Kind::PollEnd, peer.fd()) != nullptr;
  }
  [[nodiscard]] uint32_t lent_buffers() const { return static_cast<uint32_t>(lent_.size()); }
  // True if the next wait() has nothing to report.
  [[nodiscard]] bool idle();

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
  [[nodiscard]] uint64_t now_ns() const override { return now_ns_; }
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
  std::function<std::unique_ptr<PeerWire>()> make_wire_;
  uint64_t now_ns_ = 1'000'000'000'000;
  std::optional<std::mt19937> random_;
};

// Turns until nothing more happens by itself; time stands still. False when a thousand turns were not enough.
bool settle(net::Loop& loop, net::LoopClient& client);
// Lets `ms` go by, running every timer on the way at its own time.
void pass_time(net::Loop& loop, net::LoopClient& client, uint64_t ms);

}  // namespace leat::test

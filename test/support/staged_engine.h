// StagedEngine: an engine of which a test plays the outside world: it lets peers connect, says what they do,
// and sees what the daemon did to them. Time is the test's: it stands still, except that a wait() with
// nothing to report jumps to its deadline, so that a turn with a deadline runs into the next timer.
//
// FakeEngine is all script, and can do what no kernel does on demand; SocketEngine plays the same over
// sockets of the kernel's and one of its engines.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

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
  friend class SocketEngine;

  int fd_ = -1;         // not accepted yet, where that is the kernel's to give
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
  bool said_end_ = false, heard_end_ = false;  // over sockets: so far
  std::string received_;
  std::unique_ptr<PeerWire> wire_;
  size_t sends_completed_ = 0;
};

class StagedEngine : public net::Engine {
 public:
  // What the daemon listens on.
  [[nodiscard]] virtual Fd listener() = 0;
  // A client connects; it is accepted at the next wait() in which an accept on `listener` (any, if -1) is
  // armed.
  virtual FakePeer& connect(int listener = -1) = 0;
  using net::Engine::connect;
  // Peers that connect from now on speak through what this makes.
  void set_wire(std::function<std::unique_ptr<PeerWire>()> make) { make_wire_ = std::move(make); }
  void pass_time(uint64_t ns) { now_ns_ += ns; }

  // --- What the daemon is at

  [[nodiscard]] virtual bool accepting(int listener = -1) const = 0;
  [[nodiscard]] virtual bool receiving(const FakePeer& peer) const = 0;
  [[nodiscard]] virtual bool sending(const FakePeer& peer) const = 0;
  [[nodiscard]] virtual bool polling(const FakePeer& peer) const = 0;
  [[nodiscard]] virtual bool polling_end(const FakePeer& peer) const = 0;
  [[nodiscard]] virtual uint32_t lent_buffers() const = 0;
  // True if the next wait() has nothing to report.
  [[nodiscard]] virtual bool idle() = 0;

  [[nodiscard]] uint64_t now_ns() const override { return now_ns_; }

 protected:
  [[nodiscard]] static uint64_t inode_of(int fd);

  std::function<std::unique_ptr<PeerWire>()> make_wire_;
  uint64_t now_ns_ = 1'000'000'000'000;
};

// Turns until nothing more happens by itself; time stands still. False when thousands of turns were not
// enough.
bool settle(net::Loop& loop, net::LoopClient& client);
// Lets `ms` go by, running every timer on the way at its own time.
void pass_time(net::Loop& loop, net::LoopClient& client, uint64_t ms);

}  // namespace leat::test

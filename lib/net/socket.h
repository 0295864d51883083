// Socket: a connected socket and the operations in flight for it, for whoever serves or asks over it.
//
// At most one of each kind: a receive or a poll in its place, a send, and a connect before all others.
// Closing is a join: close() has the operations end, starts none, and the socket may be destroyed when
// in_flight() is false. The descriptor is closed by the destructor and nowhere else, so never under an
// operation.
//
// SocketTable keeps a worker's owners of sockets by slot. A token names slot and generation; a slot's
// generation moves on when its owner goes, so a completion that comes late, for a slot that has a new tenant,
// finds nobody. It keeps those as well that found no receive buffer, until there are some.
//
// Thread: its loop's.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/fd.h"
#include "net/engine.h"

namespace leat::net {

// Which socket it is, as its tokens name it: where its owner lives, and which of those who lived there.
struct SocketId {
  uint32_t slot = 0;
  uint32_t generation = 0;
};

class Socket {
 public:
  Socket(Engine& engine, SocketId id, Fd fd) : engine_(engine), id_(id), fd_(std::move(fd)) {}
  ~Socket() { ENSURE(!in_flight()); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void receive();
  // In place of a receive: completes when there is anything to read ...
  void poll();
  // ... or when the peer has ended its side, whatever there is to read.
  void poll_end();
  void send(std::span<const iovec> parts);
  // `address` must stay until the completion.
  void connect(const sockaddr* address, socklen_t size);
  // Has the receive or poll end that is in flight.
  void stop_receiving();

  // Every completion with this socket's token, before anything is made of it.
  void on_completion(const Completion& completion) {
    switch (completion.token.op()) {
      case Op::Receive:
        ENSURE(receiving_);
        if (!completion.armed) receiving_ = stopping_ = false;
        break;
      case Op::Poll:
        ENSURE(polling_);
        polling_ = stopping_ = false;
        break;
      case Op::Send:
        ENSURE(sending_);
        sending_ = false;
        break;
      case Op::Connect:
        ENSURE(connecting_);
        connecting_ = false;
        break;
      default:
        break;
    }
  }

  // From here on nothing is started. The peer is told by an orderly end or, with `reset`, by an RST, so that
  // it cannot take what was cut for a whole.
  void close(bool reset);
  // Sends no more; what is in flight goes on.
  void shut_down_sending();

  [[nodiscard]] bool receiving() const { return receiving_; }
  [[nodiscard]] bool polling() const { return polling_; }
  [[nodiscard]] bool sending() const { return sending_; }
  [[nodiscard]] bool connecting() const { return connecting_; }
  [[nodiscard]] bool stopping() const { return stopping_; }  // the receive or poll was asked to end
  [[nodiscard]] bool closing() const { return closing_; }
  [[nodiscard]] bool in_flight() const { return receiving_ || polling_ || sending_ || connecting_; }
  // Nothing has come that is not received yet.
  [[nodiscard]] bool silent() const;
  [[nodiscard]] uint32_t slot() const { return id_.slot; }
  [[nodiscard]] uint32_t generation() const { return id_.generation; }

 private:
  [[nodiscard]] Token token(Op op) const { return {op, id_.slot, id_.generation}; }
  [[nodiscard]] bool may_receive() const { return !receiving_ && !polling_ && !connecting_ && !closing_; }

  Engine& engine_;
  SocketId id_;
  Fd fd_;
  bool receiving_ = false;
  bool polling_ = false;
  bool sending_ = false;
  bool connecting_ = false;
  bool stopping_ = false;
  bool closing_ = false;
};

// `mark`: a bit that all slots of one table have in their tokens, to tell them from those of another.
template <class Owner>
class SocketTable {
 public:
  explicit SocketTable(uint32_t mark = 0) : mark_(mark) { ENSURE((mark & (mark - 1)) == 0); }
  ~SocketTable() { ENSURE(count_ == 0); }
  SocketTable(const SocketTable&) = delete;
  SocketTable& operator=(const SocketTable&) = delete;

  // `make` gets the identity and returns who lives there, as a std::unique_ptr.
  template <class Make>
  Owner& open(Make make) {
    if (free_.empty()) {
      free_.push_back(static_cast<uint32_t>(slots_.size()));
      slots_.emplace_back();
      ENSURE(slots_.size() <= ~mark_);
    }
    const uint32_t index = free_.back();
    free_.pop_back();
    Slot& slot = slots_[index];
    ENSURE(slot.owner == nullptr);
    slot.owner = make(SocketId{index | mark_, slot.generation});
    ++count_;
    return *slot.owner;
  }
  // Destroys who lives at `slot`.
  void free(uint32_t slot) {
    const uint32_t index = slot & ~mark_;
    Slot& freed = slots_[index];
    ENSURE(freed.owner != nullptr && count_ != 0);
    freed.owner.reset();
    freed.parked = false;
    freed.generation = (freed.generation + 1) & 0xffffff;
    free_.push_back(index);
    --count_;
  }

  // Who lives there now; null: nobody. The slot is one that was given out.
  [[nodiscard]] Owner* at(uint32_t slot) const { return slots_[slot & ~mark_].owner.get(); }
  // Null as well where another lives there now.
  [[nodiscard]] Owner* find(SocketId id) const {
    const uint32_t index = id.slot & ~mark_;
    return index < slots_.size() && slots_[index].generation == id.generation ? slots_[index].owner.get()
                                                                              : nullptr;
  }
  [[nodiscard]] Owner* find(Token token) const { return find(SocketId{token.slot(), token.generation()}); }
  template <class Do>
  void for_each(Do act) const {
    for (const Slot& slot : slots_)
      if (slot.owner != nullptr) act(*slot.owner);
  }
  [[nodiscard]] size_t count() const { return count_; }

  // It found no receive buffer, and is to receive when there are some: at once it would only fail again.
  void park(uint32_t slot) {
    ENSURE(at(slot) != nullptr);
    if (std::exchange(slots_[slot & ~mark_].parked, true)) return;
    parked_.push_back(slot);
  }
  [[nodiscard]] bool is_parked(uint32_t slot) const { return slots_[slot & ~mark_].parked; }
  [[nodiscard]] bool has_parked() const { return !parked_.empty(); }
  // Calls `receive` with as many of those as there are buffers for, who has waited longest first.
  template <class Receive>
  void unpark(uint32_t buffers, Receive receive) {
    const size_t count = std::min<size_t>(parked_.size(), buffers);
    for (size_t i = 0; i < count; ++i) {
      Slot& slot = slots_[parked_[i] & ~mark_];
      if (slot.owner != nullptr && std::exchange(slot.parked, false)) receive(*slot.owner);
    }
    parked_.erase(parked_.begin(), parked_.begin() + static_cast<std::ptrdiff_t>(count));
  }

 private:
  struct Slot {
    std::unique_ptr<Owner> owner;
    uint32_t generation = 0;
    bool parked = false;
  };

  uint32_t mark_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  std::vector<uint32_t> parked_;  // oldest first
  size_t count_ = 0;
};

}  // namespace leat::net

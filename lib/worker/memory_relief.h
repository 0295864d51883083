// MemoryRelief: what is done where a worker's memory is short. Who holds it without need loses it, before others are
// refused.
//
// Past a mark all connections are told that memory fills: who receives only to notice that its peer leaves is to stop
// (Protocol::wants_input()). Where it is short, those that let us wait, the most and the longest first, give it back. And
// the log says who holds what.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/block_pool.h"
#include "net/loop.h"
#include "net/socket.h"

namespace leat::worker {

class Connection;

class MemoryRelief {
 public:
  // All outlive this. `worker`: its number, for the log.
  MemoryRelief(net::Loop& loop, const BlockPool& memory, const net::SocketTable<Connection>& connections,
               uint32_t worker);
  ~MemoryRelief() { rest(); }
  MemoryRelief(const MemoryRelief&) = delete;
  MemoryRelief& operator=(const MemoryRelief&) = delete;

  // At a turn's end, before what it brought is settled. True: it fills now, or no longer, and every connection is to look
  // at what that means for it.
  [[nodiscard]] bool on_turn_end() {
    if (!memory_.is_filling() && !filling_ && memory_.refusals() == refusals_told_) [[likely]]
      return false;
    return look();
  }
  // Nobody is connected any more.
  void rest() { loop_.timers().stop(again_); }

 private:
  // Looks again, though nothing happens.
  struct Again : net::Timer {
    Again() : net::Timer([](net::Timer&) {}) {}
  };

  struct Holders;

  bool look();
  [[nodiscard]] bool note_filling();
  void relieve();
  void tell(const Holders& holders);

  net::Loop& loop_;
  const BlockPool& memory_;
  const net::SocketTable<Connection>& connections_;
  const uint32_t worker_;
  Again again_;
  bool filling_ = false;
  uint64_t swept_ms_ = 0;
  uint64_t relieved_ms_ = 0;
  uint64_t told_ms_ = 0;
  size_t refusals_told_ = 0;
  size_t given_up_ = 0;  // since it was told of the last time
};

}  // namespace leat::worker

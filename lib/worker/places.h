// Places: how many connections a worker may have, and what a client gets that comes when all are taken.
//
// That is: the place of the connection that has been idle for the longest; where none is idle, a 503 with Retry-After, for
// which it is let in, without a place; and where there are too many of those, a wait in the kernel's backlog. That is what
// helps it most. The client of an idle connection opens another when it needs one, as it must after any idle
// timeout. A 503 says at once what a wait would never say, and a proxy asks elsewhere. It is sent when the
// client has said something, since not all understand an answer that comes before, and the connection
// lingers, so that no reset overtakes it.
//
// One client address has its share of them (AddressCounts), and who has it all is met in the same way.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/fd.h"
#include "net/loop.h"
#include "net/socket.h"
#include "worker/options.h"

namespace leat::worker {

class Connection;

class Places {
 public:
  // All outlive this. `options` may have other values at any time.
  Places(const net::Loop& loop, const net::SocketTable<Connection>& connections,
         const ConnectionOptions& options);

  // --- Of a connection: whether it counts.

  // Whether one of that address's group may have a place; then it has one. `crowded`: few are left.
  [[nodiscard]] bool take(uint64_t group, bool crowded);
  void give_back(uint64_t group);
  // The last quarter is for clients that have few.
  [[nodiscard]] bool crowded() const { return taken_ >= options_.most - options_.most / 4; }
  // It has come. Whether it can stay is seen at the turn's end, when all that the turn brought is known: a connection whose
  // next request has just come is not idle.
  void add(const Connection& newcomer);
  // The address of this one has as many as it may: one that is idle goes, or this one.
  void seek(Connection& connection);
  // It has ended.
  void forget(const Connection& connection);

  // Finds places for those that came when there was none.
  void on_turn_end() {
    if (!newcomers_.empty()) [[unlikely]]
      make_room();
  }

  // --- Of who accepts.

  // No more can be taken, not even to turn them away.
  [[nodiscard]] bool full() const {
    return turned_away_ >= options_.most_turned_away && taken_ >= options_.most;
  }
  // Gives up `count` idle connections at most, for want of descriptors; returns how many.
  size_t give_up_idle(size_t count);
  // Lets go of the descriptors that are kept for this, so that some clients can be taken to be turned away,
  // as all are from now on. False where that is so already.
  bool use_reserve();
  // Takes them back; false as long as that fails, and everyone is turned away.
  bool restore_reserve();
  [[nodiscard]] size_t turned_away() const { return turned_away_; }

 private:
  struct Idle {
    uint64_t since_ms;
    net::SocketId id;
  };
  // Some of those that are idle for the longest: of all, or of one client address.
  struct IdleList {
    std::vector<Idle> found;  // the longest last
    uint64_t group = 0;       // HostAddress::group(); 0: all
    uint64_t look_ms = 0;     // when to look for more
  };

  void make_room();
  bool give_up_one(IdleList& list);
  void find_idle(IdleList& list);
  void turn_away(Connection& connection);

  const net::Loop& loop_;
  const net::SocketTable<Connection>& connections_;
  const ConnectionOptions& options_;
  size_t taken_ = 0;
  size_t turned_away_ = 0;  // those that were, and have not ended
  bool turning_all_away_ = false;
  std::vector<Fd> reserve_;
  std::vector<uint32_t> newcomers_;  // of this turn, for whom there was no place
  IdleList idle_;
  IdleList idle_of_one_;
};

}  // namespace leat::worker

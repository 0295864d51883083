// AddressCounts: how many connections each client address has, on all workers, so that one client cannot take
// them all.
//
// An address is what a client can be told apart by (HostAddress::group): an IPv4 address, or the first
// 64 bits of an IPv6 one, of which a client has all that begin with them.
//
// A connection takes a mutex twice in its life, one of many, so that workers rarely meet; a request takes
// none. Rejected: counters by a hash of the address without a lock, where neighbours by chance would have to
// answer for each other.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

namespace leat::worker {

class AddressCounts {
 public:
  // `most`: connections of one address; `most_when_crowded`: where few places are left.
  AddressCounts(uint64_t most, uint64_t most_when_crowded)
      : most_(most), most_when_crowded_(most_when_crowded) {}
  // Other limits. Who has more than a smaller one keeps what he has.
  void set_limits(uint64_t most, uint64_t most_when_crowded) {
    most_.store(most, std::memory_order_relaxed);
    most_when_crowded_.store(most_when_crowded, std::memory_order_relaxed);
  }
  AddressCounts(const AddressCounts&) = delete;
  AddressCounts& operator=(const AddressCounts&) = delete;

  // Counts one more, and false, with nothing counted, where the address has as many as it may. Group 0, which
  // stands for no address, has no limit.
  [[nodiscard]] bool enter(uint64_t group, bool crowded = false);
  void leave(uint64_t group);

 private:
  struct Part {
    std::mutex mutex;
    std::unordered_map<uint64_t, uint64_t> counts;
  };
  Part& part_of(uint64_t group) { return parts_[group * 0x9e3779b97f4a7c15 >> 58]; }

  std::atomic<uint64_t> most_;
  std::atomic<uint64_t> most_when_crowded_;
  std::array<Part, 64> parts_;
};

}  // namespace leat::worker

// Random: a fast generator for what must be different, and not secret. xoshiro256++ (Blackman and Vigna, 2019).
//
// Seeded by the kernel. Thread: its owner's.
#pragma once

#include <sys/random.h>

#include <array>
#include <bit>
#include <cstdint>

#include "base/clock.h"

namespace leat::middleware {

class Random {
 public:
  Random() {
    if (::getrandom(state_.data(), sizeof state_, 0) == sizeof state_) return;
    // A kernel that has none for us: the time, spread by splitmix64.
    uint64_t seed = monotonic_ns() ^ reinterpret_cast<uintptr_t>(this);
    for (uint64_t& word : state_) {
      seed += 0x9e3779b97f4a7c15;
      uint64_t mixed = (seed ^ (seed >> 30)) * 0xbf58476d1ce4e5b9;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
      word = mixed ^ (mixed >> 31);
    }
  }

  uint64_t next() {
    const uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace leat::middleware

// The clock that everything is timed by: CLOCK_MONOTONIC, which no setting of the date moves.
//
// Workers look once a turn and use that (WorkerContext::now_ns); this is for everyone else. Any thread.
#pragma once

#include <cstdint>
#include <ctime>

namespace leat {

inline uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

inline uint64_t monotonic_ms() { return monotonic_ns() / 1'000'000; }

}  // namespace leat

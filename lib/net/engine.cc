#include "net/engine.h"

#include <ctime>

namespace leat::net {

uint64_t Engine::now_ns() const {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

}  // namespace leat::net

// Usage: what this process has of the machine, by what the kernel says of it (proc(5)).
#pragma once

#include <cstdint>

namespace leat::server {

// Zeros where nothing can be learned.
struct Usage {
  double cpu_seconds = 0;
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_descriptors = 0;
  uint64_t most_descriptors = 0;
  uint64_t threads = 0;
  double started = 0;  // seconds since 1970

  // Without the descriptors, which are counted by listing them.
  static Usage without_descriptors();
  static Usage now();
};

}  // namespace leat::server

#include "http/bytes.h"

#include <sys/random.h>

namespace leat::http {

uint64_t process_seed() {
  static const uint64_t kSeed = [] {
    uint64_t seed = 0;
    // Without entropy this early in a boot a constant is still correct, only aimable.
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) seed = 0x5851f42d4c957f2d;
    return seed;
  }();
  return kSeed;
}

}  // namespace leat::http

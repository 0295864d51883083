#include "base/random_bytes.h"

#include <sys/random.h>

#include <cerrno>

namespace leat {

bool random_bytes(char* to, size_t count) {
  while (count > 0) {
    const ssize_t got = ::getrandom(to, count, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    count -= static_cast<size_t>(got);
  }
  return true;
}

}  // namespace leat

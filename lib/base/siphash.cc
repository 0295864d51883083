#include "base/siphash.h"

#include <sys/random.h>

namespace leat {

SipKey random_sip_key() {
  SipKey key;
  if (::getrandom(&key, sizeof key, GRND_NONBLOCK) != static_cast<ssize_t>(sizeof key))
    key = {reinterpret_cast<uintptr_t>(&key), reinterpret_cast<uintptr_t>(&random_sip_key)};
  return key;
}

}  // namespace leat

#include "base/allocator.h"

// mimalloc's, where that is the allocator: only then is it not null. Its header is not needed, and not there
// in builds with a sanitizer.
extern "C" void mi_collect(bool force) __attribute__((weak));

namespace leat {

void give_memory_back() {
  if (mi_collect != nullptr) mi_collect(true);
}

}  // namespace leat

// Counts the heap allocations of the whole process, wherever they come from: malloc itself is replaced, for
// shared objects too. Only for programs of their own.
#pragma once

#include <cstdint>

namespace leat::test {

// So far, on all threads.
uint64_t heap_allocations();

}  // namespace leat::test

#include "json/allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<size_t> count = 0;

}  // namespace

extern "C" {
void* __real_malloc(size_t size);
void* __real_calloc(size_t number, size_t size);
void* __real_realloc(void* old, size_t size);

void* __wrap_malloc(size_t size) {
  ++count;
  return __real_malloc(size);
}
void* __wrap_calloc(size_t number, size_t size) {
  ++count;
  return __real_calloc(number, size);
}
void* __wrap_realloc(void* old, size_t size) {
  ++count;
  return __real_realloc(old, size);
}
}

// The other forms end in these; a sanitizer's own nothrow one would not.
void* operator new(size_t size, const std::nothrow_t&) noexcept { return std::malloc(size); }
void* operator new(size_t size) {
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace leat::test {

size_t allocations() { return count; }

}  // namespace leat::test

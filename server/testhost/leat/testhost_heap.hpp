// testhost_heap.hpp: with this, Host::fail_allocations_after and for_each_allocation reach a plugin's own
// allocations on the heap. It replaces malloc for the whole program: include it in exactly one source file.
//
// With a sanitizer, whose malloc must stay, and with other C libraries than glibc it replaces operator new
// instead, so that malloc in C never fails.
#ifndef LEAT_TESTHOST_HEAP_HPP
#define LEAT_TESTHOST_HEAP_HPP

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <new>

// Of the library: whether the allocation that its caller was asked for must fail.
extern "C" bool leat_testhost_refuses_heap() noexcept;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define LEAT_TESTHOST_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LEAT_TESTHOST_SANITIZED 1
#endif

#if defined(__GLIBC__) && !defined(LEAT_TESTHOST_SANITIZED)

extern "C" {
void* __libc_malloc(std::size_t size) noexcept;
void* __libc_calloc(std::size_t count, std::size_t size) noexcept;
void* __libc_realloc(void* old, std::size_t size) noexcept;
void* __libc_memalign(std::size_t align, std::size_t size) noexcept;

__attribute__((noinline)) void* malloc(std::size_t size) noexcept {
  if (!leat_testhost_refuses_heap()) return __libc_malloc(size);
  errno = ENOMEM;
  return nullptr;
}
__attribute__((noinline)) void* calloc(std::size_t count, std::size_t size) noexcept {
  if (!leat_testhost_refuses_heap()) return __libc_calloc(count, size);
  errno = ENOMEM;
  return nullptr;
}
__attribute__((noinline)) void* realloc(void* old, std::size_t size) noexcept {
  if (!leat_testhost_refuses_heap()) return __libc_realloc(old, size);
  errno = ENOMEM;
  return nullptr;
}
__attribute__((noinline)) void* aligned_alloc(std::size_t align, std::size_t size) noexcept {
  if (!leat_testhost_refuses_heap()) return __libc_memalign(align, size);
  errno = ENOMEM;
  return nullptr;
}
}

#else

__attribute__((noinline)) void* operator new(std::size_t size) {
  void* memory = leat_testhost_refuses_heap() ? nullptr : std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
__attribute__((noinline)) void* operator new[](std::size_t size) {
  void* memory = leat_testhost_refuses_heap() ? nullptr : std::malloc(size != 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
__attribute__((noinline)) void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return leat_testhost_refuses_heap() ? nullptr : std::malloc(size != 0 ? size : 1);
}
__attribute__((noinline)) void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return leat_testhost_refuses_heap() ? nullptr : std::malloc(size != 0 ? size : 1);
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

#endif

#endif

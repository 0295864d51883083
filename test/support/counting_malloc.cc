// Counts the heap allocations of a whole program from outside, whatever its allocator: preloaded
// (LD_PRELOAD), it stands before malloc and operator new and passes everything on. The count is the first
// eight bytes of the file that ALLOCATION_COUNT names, which a test maps as well.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

using Count = std::atomic<uint64_t>;

Count nowhere;
std::atomic<Count*> count = &nowhere;

[[gnu::constructor]] void open_count() {
  const char* name = std::getenv("ALLOCATION_COUNT");
  if (name == nullptr) return;
  const int file = ::open(name, O_RDWR | O_CLOEXEC);
  if (file < 0) return;
  void* mapped = ::mmap(nullptr, sizeof(Count), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  if (mapped != MAP_FAILED) count = static_cast<Count*>(mapped);
}

template <class Function>
Function* next(const char* name) {
  count.load()->fetch_add(1);
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {
void* malloc(size_t size) {
  static auto* const real = next<void*(size_t)>("malloc");
  count.load()->fetch_add(1);
  return real(size);
}
void* calloc(size_t number, size_t size) {
  static auto* const real = next<void*(size_t, size_t)>("calloc");
  count.load()->fetch_add(1);
  return real(number, size);
}
void* realloc(void* old, size_t size) {
  static auto* const real = next<void*(void*, size_t)>("realloc");
  count.load()->fetch_add(1);
  return real(old, size);
}
void* aligned_alloc(size_t align, size_t size) {
  static auto* const real = next<void*(size_t, size_t)>("aligned_alloc");
  count.load()->fetch_add(1);
  return real(align, size);
}
int posix_memalign(void** memory, size_t align, size_t size) {
  static auto* const real = next<int(void**, size_t, size_t)>("posix_memalign");
  count.load()->fetch_add(1);
  return real(memory, align, size);
}
}

// The mangled names of operator new, as another library has them.
void* operator new(size_t size) {
  static auto* const real = next<void*(size_t)>("_Znwm");
  count.load()->fetch_add(1);
  return real(size);
}
void* operator new[](size_t size) {
  static auto* const real = next<void*(size_t)>("_Znam");
  count.load()->fetch_add(1);
  return real(size);
}
void* operator new(size_t size, const std::nothrow_t& tag) noexcept {
  static auto* const real = next<void*(size_t, const std::nothrow_t&)>("_ZnwmRKSt9nothrow_t");
  count.load()->fetch_add(1);
  return real(size, tag);
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept {
  static auto* const real = next<void*(size_t, const std::nothrow_t&)>("_ZnamRKSt9nothrow_t");
  count.load()->fetch_add(1);
  return real(size, tag);
}
void* operator new(size_t size, std::align_val_t align) {
  static auto* const real = next<void*(size_t, std::align_val_t)>("_ZnwmSt11align_val_t");
  count.load()->fetch_add(1);
  return real(size, align);
}
void* operator new[](size_t size, std::align_val_t align) {
  static auto* const real = next<void*(size_t, std::align_val_t)>("_ZnamSt11align_val_t");
  count.load()->fetch_add(1);
  return real(size, align);
}

// operator new and delete of the daemon and of all its plugins: malloc and free, and std::bad_alloc when
// there is nothing left.
//
// They stand in the program itself, where everything that is loaded finds them first. mimalloc has its own,
// and those end the process when memory is refused, since they are C and cannot throw; a plugin that asks for
// too much shall get the exception that any C++ program gets. The list is complete, so that no form is
// another library's. A sanitizer brings its own, and this file is left out.
#include <algorithm>
#include <cstdlib>
#include <new>

namespace {

// Asks as [new.delete.single] wants it: whoever installed a handler may free something, or throw.
template <class Ask>
void* ask_until_refused(Ask ask) {
  for (;;) {
    if (void* memory = ask()) return memory;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) return nullptr;
    handler();
  }
}

// A size of 0 is a block of its own, too.
void* take(size_t size) {
  return ask_until_refused([size] { return std::malloc(size != 0 ? size : 1); });
}

void* take(size_t size, std::align_val_t align) {
  return ask_until_refused([size, align]() -> void* {
    void* memory = nullptr;
    const size_t least = std::max(static_cast<size_t>(align), sizeof(void*));
    return ::posix_memalign(&memory, least, size != 0 ? size : 1) == 0 ? memory : nullptr;
  });
}

template <class... Align>
void* take_or_throw(size_t size, Align... align) {
  if (void* memory = take(size, align...)) return memory;
  throw std::bad_alloc();
}

template <class... Align>
void* take_or_null(size_t size, Align... align) noexcept {
  try {
    return take(size, align...);
  } catch (...) {
    return nullptr;  // what a handler threw
  }
}

}  // namespace

void* operator new(size_t size) { return take_or_throw(size); }
void* operator new[](size_t size) { return take_or_throw(size); }
void* operator new(size_t size, std::align_val_t align) { return take_or_throw(size, align); }
void* operator new[](size_t size, std::align_val_t align) { return take_or_throw(size, align); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return take_or_null(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return take_or_null(size); }
void* operator new(size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  return take_or_null(size, align);
}
void* operator new[](size_t size, std::align_val_t align, const std::nothrow_t&) noexcept {
  return take_or_null(size, align);
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { std::free(memory); }

// Arena: memory with the lifetime of one request.
//
// A bump allocator over a worker's blocks. Nothing is freed singly; reset() gives everything back at the
// end of the request. Allocations larger than a block come from the allocator and are freed by reset()
// too. Both count against `limit`: past it allocate() returns nullptr, the request gets a 503, and the
// rest of the daemon keeps its memory. Destructors are not run: only trivially destructible objects, or
// objects whose owner destroys them first, may live here.
//
// Belongs to one exchange, used on its worker's thread only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/block_pool.h"

namespace leat {

class Arena {
 public:
  Arena(BlockPool& pool, size_t limit) : pool_(pool), limit_(limit) {}
  ~Arena() { reset(); }
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // `size` bytes, uninitialised, aligned to `align` (a power of two, 16 at most), or nullptr when the limit,
  // the pool or the system says no.
  [[nodiscard]] void* allocate(size_t size, size_t align = alignof(std::max_align_t)) noexcept {
    const uintptr_t at = (cursor_ + (align - 1)) & ~(uintptr_t{align} - 1);
    if (cursor_ != 0 && at <= end_ && size <= end_ - at) {  // no sum that could wrap round
      cursor_ = at + size;
      return reinterpret_cast<void*>(at);
    }
    return allocate_slow(size, align);
  }

  template <class T>
  [[nodiscard]] T* allocate_array(size_t count) noexcept {
    if (count > SIZE_MAX / sizeof(T)) return nullptr;
    return static_cast<T*>(allocate(count * sizeof(T), alignof(T)));
  }

  // A copy of `text`; a view with a null data() when there is no memory (an empty text gives an empty view).
  [[nodiscard]] std::string_view copy(std::string_view text) noexcept {
    if (text.empty()) return std::string_view("", 0);
    char* bytes = static_cast<char*>(allocate(text.size(), 1));
    if (bytes == nullptr) return {};
    std::memcpy(bytes, text.data(), text.size());
    return {bytes, text.size()};
  }

  // Grows the allocation `old` of `old_size` bytes to `size`, in place where it is the newest one.
  [[nodiscard]] void* grow(void* old, size_t old_size, size_t size, size_t align) noexcept;

  void reset() noexcept;
  // As reset(), but keeps the block if there is only one: for the next request that follows at once.
  void rewind() noexcept {
    if (blocks_ == nullptr || blocks_->next != nullptr || large_ != nullptr || refused_) return reset();
    cursor_ = reinterpret_cast<uintptr_t>(blocks_->bytes());
    end_ = cursor_ + Block::capacity();
  }

  // Bytes taken from the pool or the allocator since the last reset().
  [[nodiscard]] size_t footprint() const { return footprint_; }
  [[nodiscard]] size_t limit() const { return limit_; }
  // Whether an allocation has failed since the last reset(), and whether it was for want of anybody's memory
  // and not at this arena's limit.
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] bool pool_was_out() const { return pool_was_out_; }
  void set_limit(size_t limit) { limit_ = limit; }

 private:
  struct Large {
    Large* next;
    size_t size;
  };

  Block* take_block() noexcept;
  void* take_large(size_t size) noexcept;
  void* refuse() noexcept;
  void* allocate_slow(size_t size, size_t align) noexcept;

  BlockPool& pool_;
  uintptr_t cursor_ = 0;  // next free byte of the newest block, 0 while there is none
  uintptr_t end_ = 0;
  Block* blocks_ = nullptr;
  Large* large_ = nullptr;
  size_t footprint_ = 0;
  size_t limit_;
  bool refused_ = false;
  bool pool_was_out_ = false;
};

}  // namespace leat

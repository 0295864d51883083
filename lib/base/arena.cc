#include "base/arena.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace leat {

namespace {

// An allocation past this gets a block to itself, so that at most a quarter of a block is left unused by one
// that did not fit; one past a block comes from the allocator.
constexpr size_t kLargestShared = Block::kSize / 4;

}  // namespace

Block* Arena::take_block() noexcept {
  if (footprint_ + Block::kSize > limit_) return nullptr;
  Block* block = pool_.take();
  if (block == nullptr) {
    pool_was_out_ = true;
    return nullptr;
  }
  block->next = blocks_;
  blocks_ = block;
  footprint_ += Block::kSize;
  pool_.arenas().blocks += 1;
  pool_.arenas().largest.raise_to(footprint_);
  return block;
}

void* Arena::take_large(size_t size) noexcept {
  const size_t total = size + sizeof(Large);
  if (total < size || footprint_ + total > limit_) return nullptr;
  if (!pool_.charge(total)) {
    pool_was_out_ = true;
    return nullptr;
  }
  void* memory = std::malloc(total);
  if (memory == nullptr) {
    pool_.refund(total);
    return nullptr;
  }
  large_ = new (memory) Large{large_, total};
  footprint_ += total;
  pool_.arenas().large += 1;
  pool_.arenas().largest.raise_to(footprint_);
  return large_ + 1;
}

void* Arena::refuse() noexcept {
  refused_ = true;
  pool_.arenas().refused += 1;
  return nullptr;
}

void* Arena::allocate_slow(size_t size, size_t align) noexcept {
  ENSURE(align <= alignof(std::max_align_t));
  if (size > Block::capacity()) {
    void* memory = take_large(size);
    return memory != nullptr ? memory : refuse();
  }
  Block* block = take_block();
  if (block == nullptr) return refuse();
  if (size > kLargestShared && cursor_ != 0) return block->bytes();  // the block in use stays in use
  cursor_ = reinterpret_cast<uintptr_t>(block->bytes());
  end_ = cursor_ + Block::capacity();
  return allocate(size, align);
}

void* Arena::grow(void* old, size_t old_size, size_t size, size_t align) noexcept {
  if (size <= old_size) return old;
  const auto start = reinterpret_cast<uintptr_t>(old);
  if (old != nullptr && start + old_size == cursor_ && size <= end_ - start) {
    cursor_ = start + size;
    return old;
  }
  void* fresh = allocate(size, align);
  if (fresh != nullptr && old_size != 0) std::memcpy(fresh, old, old_size);
  return fresh;
}

void Arena::reset() noexcept {
  pool_.give_all(blocks_);
  blocks_ = nullptr;
  while (large_ != nullptr) {
    Large* next = large_->next;
    pool_.refund(large_->size);
    std::free(large_);
    large_ = next;
  }
  cursor_ = end_ = 0;
  footprint_ = 0;
  refused_ = pool_was_out_ = false;
}

}  // namespace leat

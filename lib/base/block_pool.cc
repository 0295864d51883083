#include "base/block_pool.h"

#include <cstdlib>
#include <new>

#include "base/check.h"

namespace leat {

BlockPool::BlockPool(size_t most, size_t keep) : most_(most), keep_(keep) {}

BlockPool::~BlockPool() {
  ENSURE(out_ == 0);
  while (free_ != nullptr) {
    Block* block = free_;
    free_ = block->next;
    std::free(block);
  }
}

Block* BlockPool::take_fresh() noexcept {
  if (out_ >= most_) return nullptr;
  void* memory = std::malloc(Block::kSize);
  if (memory == nullptr) return nullptr;
  out_ += 1;
  peak_.raise_to(out_);
  return new (memory) Block;
}

void BlockPool::give(Block* block) noexcept {
  ENSURE(out_ > 0);
  out_ -= 1;
  if (idle_ >= keep_) {
    std::free(block);
    return;
  }
  block->next = free_;
  free_ = block;
  idle_ += 1;
}

void BlockPool::give_all(Block* first) noexcept {
  while (first != nullptr) {
    Block* next = first->next;
    give(first);
    first = next;
  }
}

}  // namespace leat

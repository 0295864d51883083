#include "base/block_pool.h"

#include <algorithm>
#include <cstdlib>
#include <new>

#include "base/check.h"

namespace leat {

BlockPool::BlockPool(size_t most, size_t keep) : keep_(keep) { set_most(most); }

BlockPool::BlockPool(size_t most, BlockPool& account) : BlockPool(most, size_t{0}) { account_ = &account; }

BlockPool::~BlockPool() {
  ENSURE(out_ == 0 && charged_ == 0 && elsewhere_.load(std::memory_order_relaxed) == 0);
  while (free_ != nullptr) drop_idle();
}

void BlockPool::drop_idle() noexcept {
  Block* block = free_;
  free_ = block->next;
  idle_ -= 1;
  returned_ += Block::kSize;
  std::free(block);
}

bool BlockPool::has_room(size_t bytes) noexcept {
  const size_t most = most_;
  if (bytes > most) return false;
  const size_t most_used = most - bytes;
  if (used() > most_used && keeper_ != nullptr) keeper_->let_go();
  if (used() > most_used) return false;
  while (free_ != nullptr && used() + idle_ * Block::kSize > most_used) drop_idle();
  return true;
}

// To a pool of another thread, on that thread.
bool BlockPool::lend(size_t bytes) noexcept {
  elsewhere_.fetch_add(bytes, std::memory_order_relaxed);
  if (used() + idle_ * Block::kSize <= most_) return true;
  elsewhere_.fetch_sub(bytes, std::memory_order_relaxed);
  return false;
}

Block* BlockPool::refuse() noexcept {
  refusals_ += 1;
  return nullptr;
}

// There is no idle one.
Block* BlockPool::take_fresh() noexcept {
  if (!has_room(Block::kSize) || (account_ != nullptr && !account_->lend(Block::kSize))) return refuse();
  void* memory = std::malloc(Block::kSize);
  if (memory == nullptr) {
    if (account_ != nullptr) account_->elsewhere_.fetch_sub(Block::kSize, std::memory_order_relaxed);
    return refuse();
  }
  out_ += 1;
  peak_.raise_to(used());
  return new (memory) Block;
}

void BlockPool::give(Block* block) noexcept {
  ENSURE(out_ > 0);
  out_ -= 1;
  if (account_ != nullptr) account_->elsewhere_.fetch_sub(Block::kSize, std::memory_order_relaxed);
  if (idle_ >= keep_) {
    returned_ += Block::kSize;
    std::free(block);
    return;
  }
  block->next = free_;
  free_ = block;
  idle_ += 1;
}

bool BlockPool::charge(size_t bytes) noexcept {
  if (!has_room(bytes) || (account_ != nullptr && !account_->lend(bytes))) {
    refusals_ += 1;
    return false;
  }
  charged_ += bytes;
  peak_.raise_to(used());
  return true;
}

void BlockPool::refund(size_t bytes) noexcept {
  ENSURE(charged_ >= bytes);
  charged_ -= bytes;
  returned_ += bytes;
  if (account_ != nullptr) account_->elsewhere_.fetch_sub(bytes, std::memory_order_relaxed);
}

size_t BlockPool::trim(size_t floor) noexcept {
  const size_t before = idle_;
  const size_t kept = std::max(floor, before / 4);
  while (idle_ > kept) drop_idle();
  return (before - idle_) * Block::kSize;
}

void BlockPool::give_all(Block* first) noexcept {
  while (first != nullptr) {
    Block* next = first->next;
    give(first);
    first = next;
  }
}

}  // namespace leat

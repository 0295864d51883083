// BlockPool: the memory of a worker's requests in transit, in blocks of one size.
//
// Arenas, output queues and the tails of incomplete input all take the same 16 KiB blocks, so that a block
// given back by one is warm in the cache when the next takes it (last in, first out). The pool grows on
// demand up to its bound and never past it: an empty pool is the caller's signal to answer 503 or to stop
// reading, not a reason to allocate. Blocks given back stay in the pool up to `keep`, the rest return to
// the allocator.
//
// One pool belongs to one worker and is used on its thread only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace leat {

// The payload is 16 KiB less this header, so that a block is a whole number of pages. Half the size would
// split a browser's pipelined batch of answers over several sends; twice it would double what a connection
// with one byte queued holds.
struct Block {
  static constexpr size_t kSize = size_t{16} * 1024;
  Block* next = nullptr;
  uint32_t begin = 0;  // first byte in use, an index into bytes()
  uint32_t end = 0;    // one past the last byte in use

  static constexpr size_t capacity() { return kSize - sizeof(Block); }
  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] size_t used() const { return end - begin; }
  [[nodiscard]] size_t room() const { return capacity() - end; }
};

class BlockPool {
 public:
  // `most` blocks can be out at once; `keep` stay in the pool when given back.
  BlockPool(size_t most, size_t keep);
  ~BlockPool();  // every block must be back
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // An empty block (begin == end == 0, next null), or nullptr at the bound or when memory is out.
  [[nodiscard]] Block* take() noexcept {
    if (Block* block = free_) {
      free_ = block->next;
      --idle_;
      ++out_;
      block->next = nullptr;
      block->begin = block->end = 0;
      return block;
    }
    return take_fresh();
  }
  void give(Block* block) noexcept;
  // Gives back a list linked by `next`.
  void give_all(Block* first) noexcept;

  [[nodiscard]] size_t out() const { return out_; }
  [[nodiscard]] size_t idle() const { return idle_; }
  [[nodiscard]] size_t most() const { return most_; }

 private:
  Block* take_fresh() noexcept;

  Block* free_ = nullptr;
  size_t out_ = 0;
  size_t idle_ = 0;
  size_t most_;
  size_t keep_;
};

}  // namespace leat

// BlockPool: the memory of a worker's requests in transit, in blocks of one size.
//
// Arenas, output queues and the tails of incomplete input all take the same 16 KiB blocks, so that a block
// given back by one is warm in the cache when the next takes it (last in, first out). The pool grows on
// demand up to its bound and never past it: an empty pool is the caller's signal to answer 503 or to stop
// reading, not a reason to allocate. Blocks given back stay in the pool up to `keep`, the rest return to
// the allocator.
//
// One pool belongs to one worker and is used on its thread only; what it counts can be read from any.
#pragma once

#include <atomic>
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

// A number that one thread changes and all may read.
class OwnCount {
 public:
  operator size_t() const { return value_.load(std::memory_order_relaxed); }
  OwnCount& operator+=(size_t by) { return set(*this + by); }
  OwnCount& operator-=(size_t by) { return set(*this - by); }
  void raise_to(size_t value) {
    if (value > *this) set(value);
  }

 private:
  OwnCount& set(size_t value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  std::atomic<size_t> value_ = 0;
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
      idle_ -= 1;
      out_ += 1;
      peak_.raise_to(out_);
      block->next = nullptr;
      block->begin = block->end = 0;
      return block;
    }
    return take_fresh();
  }
  void give(Block* block) noexcept;
  // Gives back a list linked by `next`.
  void give_all(Block* first) noexcept;

  // What the arenas on it have taken from it since the start; of allocations larger than a block, how many;
  // how many of either were refused; and the most that one had at a time, in bytes.
  struct ArenaCounts {
    OwnCount blocks, large, refused, largest;

    void add(const ArenaCounts& others) {
      blocks += others.blocks;
      large += others.large;
      refused += others.refused;
      largest.raise_to(others.largest);
    }
  };
  [[nodiscard]] ArenaCounts& arenas() { return arenas_; }
  [[nodiscard]] const ArenaCounts& arenas() const { return arenas_; }

  [[nodiscard]] size_t out() const { return out_; }
  [[nodiscard]] size_t peak() const { return peak_; }  // of out()
  [[nodiscard]] size_t idle() const { return idle_; }
  [[nodiscard]] size_t most() const { return most_; }

 private:
  Block* take_fresh() noexcept;

  Block* free_ = nullptr;
  OwnCount out_, idle_, peak_;
  ArenaCounts arenas_;
  size_t most_;
  size_t keep_;
};

}  // namespace leat

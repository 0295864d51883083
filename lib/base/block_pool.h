// BlockPool: the memory of a worker's requests in transit: blocks of one size, and the account of the rest.
//
// Arenas, output queues and the tails of incomplete input all take the same 16 KiB blocks, so that a block
// given back by one is warm in the cache when the next takes it (last in, first out). What does not fit into
// blocks (a collected body, an exchange) lies in memory of its owner's, who has it counted here: charge()
// before it is taken, refund() when it has gone. So one bound holds for every byte that a peer can cause,
// whoever holds it. The pool grows on demand up to that bound and never past it: an empty pool is the
// caller's signal to answer 503 or to stop reading, not a reason to allocate. Blocks given back stay in the
// pool up to `keep`, the rest return to the allocator; they are counted too, and go when room is short.
//
// One pool belongs to one worker and is used on its thread only; what it counts can be read from any. What a
// request has on another thread is in a pool of its own, for which the worker's is the account: there, adding
// up is atomic. Two threads that ask at the same moment may then both get the last of it: a block too much
// for each thread was found cheaper than a lock.
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
class SingleWriterCount {
 public:
  operator size_t() const { return value_.load(std::memory_order_relaxed); }
  SingleWriterCount& operator+=(size_t by) { return set(*this + by); }
  SingleWriterCount& operator-=(size_t by) { return set(*this - by); }
  void raise_to(size_t value) {
    if (value > *this) set(value);
  }
  SingleWriterCount& set(size_t value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }

 private:
  std::atomic<size_t> value_ = 0;
};

class BlockPool {
 public:
  // Keeps counted memory for later that it can do without.
  class Keeper {
   public:
    virtual void let_go() noexcept = 0;

   protected:
    ~Keeper() = default;
  };

  // For what no peer has a part in, such as the answer to a command.
  static constexpr size_t kUnbounded = SIZE_MAX / Block::kSize;

  // The memory of `most` blocks can be out at once; `keep` blocks stay in the pool when given back.
  BlockPool(size_t most, size_t keep);
  // For one thread beside the worker's: all that it has counts as `account`'s, too, which must outlive it.
  BlockPool(size_t most, BlockPool& account);
  ~BlockPool();  // every block must be back, and every byte refunded
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  // An empty block (begin == end == 0, next null), or nullptr at the bound or when memory is out.
  [[nodiscard]] Block* take() noexcept {
    if (Block* block = free_) {
      free_ = block->next;
      idle_ -= 1;
      out_ += 1;
      peak_.raise_to(used());
      block->next = nullptr;
      block->begin = block->end = 0;
      return block;
    }
    return take_fresh();
  }
  void give(Block* block) noexcept;
  // Gives back a list linked by `next`.
  void give_all(Block* first) noexcept;

  // Counts `bytes` that the caller is about to have elsewhere. False, and nothing is counted, at the bound.
  [[nodiscard]] bool charge(size_t bytes) noexcept;
  void refund(size_t bytes) noexcept;
  // Whether so much could be had now; what the pool keeps is given up for it where that helps.
  [[nodiscard]] bool has_room(size_t bytes) noexcept;
  // Another bound, in blocks. What is out beyond a smaller one stays out until its owners give it back.
  void set_most(size_t most) { most_.set(most * Block::kSize); }
  // Whom to ask when room is short.
  void set_keeper(Keeper* keeper) { keeper_ = keeper; }
  // Gives three quarters of the idle blocks back to the allocator, or all but `floor`. The bytes that went.
  size_t trim(size_t floor) noexcept;

  // What the arenas on it have taken from it since the start; of allocations larger than a block, how many;
  // how many of either were refused; and the most that one had at a time, in bytes.
  struct ArenaCounts {
    SingleWriterCount blocks, large, refused, largest;

    void add(const ArenaCounts& others) {
      blocks += others.blocks;
      large += others.large;
      refused += others.refused;
      largest.raise_to(others.largest);
    }
  };
  [[nodiscard]] ArenaCounts& arenas() { return arenas_; }
  [[nodiscard]] const ArenaCounts& arenas() const { return arenas_; }

  // Blocks.
  [[nodiscard]] size_t out() const { return out_; }
  [[nodiscard]] size_t idle() const { return idle_; }
  // Bytes: of blocks and of what is counted beside them, here and on other threads.
  [[nodiscard]] size_t used() const {
    return out_ * Block::kSize + charged_ + elsewhere_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] size_t charged() const { return charged_; }
  [[nodiscard]] size_t peak() const { return peak_; }  // of used()
  [[nodiscard]] size_t most() const { return most_; }
  // More than half of it is used: who can do with less should. Then more than three quarters: who does not
  // take what was made for them has to go.
  [[nodiscard]] bool is_filling() const { return used() > most_ / 2; }
  [[nodiscard]] bool is_short() const { return used() > most_ - most_ / 4; }
  // How often it has said no.
  [[nodiscard]] size_t refusals() const { return refusals_; }
  // Somebody saw beforehand that there is no room.
  void count_refusal() { refusals_ += 1; }
  // Bytes that have gone back to the allocator, by all owners, since the start.
  [[nodiscard]] size_t returned() const { return returned_; }

 private:
  Block* take_fresh() noexcept;
  Block* refuse() noexcept;
  bool lend(size_t bytes) noexcept;
  void drop_idle() noexcept;

  Block* free_ = nullptr;
  SingleWriterCount out_, idle_, charged_, peak_, refusals_, returned_;
  ArenaCounts arenas_;
  SingleWriterCount most_;
  size_t keep_;
  Keeper* keeper_ = nullptr;
  BlockPool* account_ = nullptr;
  std::atomic<size_t> elsewhere_ = 0;  // of the pools whose account this is
};

}  // namespace leat

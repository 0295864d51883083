// BufferPool: the receive buffers of one engine.
//
// One mapping of equal buffers, handed out last in, first out, so that light traffic goes through few of
// them and their pages are the only ones the system ever provides: an idle daemon is small however many
// buffers it may use.
//
// Thread: the engine's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/error.h"

namespace leat::net {

struct BufferOptions {
  // 512 buffers of 16 KiB: 8 MiB for a worker, touched only as far as traffic needs. Buffers of 4 KiB cost
  // twice the time on pipelined browser requests (10 KB arrive in three pieces and leave in three sends),
  // larger ones gain nothing.
  uint32_t count = 512;       // 1 to 32768
  uint32_t size = 16 * 1024;  // bytes
};

class BufferPool {
 public:
  static constexpr uint32_t kMost = 32768;  // buffer ids have 15 bits in a ring of the kernel

  static Expected<BufferPool> create(const BufferOptions& options);
  BufferPool(BufferPool&& other) noexcept;
  BufferPool& operator=(BufferPool&&) = delete;
  ~BufferPool();

  [[nodiscard]] bool empty() const { return free_.empty(); }
  // Not when empty().
  [[nodiscard]] uint32_t take() {
    const uint32_t id = free_.back();
    free_.pop_back();
    return id;
  }
  void give(uint32_t id) { free_.push_back(id); }

  [[nodiscard]] char* data(uint32_t id) { return memory_ + size_t{id} * size_; }
  [[nodiscard]] uint32_t size() const { return size_; }
  [[nodiscard]] uint32_t count() const { return count_; }

 private:
  BufferPool(char* memory, const BufferOptions& options);
  [[nodiscard]] size_t mapped() const { return size_t{count_} * size_; }

  char* memory_;
  uint32_t size_;
  uint32_t count_;
  std::vector<uint32_t> free_;  // never grows past its first capacity
};

}  // namespace leat::net

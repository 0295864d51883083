#include "net/buffer_pool.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

namespace leat::net {

Expected<BufferPool> BufferPool::create(const BufferOptions& options) {
  if (options.count == 0 || options.count > kMost || options.size == 0)
    return std::unexpected(Error{"receive buffers", EINVAL});
  const size_t bytes = size_t{options.count} * options.size;
  void* memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return system_error("mmap of receive buffers");
  // A huge page for the first byte received would undo the laziness. A kernel that has none refuses, which is
  // as good.
  ::madvise(memory, bytes, MADV_NOHUGEPAGE);
  return BufferPool(static_cast<char*>(memory), options);
}

BufferPool::BufferPool(char* memory, const BufferOptions& options)
    : memory_(memory), size_(options.size), count_(options.count) {
  free_.reserve(count_);
  for (uint32_t id = count_; id-- > 0;) free_.push_back(id);
}

BufferPool::BufferPool(BufferPool&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      size_(other.size_),
      count_(other.count_),
      free_(std::move(other.free_)) {}

BufferPool::~BufferPool() {
  if (memory_ != nullptr) ::munmap(memory_, mapped());
}

}  // namespace leat::net

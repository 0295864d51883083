// CountedText: bytes on the heap that a worker's pool counts, for what outgrows its request's arena or
// outlives it.
//
// Thread: the pool's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/block_pool.h"

namespace leat {

class CountedText {
 public:
  CountedText() = default;
  ~CountedText() { clear(); }
  CountedText(const CountedText&) = delete;
  CountedText& operator=(const CountedText&) = delete;

  // Room for `size` bytes in all. False, and it is as before, when memory is out.
  [[nodiscard]] bool reserve(BlockPool& pool, size_t size) {
    if (size <= room_) return true;
    // Both are there while it moves.
    if (!pool.charge(size)) return false;
    char* const grown = static_cast<char*>(std::realloc(bytes_, size));
    pool.refund(grown != nullptr ? room_ : size);
    if (grown == nullptr) return false;
    pool_ = &pool;
    bytes_ = grown;
    room_ = size;
    return true;
  }
  // Grows by doubling, up to `most` bytes, where there is no room.
  [[nodiscard]] bool append(BlockPool& pool, std::string_view text, size_t most) {
    if (text.size() > most - std::min(most, size_)) return false;
    const size_t needed = size_ + text.size();
    if (needed > room_ && !reserve(pool, std::min(most, std::max(needed, room_ * 2)))) return false;
    return append(text);
  }
  // Into room that was reserved.
  bool append(std::string_view text) {
    if (!text.empty()) std::memcpy(bytes_ + size_, text.data(), text.size());
    size_ += text.size();
    return true;
  }
  // So many bytes of the room were written to, at data().
  void set_size(size_t size) { size_ = size; }
  // Forgets the bytes and keeps the memory, unless it is more than `kept`.
  void reset(size_t kept) {
    size_ = 0;
    if (room_ > kept) clear();
  }
  void clear() {
    if (bytes_ != nullptr) pool_->refund(room_);
    std::free(bytes_);
    bytes_ = nullptr;
    size_ = room_ = 0;
  }
  // Hands the bytes over, with their room and with what the pool counts for that: the caller's to free() and refund.
  [[nodiscard]] char* release(size_t& room) {
    room = std::exchange(room_, 0);
    size_ = 0;
    return std::exchange(bytes_, nullptr);
  }
  void swap(CountedText& other) {
    std::swap(pool_, other.pool_);
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
  }

  [[nodiscard]] char* data() { return bytes_; }
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] std::string_view view() const { return {bytes_, size_}; }

 private:
  BlockPool* pool_ = nullptr;
  char* bytes_ = nullptr;
  size_t size_ = 0;
  size_t room_ = 0;
};

}  // namespace leat

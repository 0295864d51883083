// Input: received bytes that could not be used yet, in one contiguous run.
//
// Holds the beginning of a head that has not arrived whole, and whatever came in while its protocol was not
// reading (a handler has not answered, the peer does not take its answers). Empty most of the time, and
// then without memory. Up to a block's size it lies in one of the worker's blocks, above that in memory that
// the worker's pool counts.
#pragma once

#include <string_view>

#include "base/block_pool.h"

namespace leat::transport {

class Input {
 public:
  explicit Input(BlockPool& blocks) : blocks_(blocks) {}
  ~Input() { clear(); }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;

  // False when memory is out; the input is as before.
  [[nodiscard]] bool append(std::string_view bytes);
  void consume(size_t size);
  void clear();
  [[nodiscard]] bool empty() const { return begin_ == end_; }
  // Memory that it has, in bytes.
  [[nodiscard]] size_t footprint() const { return block_ != nullptr ? Block::kSize : room_; }
  [[nodiscard]] std::string_view view() const { return {data() + begin_, end_ - begin_}; }

 private:
  [[nodiscard]] char* data() const { return block_ != nullptr ? block_->bytes() : large_; }
  bool make_room(size_t size);

  BlockPool& blocks_;
  Block* block_ = nullptr;
  char* large_ = nullptr;
  size_t room_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace leat::transport

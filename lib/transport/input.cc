#include "transport/input.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "base/check.h"

namespace leat::transport {

bool Input::append(std::string_view bytes) {
  if (bytes.empty()) return true;
  if (end_ + bytes.size() > room_ && !make_room(bytes.size())) return false;
  std::memcpy(data() + end_, bytes.data(), bytes.size());
  end_ += bytes.size();
  return true;
}

// Moves what is held to the front, or to larger memory, so that `size` more bytes fit.
bool Input::make_room(size_t size) {
  const std::string_view held = view();
  const size_t needed = held.size() + size;
  if (needed <= room_) {
    std::memmove(data(), held.data(), held.size());
  } else if (needed <= Block::capacity()) {
    ENSURE(room_ == 0);  // a block or larger memory has at least a block's room
    block_ = blocks_.take();
    if (block_ == nullptr) return false;
    room_ = Block::capacity();
  } else {
    const size_t room = std::max(needed, room_ * 2);
    if (!blocks_.charge(room)) return false;
    char* large = static_cast<char*>(std::malloc(room));
    if (large == nullptr) {
      blocks_.refund(room);
      return false;
    }
    if (!held.empty()) std::memcpy(large, held.data(), held.size());
    const size_t held_size = held.size();
    clear();
    large_ = large;
    room_ = room;
    end_ = held_size;
    return true;
  }
  end_ = held.size();
  begin_ = 0;
  return true;
}

void Input::consume(size_t size) {
  ENSURE(size <= end_ - begin_);
  begin_ += size;
  if (begin_ == end_) clear();
}

void Input::clear() {
  if (block_ != nullptr) blocks_.give(block_);
  if (large_ != nullptr) {
    blocks_.refund(room_);
    std::free(large_);
  }
  block_ = nullptr;
  large_ = nullptr;
  room_ = begin_ = end_ = 0;
}

}  // namespace leat::transport

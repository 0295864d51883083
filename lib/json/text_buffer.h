// TextBuffer: one run of bytes in an arena that grows at its end.
//
// Whoever appends asks for room first and then writes at `at`, so that a caller that knows its longest text
// pays for one check. Out of memory is an answer, not an abort: room() is false, and nothing was lost but the
// bytes that did not fit. Owned by the writer that fills it; thread: its arena's.
#pragma once

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/arena.h"

namespace leat::json {

class TextBuffer {
 public:
  explicit TextBuffer(Arena& arena) : arena_(arena) {}
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

  // True when `size` bytes may be written at `at`. False: the arena is full.
  [[nodiscard]] bool room(size_t size) { return static_cast<size_t>(end_ - at) >= size || grow(size); }
  // The caller has room.
  void put(char byte) { *at++ = byte; }
  void put(std::string_view text) {
    if (text.empty()) return;  // whose data() may be null
    std::memcpy(at, text.data(), text.size());
    at += text.size();
  }

  [[nodiscard]] Arena& arena() const { return arena_; }
  [[nodiscard]] char* begin() const { return begin_; }
  [[nodiscard]] char* end() const { return end_; }
  [[nodiscard]] bool empty() const { return at == begin_; }
  [[nodiscard]] char last() const { return at[-1]; }
  [[nodiscard]] std::string_view text() const { return {begin_, static_cast<size_t>(at - begin_)}; }

  char* at = nullptr;  // the next free byte

 private:
  // Most answers fit; doubling from here reaches a block's size in five steps.
  static constexpr size_t kFirstRoom = 512;

  [[nodiscard, gnu::noinline]] bool grow(size_t size) {
    if (begin_ == nullptr && size <= kFirstRoom) {
      begin_ = at = static_cast<char*>(arena_.allocate(kFirstRoom, 1));
      end_ = begin_ == nullptr ? nullptr : begin_ + kFirstRoom;
      return begin_ != nullptr;
    }
    const auto used = static_cast<size_t>(at - begin_);
    const auto have = static_cast<size_t>(end_ - begin_);
    const size_t least = used + size;
    if (least < used) return false;
    size_t wanted = std::max({kFirstRoom, have * 2, least});
    // A block's whole room before memory of its own.
    if (wanted > Block::capacity() && least <= Block::capacity()) wanted = Block::capacity();
    void* grown = arena_.grow(begin_, have, wanted, 1);
    if (grown == nullptr && wanted > least) {
      wanted = least;
      grown = arena_.grow(begin_, have, wanted, 1);
    }
    if (grown == nullptr) return false;
    begin_ = static_cast<char*>(grown);
    at = begin_ + used;
    end_ = begin_ + wanted;
    return true;
  }

  Arena& arena_;
  char* begin_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace leat::json

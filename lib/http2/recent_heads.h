// RecentHeads: header blocks that a connection's client has sent before, and the known heads that they stand for.
//
// A block that changed nothing in the table of fields means the same again for as long as nothing changes it: then it is one comparison
// of a few bytes, and is not decoded, laid out or looked up. Clients that ask for the same thing again send such blocks. Only blocks that
// are a whole request enter, and only where the head is one that is known (http/known_heads.h), with the number that it has then: an entry of
// that table which is another head by now has another.
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/known_heads.h"
#include "http2/priority.h"

namespace leat::http2 {

class RecentHeads {
 public:
  struct Recent {
    http::KnownHead* known = nullptr;
    uint64_t number = 0;  // of that head
    uint64_t epoch = 0;   // of the table of fields
    Priority priority;
    uint8_t size = 0;  // of the block; 0: none
    std::array<char, 37> block{};
  };

  // The head that `block` stands for while the table has that epoch; null: it is to be decoded.
  [[nodiscard]] const Recent* find(std::string_view block, uint64_t epoch) const {
    for (const Recent& each : recent_)
      if (each.size == block.size() && each.epoch == epoch && each.size != 0 &&
          each.known->number == each.number && each.known->size != 0 &&
          std::memcmp(each.block.data(), block.data(), block.size()) == 0)
        return &each;
    return nullptr;
  }
  void note(std::string_view block, uint64_t epoch, http::KnownHead& known, Priority priority) {
    Recent& one = recent_[next_++ % recent_.size()];
    if (block.size() > one.block.size()) return;
    one = {.known = &known,
           .number = known.number,
           .epoch = epoch,
           .priority = priority,
           .size = static_cast<uint8_t>(block.size())};
    block.copy(one.block.data(), block.size());
  }

 private:
  // A page that polls has one or two; each is 72 bytes of every connection.
  std::array<Recent, 2> recent_{};
  uint8_t next_ = 0;
};

}  // namespace leat::http2

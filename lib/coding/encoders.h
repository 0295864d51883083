// Encoders: those of one worker, used again and again.
//
// One for each coding packs what is there all at once, and nobody holds it. Streams are lent one each; a few that
// came back wait for the next ones, with their memory, so that answers in steady state take nothing from the heap. What
// the streams hold is their owners' to count.
//
// Thread: one at a time.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "coding/encoder.h"

namespace leat::coding {

class Encoders {
 public:
  // So many of each coding wait at most. Eight of the largest hold some 10 MiB; where more answers are streamed at a time
  // the next ones take their memory from the allocator, which is a small part of what they cost.
  static constexpr size_t kMostIdle = 8;

  Encoders();
  Encoders(Encoders&&) = default;

  // An encoder for a stream, on which nothing is begun. Null where memory is out.
  [[nodiscard]] std::unique_ptr<Encoder> take(Coding coding);
  void give(Coding coding, std::unique_ptr<Encoder> encoder);

  // `in`, packed, in scratch(); empty where it would be more than `most` bytes or memory is out.
  [[nodiscard]] std::string_view whole(Coding coding, unsigned level, std::string_view in, size_t most);

  // At least so many bytes, good until the next call of scratch() or whole(). Empty where memory is out.
  [[nodiscard]] std::span<char> scratch(size_t size);

 private:
  struct OfCoding {
    std::unique_ptr<Encoder> whole;
    std::vector<std::unique_ptr<Encoder>> idle;
  };
  std::array<OfCoding, kCodings> codings_;
  std::unique_ptr<char[]> scratch_;
  size_t scratch_size_ = 0;
};

}  // namespace leat::coding

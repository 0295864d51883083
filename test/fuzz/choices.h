// Choices: decisions of a fuzz target, drawn from the front of its input. What is left is the payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"

namespace leat::fuzz {

class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : left_(reinterpret_cast<const char*>(data), size) {}

  // A byte of the input; 0 once there is none.
  uint8_t byte() {
    if (left_.empty()) return 0;
    const auto value = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    return value;
  }
  // At most `size` bytes of the input.
  std::string_view take(size_t size) {
    const std::string_view piece = left_.substr(0, size);
    left_.remove_prefix(piece.size());
    return piece;
  }
  [[nodiscard]] std::string_view rest() const { return left_; }
  [[nodiscard]] bool empty() const { return left_.empty(); }

 private:
  std::string_view left_;
};

// One input for a target that is a conversation: `Run` is made with the first byte, plays what the others choose, and has given
// back all memory by then.
template <class Run>
int play(const uint8_t* data, size_t size) {
  Choices choices(data, size);
  Run run(choices.byte());
  run.play(choices);
  run.check_memory();
  return 0;
}

}  // namespace leat::fuzz

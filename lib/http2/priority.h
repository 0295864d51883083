// Priority: which of several answers goes first (RFC 9218, section 4).
#pragma once

#include <cstdint>
#include <string_view>

namespace leat::http2 {

struct Priority {
  static constexpr uint8_t kLevels = 8;
  uint8_t urgency = 3;       // 0 is the most urgent
  bool incremental = false;  // of use in parts: takes turns with others

  // What a priority field says, beside what is so without it. What is not understood says nothing (a dictionary of RFC 9651, of
  // which two keys are known).
  static Priority parse(std::string_view field);

  bool operator==(const Priority&) const = default;
};

}  // namespace leat::http2

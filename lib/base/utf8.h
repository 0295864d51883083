// UTF-8 (RFC 3629), of text that comes from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/shared/plugin_text.hpp"

namespace leat {

// Whether all of it is.
constexpr bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Most of it is ASCII, which is looked through eight bytes at a time.
    if !consteval {
      for (uint64_t eight = 0; text.size() >= sizeof eight; text.remove_prefix(sizeof eight)) {
        std::memcpy(&eight, text.data(), sizeof eight);
        if ((eight & 0x8080808080808080) != 0) break;
      }
      if (text.empty()) break;
    }
    const size_t size = encoding::utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace leat

// UTF-8 (RFC 3629), of text that comes from elsewhere.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/shared/plugin_text.hpp"

namespace leat {

// Whether all of it is.
constexpr bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = encoding::utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

}  // namespace leat

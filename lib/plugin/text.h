// Texts as they cross the plugin interface.
//
// Private to the plugin host.
#pragma once

#include <string_view>

#include "plugin/sdk/plugin.h"

namespace leat::plugin {

inline leat_str to_str(std::string_view text) { return {text.data(), text.size()}; }
// NULL is empty, whatever its length claims to be.
inline std::string_view view(leat_str text) {
  return text.ptr == nullptr ? std::string_view("", 0) : std::string_view(text.ptr, text.len);
}
inline bool is_text(leat_str text) { return text.ptr != nullptr || text.len == 0; }

}  // namespace leat::plugin

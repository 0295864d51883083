// Looking at fields of a request where it matters how many there are.
#pragma once

#include <string_view>

#include "http/message.h"

namespace leat::middleware {

// The one field of its name; a view with a null data() where there is none, or several.
inline std::string_view only_field(const http::Request& request, http::HeaderId id) {
  std::string_view found;
  for (const http::HeaderSlot& slot : request.head().headers()) {
    if (slot.id != id) continue;
    if (found.data() != nullptr) return {};
    found = request.head().view(slot.value);
  }
  return found;
}

}  // namespace leat::middleware

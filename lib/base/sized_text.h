// Sized texts: texts one after the other in one, each as its size in decimal digits, a colon and its bytes. So
// any bytes may be in them, and where each ends needs no agreement.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/text.h"

namespace leat {

inline void put_sized(std::string& into, std::string_view text) {
  into.append(std::to_string(text.size())).append(1, ':').append(text);
}

// The next one, which is then no more in `from`. Nothing, and `from` as it was, where that is not what it begins
// with, whoever wrote it. A view of what `from` views.
inline std::optional<std::string_view> take_sized(std::string_view& from) {
  const size_t colon = from.find(':');
  const auto size = parse_number<size_t>(from.substr(0, colon));
  if (colon == std::string_view::npos || !size || from.size() - colon - 1 < *size) return std::nullopt;
  const std::string_view text = from.substr(colon + 1, *size);
  from.remove_prefix(colon + 1 + *size);
  return text;
}

}  // namespace leat

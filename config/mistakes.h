// Diagnostics that several readers of configuration values give, worded once.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>

#include "base/value.h"
#include "config/codes.h"

namespace leat::config {

// "`log.level` is text in quotes, not an array", at the value.
inline Diagnostic wrong_type(const Value& value, std::string_view key, std::string_view wanted) {
  const std::string_view name = value.type_name();
  const bool vowel = std::string_view("aeiou").contains(name[0]);
  return {.code = kWrongType,
          .message = fmt::format("`{}` is {}, not {} {}", key, wanted, vowel ? "an" : "a", name),
          .place = value.place};
}

}  // namespace leat::config

// What always holds of format_toml(), for the tests and the fuzz target: of any text that is TOML it makes one that says the
// same, has every character of it but blanks and commas, and stays as it is when it is formatted once more.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "config/format.h"
#include "config/toml.h"

namespace leat::test {

// Without all that formatting may add or take away.
inline std::string without_space(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  std::string rest;
  for (const char c : text)
    if (!std::string_view(" \t\r\n,").contains(c)) rest += c;
  return rest;
}

inline bool is_toml(std::string_view text) {
  Diagnostics diagnostics;
  return config::check_toml(text, std::make_shared<const std::string>("x.toml"), diagnostics);
}

// What is wrong with how `text`, which is TOML, is formatted; empty where nothing is.
inline std::string wrong_with_format(std::string_view text) {
  const std::optional<std::string> once = config::format_toml(text);
  if (!once) return "it is not formatted";
  if (!is_toml(*once)) return "it is no TOML any more:\n" + *once;
  if (config::toml_content(*once) != config::toml_content(text)) return "it says another thing:\n" + *once;
  if (without_space(*once) != without_space(text)) return "something is lost:\n" + *once;
  const std::optional<std::string> twice = config::format_toml(*once);
  if (twice != once) return "it changes once more:\n" + *once + "--- into\n" + twice.value_or("nothing\n");
  return {};
}

}  // namespace leat::test

// What stands for a value in TOML without quotes or brackets: numbers, true and false, dates.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <variant>

namespace leat::config {

// A date, a time of day or both: TOML has them, no setting is one.
struct TomlDate {};

using TomlScalar = std::variant<bool, int64_t, double, TomlDate>;

struct TomlComplaint {
  std::string message;
  std::string hint;  // may be empty
};

// `word` is what stands between blanks, commas and brackets (TOML 1.0, "Integer" to "Local Time").
std::expected<TomlScalar, TomlComplaint> parse_toml_scalar(std::string_view word);

// Whether `word` begins as a date does: a time of day may follow it after a blank.
bool is_toml_date(std::string_view word);

}  // namespace leat::config

// TOML files as Values. The only user of toml++.
#pragma once

#include <optional>
#include <string>

#include "base/value.h"

namespace leat::config {

// The top table of the file at `path`, with the place of every key and value, and ${...} in strings replaced.
// What is wrong goes to `diagnostics`, and nothing is returned for a file that cannot be read or is not TOML.
// `from`: where the file is named, the place of a diagnostic about the file itself.
std::optional<Value> read_toml(const std::string& path, const Place& from, Diagnostics& diagnostics);

}  // namespace leat::config

// TOML files as Values. The only user of toml++.
#pragma once

#include <string>

#include "base/value.h"

namespace leat::config {

// The top table of the file at `path`, with the place of every key and value, and ${VARIABLES} in strings
// replaced. What is wrong goes to `diagnostics`; the table is empty where nothing could be read.
Value read_toml(const std::string& path, Diagnostics& diagnostics);

}  // namespace leat::config

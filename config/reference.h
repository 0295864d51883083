// The reference page of the configuration, made from the tables that the loader reads by.
#pragma once

#include <string>

namespace leat::config {

// docs/configuration.md.
std::string reference_markdown();
// The settings as a plain table for a terminal.
std::string reference_text();

}  // namespace leat::config

// Files of keys and passwords: one line for each, read when the configuration is, and again with each reload.
//
// What is wrong with a line is said by its number and never shows the line: it may hold a secret that somebody has put
// there by mistake.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "pipeline/middleware_kind.h"

namespace leat::middleware {

// Reads the file that the option `option` names: `visit(line)` for each but empty ones and those that begin with `#`,
// without the blanks at its ends, says what is wrong with it. False: something was, which is told.
bool read_credential_lines(const pipeline::BuildContext& context, std::string_view option,
                           const std::string& path,
                           const std::function<std::string(std::string_view line)>& visit);

// What is wrong with the name of a user; empty where nothing is. Names stand in logs and header fields.
std::string check_user_name(std::string_view name);

}  // namespace leat::middleware

// `leat version`: what this program is and what it was built with.
#pragma once

#include <string>

#include "server/commands/command_line.h"

namespace leat::server {

std::string version_text(const Command& command);

}  // namespace leat::server

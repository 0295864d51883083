// Commands that load a configuration as a daemon would and show what it comes to, without serving it.
//
// Each returns the exit code, with what is wrong on stderr.
#pragma once

#include "server/commands/command_line.h"

namespace leat::server {

// `leat routes`
int show_routes(const Command& command);
// `leat openapi`
int show_openapi(const Command& command);
// `leat schema`: of the whole configuration; with a file, also of what its plugins ask for.
int show_schema(const Command& command);
// `leat explain`, by the configuration and not by the daemon that runs.
int show_explanation(const Command& command);

}  // namespace leat::server

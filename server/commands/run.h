// `leat run`: serves, under a supervisor where the configuration says so; and `leat plugin run`.
#pragma once

#include "server/commands/command_line.h"

namespace leat::server {

// Until told to stop. The process's exit code.
int run(const Command& command);
// The same with a plugin file in the place of a configuration: whoever writes the plugin sees what crashed, mends it, and
// it is taken up again.
int run_plugin(Command command);

}  // namespace leat::server

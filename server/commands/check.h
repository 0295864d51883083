// `leat check`: whether a configuration would serve.
#pragma once

#include "server/commands/command_line.h"

namespace leat::server {

// Loads all of it, in a process of its own: a plugin may end the one that it is loaded into, and must not be believed
// when it does so with a status that says that all is well. The exit code, with what is wrong on stderr.
int check(const Command& command);

}  // namespace leat::server

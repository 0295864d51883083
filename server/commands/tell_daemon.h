// Commands to the daemon that serves: reload, upgrade, metrics, status and the like are words on its admin socket.
#pragma once

#include <functional>
#include <string_view>

#include "server/commands/command_line.h"

namespace leat::server {

// Sends `words` to the daemon that the configuration, or --socket, leads to. Its answer is printed, or given to `take`
// where there is one. The exit code.
int tell_daemon(const Command& command, std::string_view words,
                const std::function<void(std::string_view)>& take = {});

}  // namespace leat::server

// The commands' end of the admin socket (process/control.h).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::server {

// Sends `command` to the daemon behind the first of `sockets` that one answers at. The exit
// code, after its answer was printed, or was given to `take`, where there is one; kExitNoDaemon, and what was tried on
// stderr, where there is none.
int run_admin_command(const std::vector<std::string>& sockets, std::string_view command,
                      const std::function<void(std::string_view answer)>& take = {});

// All of `bytes`, as either end sends them. False: the other has gone, or takes nothing.
bool send_all(int fd, std::string_view bytes);

}  // namespace leat::server

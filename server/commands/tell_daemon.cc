#include "server/commands/tell_daemon.h"

#include <unistd.h>

#include <cstdio>

#include "config/config.h"
#include "config/diagnostics.h"
#include "server/load.h"
#include "server/process/admin_command.h"
#include "server/process/admin_socket.h"
#include "server/process/exit_code.h"

namespace leat::server {

int tell_daemon(const Command& command, std::string_view words,
                const std::function<void(std::string_view)>& take) {
  if (!command.socket.empty())
    return run_admin_command({command.socket}, words, take) == kExitFine ? kExitFine : kExitFailure;
  auto [config, diagnostics] = config::load(command.file);
  // Relative to the file's folder, as the daemon has it.
  if (config) make_absolute(*config, command.folder);
  const int code = run_admin_command(
      admin_sockets_to_try(config ? config->settings.admin_socket : "", absolute_file(command)), words, take);
  if (code != kExitNoDaemon) return code;
  std::fputs(config::render(diagnostics, ::isatty(STDERR_FILENO) != 0).c_str(), stderr);
  std::fprintf(stderr,
               "leat: the daemon is looked for where `server.admin_socket` of %s says, or by rule: "
               "--socket names another place\n",
               command.file.c_str());
  return kExitFailure;
}

}  // namespace leat::server

// Where the daemon's admin socket is: one rule for the daemon, which makes it, and for the commands, which
// look for it.
//
//   server.admin_socket                 where the configuration names one
//   $RUNTIME_DIRECTORY/admin.sock       under systemd, with RuntimeDirectory=
//   FOLDER/ID.sock                      otherwise. FOLDER is /run/leat-root for root, $XDG_RUNTIME_DIR/leat for others; ID is
//                                       made from the configuration's path, so that several daemons of a user
//                                       each have one, and a command finds that of the file it was given
#pragma once

#include <string>
#include <vector>

namespace leat::server {

struct AdminSocket {
  std::string path;      // empty: there is no folder for one
  bool by_rule = false;  // nobody has named it: that it can't be had is no reason not to serve
};

// `configured` is server.admin_socket, `file` the configuration's absolute path. Makes the folder, private to
// the user.
AdminSocket admin_socket_to_open(const std::string& configured, const std::string& file);
// Where a command is to look, in this order; the last is the packaged unit's.
std::vector<std::string> admin_sockets_to_try(const std::string& configured, const std::string& file);

}  // namespace leat::server

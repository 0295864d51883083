#include "server/process/admin_command.h"

#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/fd.h"
#include "server/process/exit_code.h"

namespace leat::server {

namespace {

// No descriptor, and errno, where nothing answers.
Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return {};
  }
  path.copy(address.sun_path, path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return {};
  return socket;
}

}  // namespace

bool send_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

int run_admin_command(const std::vector<std::string>& sockets, std::string_view command,
                      const std::function<void(std::string_view)>& take) {
  Fd socket;
  std::string tried;
  for (const std::string& path : sockets) {
    socket = connect_to(path);
    if (socket) break;
    tried += fmt::format("leat: no daemon answers at {}: {}\n", path, std::strerror(errno));
  }
  if (!socket) {
    std::fputs(tried.c_str(), stderr);
    return kExitNoDaemon;
  }
  const auto fail = [&](const char* what) {
    std::fprintf(stderr, "leat: %s the daemon: %s\n", what, std::strerror(errno));
    return kExitFailure;
  };
  if (!send_all(socket.get(), std::string(command) + "\n")) return fail("cannot write to");
  std::string answer;
  char piece[4096];
  for (;;) {
    const ssize_t got = ::recv(socket.get(), piece, sizeof piece, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("cannot read from");
    if (got == 0) break;
    answer.append(piece, static_cast<size_t>(got));
  }
  const bool good = answer.starts_with("ok\n");
  if (!good && !answer.starts_with("failed\n")) {
    std::fprintf(stderr, "leat: the daemon hung up without an answer\n");
    return kExitFailure;
  }
  const std::string_view text = std::string_view(answer).substr(answer.find('\n') + 1);
  if (take && good)
    take(text);
  else
    std::fwrite(text.data(), 1, text.size(), good ? stdout : stderr);
  return good ? kExitFine : kExitFailure;
}

}  // namespace leat::server

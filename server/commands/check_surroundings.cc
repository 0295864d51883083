#include "server/commands/check_surroundings.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "base/fd.h"
#include "config/codes.h"
#include "net/listener.h"

namespace leat::server {

namespace {

namespace fs = std::filesystem;

std::string reason(int number) { return std::strerror(number); }

// The process that listens on a unix socket; nothing where none does. It is told without a byte being sent.
std::optional<pid_t> listener_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  path.copy(address.sun_path, path.size());
  const Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  ucred peer{};
  socklen_t size = sizeof peer;
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    return std::nullopt;
  return peer.pid;
}

pid_t parent_of(pid_t process) {
  std::ifstream status(fmt::format("/proc/{}/stat", process));
  std::string text;
  std::getline(status, text);
  // "PID (NAME) STATE PARENT": a name may hold anything.
  const size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(text.substr(name_end + 1));
  char state = 0;
  pid_t parent = 0;
  rest >> state >> parent;
  return parent;
}

fs::path program_of(pid_t process) {
  std::error_code unreadable;
  return fs::read_symlink(fmt::format("/proc/{}/exe", process), unreadable);
}

// What the daemon of this configuration listens on, as far as it can be told: one that answers where it
// would, or that has this process check for it.
class OwnDaemon {
 public:
  explicit OwnDaemon(const std::vector<std::string>& admin_sockets) {
    for (const std::string& path : admin_sockets)
      if (const auto process = listener_of(path)) {
        take(*process);
        // A supervisor has the sockets as well.
        if (const pid_t parent = parent_of(*process); program_of(parent) == program_of(*process))
          take(parent);
      }
    for (pid_t process = parent_of(::getpid()); process > 1; process = parent_of(process)) {
      if (program_of(process) != program_of(::getpid())) break;
      take(process);
    }
  }

  [[nodiscard]] bool listens_on(const net::Address& address) const {
    if (sockets_.empty()) return false;
    if (address.kind == net::Address::Kind::Unix) return listens_on_path(address.host);
    return listens_on_port("/proc/net/tcp", address.port) || listens_on_port("/proc/net/tcp6", address.port);
  }

 private:
  void take(pid_t process) {
    std::error_code unreadable;
    fs::directory_iterator files(fmt::format("/proc/{}/fd", process), unreadable);
    for (; !unreadable && files != fs::directory_iterator(); files.increment(unreadable)) {
      const std::string target = fs::read_symlink(files->path(), unreadable).string();
      if (target.starts_with("socket:[")) sockets_.insert(target.substr(8, target.size() - 9));
    }
  }
  // The kernel's list: "SL LOCAL:PORT REMOTE:PORT STATE TX:RX TR:WHEN RETRNSMT UID TIMEOUT INODE", in hex.
  [[nodiscard]] bool listens_on_port(const char* list, uint16_t port) const {
    std::ifstream lines(list);
    const std::string wanted = fmt::format(":{:04X}", port);
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, local, remote, state, queues, timer, retransmits, user, timeout, inode;
      words >> number >> local >> remote >> state >> queues >> timer >> retransmits >> user >> timeout >>
          inode;
      if (state == "0A" && local.ends_with(wanted) && sockets_.contains(inode)) return true;
    }
    return false;
  }
  // "NUM: REFS PROTOCOL FLAGS TYPE STATE INODE PATH"
  [[nodiscard]] bool listens_on_path(const std::string& path) const {
    std::ifstream lines("/proc/net/unix");
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string number, references, protocol, flags, type, state, inode, found;
      words >> number >> references >> protocol >> flags >> type >> state >> inode >> std::ws;
      std::getline(words, found);
      if (found == path && sockets_.contains(inode)) return true;
    }
    return false;
  }

  std::set<std::string> sockets_;  // inodes, as /proc writes them
};

class Surroundings {
 public:
  Surroundings(const config::Config& config, const std::vector<std::string>& admin_sockets,
               Diagnostics& diagnostics)
      : config_(config), daemon_(admin_sockets), diagnostics_(diagnostics) {}

  void run() {
    for (const config::ListeningSocket& each : config::listening_sockets(config_.settings)) check(each);
    if (const std::string& path = config_.settings.admin_socket; !path.empty())
      check({net::Address{net::Address::Kind::Unix, path, 0}, {}, {}, place_of("server.admin_socket")});
    if (const std::string& file = config_.settings.log.file; !file.empty()) check_log(file);
    for (const std::string& folder : config_.settings.plugin_path) check_folder(folder);
  }

 private:
  using Severity = Diagnostic::Severity;

  void say(Severity severity, config::Code code, std::string message, const Place& place,
           std::string hint = {}) {
    diagnostics_.push_back({severity, code, std::move(message), place, std::move(hint)});
  }
  [[nodiscard]] Place place_of(std::string_view setting) const {
    const auto found = config_.said_at.find(setting);
    return found != config_.said_at.end() ? found->second : Place();
  }

  void check(const config::ListeningSocket& each) {
    if (daemon_.listens_on(each.address)) return;
    const auto free = net::can_listen_on(each.address, each.options);
    if (free) return;
    const int number = free.error().number;
    const bool never = number == ENOTDIR || number == EEXIST || number == EISDIR;
    std::string hint;
    if (number == ENOENT) hint = "its folder is not there; RuntimeDirectory= of a systemd unit makes one";
    if (number == EACCES) hint = "this user may not; the daemon's may, if it is another";
    say(never ? Severity::Error : Severity::Warning, config::kCannotListen,
        fmt::format("cannot listen on {}: {}", each.address.text(), free.error().text()), each.place,
        std::move(hint));
  }

  void check_log(const std::string& file) {
    const Place place = place_of("log.file");
    const auto cannot = [&](Severity severity, const std::string& why, std::string hint = {}) {
      say(severity, config::kLogFile, fmt::format("cannot write the log file `{}`: {}", file, why), place,
          std::move(hint));
    };
    struct stat info;
    if (::stat(file.c_str(), &info) == 0) {
      if (S_ISDIR(info.st_mode)) return cannot(Severity::Error, "it is a folder");
      if (::faccessat(AT_FDCWD, file.c_str(), W_OK, AT_EACCESS) != 0)
        cannot(Severity::Warning, reason(errno), "this user may not; the daemon's may, if it is another");
      return;
    }
    // The daemon makes the folders that are not there (base/log.cc), in the nearest that is.
    fs::path folder = fs::path(file).parent_path();
    while (::stat(folder.c_str(), &info) != 0) {
      if (errno == ENOTDIR) return cannot(Severity::Error, reason(errno));
      if (errno != ENOENT || folder == folder.parent_path()) return cannot(Severity::Warning, reason(errno));
      folder = folder.parent_path();
    }
    if (!S_ISDIR(info.st_mode)) return cannot(Severity::Error, reason(ENOTDIR));
    if (::faccessat(AT_FDCWD, folder.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
      cannot(Severity::Warning, reason(errno), "this user may not; the daemon's may, if it is another");
  }

  void check_folder(const std::string& folder) {
    struct stat info;
    int number = ::stat(folder.c_str(), &info) != 0 ? errno : S_ISDIR(info.st_mode) ? 0 : ENOTDIR;
    if (number == 0 && ::faccessat(AT_FDCWD, folder.c_str(), X_OK, AT_EACCESS) != 0) number = errno;
    if (number != 0)
      say(Severity::Warning, config::kPluginFolder,
          fmt::format("no plugins are found in `{}`: {}", folder, reason(number)),
          place_of("server.plugin_path"));
  }

  const config::Config& config_;
  const OwnDaemon daemon_;
  Diagnostics& diagnostics_;
};

}  // namespace

void check_surroundings(const config::Config& config, const std::vector<std::string>& admin_sockets,
                        Diagnostics& diagnostics) {
  Surroundings(config, admin_sockets, diagnostics).run();
}

}  // namespace leat::server

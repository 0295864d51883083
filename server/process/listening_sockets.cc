#include "server/process/listening_sockets.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"

namespace leat::server {

ListeningSockets::~ListeningSockets() {
  if (owner_ != ::getpid()) return;
  for (const File& file : files_) {
    struct stat status{};
    if (::stat(file.path.c_str(), &status) == 0 && status.st_dev == file.device &&
        status.st_ino == file.inode)
      ::unlink(file.path.c_str());
  }
}

void ListeningSockets::remember_file(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) files_.push_back({path, status.st_dev, status.st_ino});
}

bool ListeningSockets::open(std::span<const config::ListeningSocket> wanted, uint32_t workers) {
  owner_ = ::getpid();
  sockets_.resize(workers);
  for (const config::ListeningSocket& each : wanted) {
    net::Address address = each.address;
    net::ListenOptions options = each.options;
    options.reuse_port = workers > 1;
    const auto fail = [&](const Error& error) {
      log::error("cannot listen on {}: {}", each.address.text(), error.text());
      return false;
    };
    for (uint32_t worker = 0; worker < workers; ++worker) {
      if (worker > 0 && address.kind == net::Address::Kind::Unix) {
        const int copy = ::fcntl(sockets_[0].back().get(), F_DUPFD_CLOEXEC, 0);
        if (copy < 0) return fail({"dup", errno});
        sockets_[worker].emplace_back(copy);
        continue;
      }
      auto socket = net::listen_on(address, options);
      if (!socket) return fail(socket.error());
      // With port 0 the kernel has chosen one: the other workers listen on the same.
      if (auto bound = net::local_address(socket->get())) address.port = bound->port;
      sockets_[worker].push_back(std::move(*socket));
    }
    if (address.kind == net::Address::Kind::Unix) remember_file(address.host);
    addresses_.push_back(address.text());
  }
  return true;
}

}  // namespace leat::server

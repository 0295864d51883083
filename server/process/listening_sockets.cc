#include "server/process/listening_sockets.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/log.h"

namespace leat::server {

ListeningSockets::~ListeningSockets() {
  if (owner_ != ::getpid()) return;
  for (const File& file : files_)
    if (identity_of(file.path) == file.identity) ::unlink(file.path.c_str());
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
      // Several sockets of one port are meant for the workers of one daemon. The kernel would also let another
      // daemon of this user have some, and with them some of the clients.
      if (worker == 0 && options.reuse_port && address.kind != net::Address::Kind::Unix && !options.share_port) {
        net::ListenOptions alone = options;
        alone.reuse_port = false;
        if (const auto free = net::listen_on(address, alone); !free) return fail(free.error());
      }
      auto socket = net::listen_on(address, options);
      if (!socket) return fail(socket.error());
      // With port 0 the kernel has chosen one: the other workers listen on the same.
      if (auto bound = net::local_address(socket->get())) address.port = bound->port;
      sockets_[worker].push_back(std::move(*socket));
    }
    if (address.kind == net::Address::Kind::Unix) files_.push_back({address.host, identity_of(address.host)});
    addresses_.push_back(address.text());
  }
  return true;
}

}  // namespace leat::server

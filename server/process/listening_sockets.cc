#include "server/process/listening_sockets.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/log.h"

namespace leat::server {

ListeningSockets::~ListeningSockets() {
  if (owner_ != ::getpid()) return;
  for (const File& file : files_)
    if (identity_of(file.path) == file.identity) ::unlink(file.path.c_str());
}

namespace {

bool in_a_group(int fd) {
  int reused = 0;
  socklen_t size = sizeof reused;
  return ::getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &reused, &size) == 0 && reused != 0;
}

// One address of one daemon, for all its workers.
class Opening {
 public:
  Opening(const config::ListeningSocket& wanted, uint32_t number,
          std::vector<std::vector<worker::AcceptingSocket>>& sockets)
      : address_(wanted.address), options_(wanted.options), number_(number), sockets_(sockets) {
    options_.reuse_port = sockets.size() > 1;
  }
  [[nodiscard]] const net::Address& address() const { return address_; }

  Expected<void> open(std::vector<Fd> inherited) {
    const bool unix_socket = address_.kind == net::Address::Kind::Unix;
    if (inherited.empty()) {
      if (!unix_socket && options_.reuse_port && !options_.share_port)
        if (auto alone = can_be_had_alone(); !alone) return alone;
      auto first = net::listen_on(address_, options_);
      if (!first) return std::unexpected(first.error());
      inherited.push_back(std::move(*first));
    }
    // With port 0 the kernel has chosen one: the other workers listen on the same.
    if (const auto bound = net::local_address(inherited.front().get())) address_.port = bound->port;
    if (unix_socket || !in_a_group(inherited.front().get())) return share(std::move(inherited.front()));
    // Where there were more workers before, some get several: what waits in them is not lost.
    for (size_t i = 0; i < inherited.size(); ++i)
      sockets_[i % sockets_.size()].push_back({std::move(inherited[i]), number_, false});
    for (size_t worker = inherited.size(); worker < sockets_.size(); ++worker) {
      auto socket = net::listen_on(address_, options_);
      if (!socket) return std::unexpected(socket.error());
      sockets_[worker].push_back({std::move(*socket), number_, false});
    }
    return {};
  }

 private:
  // Several sockets of one port are meant for the workers of one daemon. The kernel would also let another
  // daemon of this user have some, and with them some of the clients.
  [[nodiscard]] Expected<void> can_be_had_alone() const {
    net::ListenOptions alone = options_;
    alone.reuse_port = false;
    const auto free = net::listen_on(address_, alone);
    return free ? Expected<void>() : std::unexpected(free.error());
  }
  Expected<void> share(Fd socket) {
    for (size_t worker = 1; worker < sockets_.size(); ++worker) {
      const int copy = ::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0);
      if (copy < 0) return std::unexpected(Error{"dup", errno});
      sockets_[worker].push_back({Fd(copy), number_, true});
    }
    sockets_[0].push_back({std::move(socket), number_, true});
    return {};
  }

  net::Address address_;
  net::ListenOptions options_;
  uint32_t number_;
  std::vector<std::vector<worker::AcceptingSocket>>& sockets_;
};

}  // namespace

bool ListeningSockets::open(std::span<const config::ListeningSocket> wanted, uint32_t workers,
                            InheritedSockets& inherited) {
  owner_ = ::getpid();
  sockets_.resize(workers);
  for (uint32_t number = 0; number < wanted.size(); ++number) {
    Opening opening(wanted[number], number, sockets_);
    if (const auto opened = opening.open(inherited.take(wanted[number].address)); !opened) {
      const Place& place = wanted[number].place;
      log::error("cannot listen on {}: {}{}", wanted[number].address.text(), opened.error().text(),
                 place.line == 0 ? std::string() : fmt::format(" ({}:{})", *place.file, place.line));
      return false;
    }
    const net::Address& address = opening.address();
    if (address.kind == net::Address::Kind::Unix) files_.push_back({address.host, identity_of(address.host)});
    names_.push_back(wanted[number].address.text());
    addresses_.push_back(address.text());
  }
  inherited.close_others();
  have_kept();
  return true;
}

std::vector<ListeningSockets::Passed> ListeningSockets::to_pass() const {
  std::vector<Passed> passed;
  for (size_t worker = 0; worker < sockets_.size(); ++worker)
    for (const worker::AcceptingSocket& each : sockets_[worker])
      if (!each.shared || worker == 0) passed.push_back({names_[each.number], each.fd.get()});
  return passed;
}

void ListeningSockets::have_kept() const {
  for (const Passed& each : to_pass())
    if (const auto bound = net::local_address(each.fd)) InheritedSockets::keep(*bound, each.fd);
}

void ListeningSockets::disown() {
  close();
  files_.clear();
}

}  // namespace leat::server

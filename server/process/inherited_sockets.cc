#include "server/process/inherited_sockets.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "server/process/notify.h"

namespace leat::server {

namespace {

constexpr int kFirstPassed = 3;  // SD_LISTEN_FDS_START
constexpr int kMostPassed = 4096;

int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  int number = 0;
  if (text == nullptr) return 0;
  const std::string_view all(text);
  const auto [end, wrong] = std::from_chars(all.data(), all.data() + all.size(), number);
  return wrong == std::errc() && end == all.data() + all.size() ? number : 0;
}

bool listens(int fd) {
  int accepts = 0, type = 0;
  socklen_t size = sizeof accepts;
  if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) != 0) return false;
  size = sizeof type;
  return ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && accepts != 0 && type == SOCK_STREAM;
}

// A name in the manager's store, which may hold no colon (FDNAME= of sd_notify(3)).
std::string store_name(const net::Address& address) {
  std::string name = address.text();
  std::ranges::replace(name, ':', '_');
  return name.substr(0, 255);
}

}  // namespace

InheritedSockets InheritedSockets::from_environment() {
  InheritedSockets sockets;
  const bool ours = number_in("LISTEN_PID") == ::getpid();
  const int count = ours ? std::min(number_in("LISTEN_FDS"), kMostPassed) : 0;
  const char* names = std::getenv("LISTEN_FDNAMES");
  std::string_view left = names == nullptr ? std::string_view() : std::string_view(names);
  for (int i = 0; i < count; ++i) {
    const std::string_view name = left.substr(0, left.find(':'));
    left.remove_prefix(std::min(name.size() + 1, left.size()));
    sockets.add(std::string(name), Fd(kFirstPassed + i));
  }
  for (const char* each : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(each);
  return sockets;
}

void InheritedSockets::keep(const net::Address& bound, int fd) {
  notify_manager(fmt::format("FDSTORE=1\nFDNAME={}", store_name(bound)), {&fd, 1});
}

void InheritedSockets::forget(const net::Address& bound) {
  notify_manager(fmt::format("FDSTOREREMOVE=1\nFDNAME={}", store_name(bound)));
}

void InheritedSockets::add(std::string name, Fd fd) {
  const auto address = net::local_address(fd.get());
  if (!address || !listens(fd.get())) {
    log::warn("a descriptor that was passed ({}) is no listening stream socket: it is not used", name);
    return;
  }
  ::fcntl(fd.get(), F_SETFD, FD_CLOEXEC);
  ::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) | O_NONBLOCK);
  sockets_.push_back({std::move(name), *address, std::move(fd)});
}

std::vector<Fd> InheritedSockets::take(const net::Address& wanted) {
  std::vector<Fd> taken;
  const std::string text = wanted.text();
  std::erase_if(sockets_, [&](Socket& socket) {
    if (socket.address != wanted && socket.name != text) return false;
    taken.push_back(std::move(socket.fd));
    return true;
  });
  return taken;
}

void InheritedSockets::close_others() {
  for (const Socket& socket : sockets_) {
    log::warn("a socket on {} was passed, but the configuration does not listen there: it is closed",
              socket.address.text());
    forget(socket.address);
  }
  sockets_.clear();
}

}  // namespace leat::server

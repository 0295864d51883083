// Connected sockets for tests: both ends in this process, closed at the end of the test.
#pragma once

#include <sys/socket.h>

#include <catch2/catch_test_macros.hpp>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "net/listener.h"

namespace leat::net {

struct Pair {
  Fd near;  // the engine's end
  Fd far;   // the test's end
};

inline Pair socket_pair() {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
  return {Fd(pair[0]), Fd(pair[1])};
}

inline Fd listen_on_loopback(const char* address = "127.0.0.1:0") {
  auto fd = listen_on(*Address::parse(address), {});
  REQUIRE(fd.has_value());
  return std::move(*fd);
}

// A connected client of a listening socket; blocking, as test code is.
inline Fd connect_to(int listener) {
  sockaddr_storage to{};
  socklen_t size = sizeof to;
  REQUIRE(::getsockname(listener, reinterpret_cast<sockaddr*>(&to), &size) == 0);
  Fd fd(::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(fd);
  REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&to), size) == 0);
  return fd;
}

inline void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    REQUIRE(sent > 0);
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

// What can be read now, at most `most` bytes.
inline std::string read_some(int fd, size_t most = 65536) {
  std::string bytes(most, '\0');
  const ssize_t size = ::recv(fd, bytes.data(), most, MSG_DONTWAIT);
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

}  // namespace leat::net

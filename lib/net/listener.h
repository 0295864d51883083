// Listening sockets and the addresses they are named by.
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"
#include "base/host_address.h"

namespace leat::net {

// Where to listen: "127.0.0.1:8080", "[::1]:8080", "*:8080" (every address, IPv6 socket that takes IPv4
// too), "localhost:8080" is refused (no name resolution in a daemon's start), "unix:/run/leat/http.sock". An
// address of one link names it: "[fe80::1%eth0]:8080". An IPv4 address that IPv6 wraps is that IPv4 address.
struct Address {
  enum class Kind : uint8_t { Ipv4, Ipv6, Unix };
  Kind kind = Kind::Ipv4;
  std::string host;  // without brackets, "" for every address; the path for Unix; "fe80::1%eth0"
  uint16_t port = 0;

  // On failure a sentence that says what is wrong with `text`.
  static std::expected<Address, std::string> parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  // The kernel has only one of them listened on: one is every address, and the other is, or is one of them, on
  // the same port. For addresses that differ.
  [[nodiscard]] bool overlaps(const Address& other) const;
  bool operator==(const Address&) const = default;
};

struct ListenOptions {
  int backlog = 4096;         // cut by the kernel to net.core.somaxconn
  bool reuse_port = true;     // a socket per worker on one port (TCP)
  bool share_port = false;    // with other daemons, too: for who opens several; listen_on() does not look
  bool defer_accept = false;  // TCP_DEFER_ACCEPT: wake on the first byte, not on the handshake
  uint32_t unix_mode = 0660;  // permission bits of a unix socket's file
  // Whose that file is, by number; none: the process's own. To give it to another user takes CAP_CHOWN, to a group
  // that the process is in takes nothing.
  std::optional<uint32_t> unix_owner = {}, unix_group = {};
  bool operator==(const ListenOptions&) const = default;
};

// A bound and listening socket, non-blocking and close-on-exec; TCP_NODELAY is set and inherited by what it
// accepts. A unix path left over by a dead process is replaced, one that something still answers on is not.
Expected<Fd> listen_on(const Address& address, const ListenOptions& options);

// A TCP socket that has the address and does not listen: nobody connects to it.
Expected<Fd> bind_to(const Address& address, const ListenOptions& options);

// Changes of what it was made with what can be changed while it listens: the backlog and TCP_DEFER_ACCEPT.
Expected<void> listen_anew(int fd, const ListenOptions& options);
// The same for the permissions of a unix socket's file.
Expected<void> set_unix_access(const Address& address, const ListenOptions& options);
// Has a TCP socket that is about to be closed let no new connection begin, so that none comes between the last that is
// accepted and the end, where it would be reset. Not for one that others accept on.
Expected<void> refuse_newcomers(int fd);
// Whether listen_on() would succeed now, without anybody being able to connect, and without changing anything.
Expected<void> can_listen_on(const Address& address, const ListenOptions& options);

// The address a socket is bound to (the port the kernel chose for port 0).
Expected<Address> local_address(int fd);

// The peer of an accepted socket; none when it has gone already.
HostAddress peer_of(int fd);

}  // namespace leat::net

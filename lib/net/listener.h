// Listening sockets and the addresses they are named by.
#pragma once

#include <array>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/fd.h"

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
};

// A bound and listening socket, non-blocking and close-on-exec; TCP_NODELAY is set and inherited by what it
// accepts. A unix path left over by a dead process is replaced, one that something still answers on is not.
Expected<Fd> listen_on(const Address& address, const ListenOptions& options);

// Whether listen_on() would succeed now, without anybody being able to connect, and without changing anything.
Expected<void> can_listen_on(const Address& address, const ListenOptions& options);

// The address a socket is bound to (the port the kernel chose for port 0).
Expected<Address> local_address(int fd);

// The peer of an accepted socket.
struct PeerAddress {
  std::array<char, 46> bytes;  // text without a port: "192.0.2.1", "2001:db8::1", "unix:"
  uint8_t size = 0;            // 0 when the peer has gone already
  // Tells clients apart: the IPv4 address, or the first 64 bits of an IPv6 one, since who has one has all
  // that begin with them (RFC 6177). 0 for none: a unix socket, or a peer that has gone.
  uint64_t group = 0;
  [[nodiscard]] std::string_view text() const { return {bytes.data(), size}; }
};
PeerAddress peer_of(int fd);

}  // namespace leat::net

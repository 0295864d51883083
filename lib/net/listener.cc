#include "net/listener.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <span>
#include <utility>

#include "base/text.h"

namespace leat::net {

namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr size_t kLongestPath = sizeof(sockaddr_un::sun_path) - 1;

// How long the kernel keeps a connection that has not sent a byte before it hands it over after all. Shorter
// than the time a client has for its head, so that such a connection is still answered with 408.
constexpr int kDeferAcceptSeconds = 5;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = sizeof(sockaddr_storage);

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  template <class T>
  T& as() {
    return reinterpret_cast<T&>(storage);
  }
};

std::unexpected<std::string> refuse(std::string text) { return std::unexpected(std::move(text)); }

std::expected<Address, std::string> parse_unix(std::string_view path) {
  if (path.empty()) return refuse("`unix:` needs the path of a socket, such as unix:/run/leat/http.sock");
  if (path.contains('\0')) return refuse("the path of a unix socket cannot hold a NUL byte");
  if (path.ends_with('/')) return refuse(fmt::format("`{}` is a folder, and no path of a socket", path));
  if (path.size() > kLongestPath)
    return refuse(fmt::format("the path of a unix socket is {} bytes at most, this one has {}", kLongestPath,
                              path.size()));
  return Address{Address::Kind::Unix, std::string(path), 0};
}

// Writes `host` as the system would, so that two spellings of one address compare equal.
bool normalise(int family, std::string& host) {
  in6_addr binary;
  char text[INET6_ADDRSTRLEN];
  if (::inet_pton(family, host.c_str(), &binary) != 1) return false;
  host = ::inet_ntop(family, &binary, text, sizeof text);
  return true;
}

// What stands before the name of the link, where there is one.
std::string_view without_zone(std::string_view host) { return host.substr(0, host.find('%')); }

// The IPv6 address between brackets, or what is wrong with it.
std::expected<Address, std::string> parse_ipv6(std::string_view text, uint16_t port) {
  const std::string_view zone = text.substr(without_zone(text).size());
  std::string host(without_zone(text));
  if (!normalise(AF_INET6, host)) return refuse(fmt::format("`{}` is not an IPv6 address", host));
  in6_addr binary;
  ::inet_pton(AF_INET6, host.c_str(), &binary);
  if (IN6_IS_ADDR_MULTICAST(&binary))
    return refuse(fmt::format("`{}` is the address of a group, which nobody can connect to", host));
  if (IN6_IS_ADDR_LINKLOCAL(&binary)) {
    if (zone.size() < 2 || zone.size() > IF_NAMESIZE)
      return refuse(fmt::format("`{}` is an address of one link: name its interface, as in [{}%eth0]:{}",
                                host, host, port));
  } else if (!zone.empty()) {
    return refuse(fmt::format("`{}` is not an address of one link: leave `{}` out", host, zone));
  }
  if (IN6_IS_ADDR_V4MAPPED(&binary)) {
    char four[INET_ADDRSTRLEN];
    return Address{Address::Kind::Ipv4, ::inet_ntop(AF_INET, &binary.s6_addr[12], four, sizeof four), port};
  }
  return Address{Address::Kind::Ipv6, host + std::string(zone), port};
}

SocketAddress to_system(const Address& address) {
  SocketAddress out;
  if (address.kind == Address::Kind::Unix) {
    auto& to = out.as<sockaddr_un>();
    to.sun_family = AF_UNIX;
    address.host.copy(to.sun_path, kLongestPath);
    out.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address.host.size() + 1);
  } else if (address.kind == Address::Kind::Ipv6) {
    auto& to = out.as<sockaddr_in6>();
    to.sin6_family = AF_INET6;
    to.sin6_port = htons(address.port);
    to.sin6_addr = in6addr_any;
    if (const size_t zone = address.host.find('%'); zone != std::string::npos)
      to.sin6_scope_id = ::if_nametoindex(address.host.c_str() + zone + 1);
    if (!address.host.empty())
      ::inet_pton(AF_INET6, std::string(without_zone(address.host)).c_str(), &to.sin6_addr);
    out.size = sizeof(sockaddr_in6);
  } else {
    auto& to = out.as<sockaddr_in>();
    to.sin_family = AF_INET;
    to.sin_port = htons(address.port);
    ::inet_pton(AF_INET, address.host.empty() ? "0.0.0.0" : address.host.c_str(), &to.sin_addr);
    out.size = sizeof(sockaddr_in);
  }
  return out;
}

Expected<void> set_option(int fd, int level, int option, int value, const char* what) {
  if (::setsockopt(fd, level, option, &value, sizeof value) != 0) return system_error(what);
  return {};
}

Expected<void> set_tcp_options(int fd, const Address& address, const ListenOptions& options) {
  return set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR")
      .and_then([&] { return set_option(fd, SOL_SOCKET, SO_REUSEPORT, options.reuse_port, "SO_REUSEPORT"); })
      .and_then([&] { return set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"); })
      .and_then([&]() -> Expected<void> {
        if (!options.defer_accept) return {};
        return set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, kDeferAcceptSeconds, "TCP_DEFER_ACCEPT");
      })
      .and_then([&]() -> Expected<void> {
        if (address.kind != Address::Kind::Ipv6) return {};
        // Only `*` takes IPv4 too: `[::]:80` and `0.0.0.0:80` may stand beside each other.
        return set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address.host.empty(), "IPV6_V6ONLY");
      });
}

Expected<Fd> bind_tcp(const Address& address, const ListenOptions& options) {
  const int family = address.kind == Address::Kind::Ipv6 ? AF_INET6 : AF_INET;
  Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  if (auto set = set_tcp_options(fd.get(), address, options); !set) return std::unexpected(set.error());
  SocketAddress where = to_system(address);
  if (address.host.contains('%') && where.as<sockaddr_in6>().sin6_scope_id == 0)
    return std::unexpected(Error{"bind: there is no such interface", ENODEV});
  if (::bind(fd.get(), where.get(), where.size) != 0) return system_error("bind");
  return fd;
}

}  // namespace

Expected<void> set_unix_access(const Address& address, const ListenOptions& options) {
  if (options.unix_owner || options.unix_group) {
    constexpr auto kAsItIs = static_cast<uint32_t>(-1);
    if (::lchown(address.host.c_str(), options.unix_owner.value_or(kAsItIs),
                 options.unix_group.value_or(kAsItIs)) != 0)
      return system_error("chown");
  }
  if (::chmod(address.host.c_str(), options.unix_mode) != 0) return system_error("chmod");
  return {};
}

namespace {

// Whether what lies at the path is the socket of a process that is gone.
Expected<void> is_stale(SocketAddress& where) {
  const char* path = where.as<sockaddr_un>().sun_path;
  struct stat info;
  if (::lstat(path, &info) != 0) return system_error("lstat");
  if (!S_ISSOCK(info.st_mode)) return std::unexpected(Error{"bind: the path is not a socket", EEXIST});
  const Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!probe) return system_error("socket");
  if (::connect(probe.get(), where.get(), where.size) == 0 || errno != ECONNREFUSED)
    return std::unexpected(Error{"bind", EADDRINUSE});
  return {};
}

// Removes the socket of a process that is gone. Whatever else lies at the path, or is still answered on,
// stays.
Expected<void> remove_stale(SocketAddress& where) {
  if (auto stale = is_stale(where); !stale) return stale;
  if (::unlink(where.as<sockaddr_un>().sun_path) != 0 && errno != ENOENT) return system_error("unlink");
  return {};
}

Expected<void> can_listen_unix(const Address& address) {
  SocketAddress where = to_system(address);
  struct stat info;
  if (::lstat(address.host.c_str(), &info) == 0) {
    if (auto stale = is_stale(where); !stale) return stale;
  } else if (errno != ENOENT) {
    return system_error("bind");
  }
  // Its folder has to be there, and to take a new file.
  const size_t slash = address.host.rfind('/');
  const std::string folder = slash == std::string::npos ? "."
                             : slash == 0               ? "/"
                                                        : address.host.substr(0, slash);
  if (::stat(folder.c_str(), &info) != 0) return system_error("bind");
  if (!S_ISDIR(info.st_mode)) return std::unexpected(Error{"bind", ENOTDIR});
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return system_error("bind");
  return {};
}

Expected<Fd> listen_unix(const Address& address, const ListenOptions& options) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("socket");
  // On the socket, the mode holds from the moment the file appears; the process's umask still narrows it,
  // which the chmod() below undoes.
  if (::fchmod(fd.get(), options.unix_mode) != 0) return system_error("fchmod");
  SocketAddress where = to_system(address);
  if (::bind(fd.get(), where.get(), where.size) != 0) {
    if (errno != EADDRINUSE) return system_error("bind");
    if (auto removed = remove_stale(where); !removed) return std::unexpected(removed.error());
    if (::bind(fd.get(), where.get(), where.size) != 0) return system_error("bind");
  }
  // Nobody can connect before listen(): there is no moment in which it is somebody else's.
  if (auto set = set_unix_access(address, options); !set) return std::unexpected(set.error());
  if (::listen(fd.get(), options.backlog) != 0) return system_error("listen");
  return fd;
}

HostAddress host_of(SocketAddress& from) {
  if (from.storage.ss_family == AF_UNIX) return HostAddress::unix_socket();
  if (from.storage.ss_family == AF_INET) {
    const in_addr& four = from.as<sockaddr_in>().sin_addr;
    return HostAddress::ipv4(std::span<const uint8_t, 4>(reinterpret_cast<const uint8_t*>(&four), 4));
  }
  if (from.storage.ss_family == AF_INET6)
    return HostAddress::ipv6(std::span<const uint8_t, 16>(from.as<sockaddr_in6>().sin6_addr.s6_addr));
  return {};
}

}  // namespace

std::expected<Address, std::string> Address::parse(std::string_view text) {
  if (text.starts_with(kUnixPrefix)) return parse_unix(text.substr(kUnixPrefix.size()));
  if (const size_t scheme = text.find("://"); scheme != text.npos) {
    const std::string_view rest = text.substr(scheme + 3);
    const std::string_view host = rest.substr(0, rest.find('/'));
    if (text.substr(0, scheme) == "https")
      return refuse(fmt::format(
          "`{}` is a URL: TLS is spoken where a [[listener]] has `tls = true` beside its address", text));
    return refuse(fmt::format("`{}` is a URL: write {}{}", text, host.empty() ? "127.0.0.1" : host,
                              host.rfind(':') == host.npos || host.ends_with(']') ? ":80" : ""));
  }
  const auto quoted = [text] { return std::string(text); };
  const size_t colon = text.rfind(':');
  if (colon == text.npos || text.ends_with(']'))
    return refuse(
        fmt::format("`{}` lacks a port: write 127.0.0.1:8080, [::1]:8080, *:8080 or unix:/path", quoted()));

  const std::string_view digits = text.substr(colon + 1);
  const auto port = parse_number<uint16_t>(digits);
  if (!port) return refuse(fmt::format("`{}` is not a port: write a number from 0 to 65535", digits));

  Address address{Kind::Ipv4, std::string(text.substr(0, colon)), *port};
  if (address.host.empty())
    return refuse(fmt::format("`{}` lacks an address: write *:{} for every address", quoted(), *port));
  if (address.host == "*") return Address{Kind::Ipv6, "", *port};
  if (address.host.starts_with('[') && address.host.ends_with(']'))
    return parse_ipv6(std::string_view(address.host).substr(1, address.host.size() - 2), *port);
  if (normalise(AF_INET, address.host)) {
    in_addr binary;
    ::inet_pton(AF_INET, address.host.c_str(), &binary);
    if (IN_MULTICAST(ntohl(binary.s_addr)) || binary.s_addr == INADDR_BROADCAST)
      return refuse(fmt::format("`{}` is the address of a group, which nobody can connect to", address.host));
    return address;
  }
  if (address.host.contains(':'))
    return refuse(fmt::format("`{}`: an IPv6 address goes in brackets, as in [::1]:8080", quoted()));
  return refuse(fmt::format("`{}` is not an IP address (names are not looked up): write 127.0.0.1:{} or *:{}",
                            address.host, *port, *port));
}

std::string Address::text() const {
  if (kind == Kind::Unix) return std::string(kUnixPrefix) + host;
  if (host.empty()) return fmt::format("*:{}", port);
  return kind == Kind::Ipv6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

bool Address::overlaps(const Address& other) const {
  if (kind == Kind::Unix || other.kind == Kind::Unix || port != other.port || port == 0) return false;
  const auto holds = [](const Address& all, const Address& one) {
    if (all.host.empty()) return true;  // of both families
    if (all.kind != one.kind) return false;
    return all.host == (all.kind == Kind::Ipv6 ? "::" : "0.0.0.0");
  };
  return holds(*this, other) || holds(other, *this);
}

Expected<Fd> listen_on(const Address& address, const ListenOptions& options) {
  if (address.kind == Address::Kind::Unix) return listen_unix(address, options);
  auto fd = bind_to(address, options);
  if (fd && ::listen(fd->get(), options.backlog) != 0) return system_error("listen");
  return fd;
}

Expected<Fd> bind_to(const Address& address, const ListenOptions& options) {
  auto fd = bind_tcp(address, options);
  // Every address of a machine without IPv6 is every IPv4 address.
  if (!fd && fd.error().number == EAFNOSUPPORT && address.kind == Address::Kind::Ipv6 && address.host.empty())
    return bind_tcp({Address::Kind::Ipv4, "", address.port}, options);
  return fd;
}

Expected<void> can_listen_on(const Address& address, const ListenOptions& options) {
  if (address.kind == Address::Kind::Unix) return can_listen_unix(address);
  // A socket that is bound and does not listen takes no client. That it is bound for a moment keeps nobody from
  // binding: only one that listens does.
  ListenOptions alone = options;
  alone.reuse_port = options.share_port;
  const auto bound = bind_to(address, alone);
  return bound ? Expected<void>() : std::unexpected(bound.error());
}

Expected<void> listen_anew(int fd, const ListenOptions& options) {
  int family = AF_UNSPEC;
  socklen_t size = sizeof family;
  if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0) return system_error("SO_DOMAIN");
  if (::listen(fd, options.backlog) != 0) return system_error("listen");
  if (family == AF_UNIX) return {};
  return set_option(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, options.defer_accept ? kDeferAcceptSeconds : 0,
                    "TCP_DEFER_ACCEPT");
}

// By a filter for what comes to the socket (socket(7), SO_ATTACH_FILTER), which sees the TCP header: what begins a
// connection has SYN and not ACK, and is dropped. Its sender tries again, and finds nobody then.
Expected<void> refuse_newcomers(int fd) {
  constexpr uint32_t kFlagsAt = 13, kSyn = 0x02, kAck = 0x10;
  sock_filter steps[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kFlagsAt),
                         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, kSyn | kAck),
                         BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kSyn, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
                         BPF_STMT(BPF_RET | BPF_K, UINT32_MAX)};
  const sock_fprog program{.len = std::size(steps), .filter = steps};
  if (::setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) != 0)
    return system_error("SO_ATTACH_FILTER");
  return {};
}

Expected<Address> local_address(int fd) {
  SocketAddress from;
  if (::getsockname(fd, from.get(), &from.size) != 0) return system_error("getsockname");
  const HostAddressText host = host_of(from).text();
  switch (from.storage.ss_family) {
    case AF_UNIX:
      return Address{Address::Kind::Unix, from.as<sockaddr_un>().sun_path, 0};
    case AF_INET:
      return Address{Address::Kind::Ipv4, std::string(host.view()), ntohs(from.as<sockaddr_in>().sin_port)};
    case AF_INET6:
      break;
    default:
      return std::unexpected(Error{"getsockname: unknown family", EAFNOSUPPORT});
  }
  Address address{Address::Kind::Ipv6, "", ntohs(from.as<sockaddr_in6>().sin6_port)};
  int only_six = 1;
  socklen_t size = sizeof only_six;
  if (::getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only_six, &size) != 0) return system_error("IPV6_V6ONLY");
  const bool any = IN6_IS_ADDR_UNSPECIFIED(&from.as<sockaddr_in6>().sin6_addr);
  if (!any || only_six != 0) address.host = host.view();
  char link[IF_NAMESIZE];
  const uint32_t scope = from.as<sockaddr_in6>().sin6_scope_id;
  if (scope != 0 && ::if_indextoname(scope, link) != nullptr) address.host += fmt::format("%{}", link);
  return address;
}

HostAddress peer_of(int fd) {
  SocketAddress from;
  if (::getpeername(fd, from.get(), &from.size) != 0) return {};
  return host_of(from);
}

}  // namespace leat::net

#include "client/upstream.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>
#include <optional>

#include "base/text.h"
#include "transport/tls/client.h"

namespace leat::client {

namespace {

constexpr size_t kMostAddresses = 16;

std::expected<Upstream::Addresses, std::string> look_up(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int failed = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); failed != 0)
    return std::unexpected(fmt::format("`{}` has no address: {}", host, ::gai_strerror(failed)));
  Upstream::Addresses addresses;
  for (const addrinfo* each = found; each != nullptr && addresses.size() < kMostAddresses;
       each = each->ai_next) {
    if (each->ai_addrlen > sizeof(sockaddr_storage)) continue;
    Upstream::SocketAddress& address = addresses.emplace_back();
    std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
    address.size = each->ai_addrlen;
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return std::unexpected(fmt::format("`{}` has no address", host));
  return addresses;
}

constexpr size_t kMostPath = sizeof(sockaddr_un::sun_path) - 1;

Upstream::Addresses unix_address(const std::string& path) {
  Upstream::SocketAddress address;
  auto& name = reinterpret_cast<sockaddr_un&>(address.storage);
  name.sun_family = AF_UNIX;
  path.copy(name.sun_path, path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return {address};
}

bool is_number(const std::string& host) {
  in6_addr ignored;
  return ::inet_pton(AF_INET, host.c_str(), &ignored) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), &ignored) == 1;
}

bool is_host(std::string_view host) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
  return !host.empty() && host.size() <= 253 && host.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

std::expected<std::shared_ptr<Upstream>, std::string> Upstream::open(std::string_view url,
                                                                     const UpstreamOptions& options) {
  auto upstream = parse(url, options);
  if (!upstream) return upstream;
  auto addresses = (*upstream)->resolve();
  if (!addresses) return std::unexpected(std::move(addresses.error()));
  (*upstream)->addresses_ = std::make_shared<const Addresses>(std::move(*addresses));
  return upstream;
}

std::expected<Upstream::Addresses, std::string> Upstream::resolve() const {
  if (!path_.empty()) return unix_address(path_);
  return look_up(host_, port_);
}

std::expected<std::shared_ptr<Upstream>, std::string> Upstream::parse(std::string_view url,
                                                                      const UpstreamOptions& options) {
  std::shared_ptr<Upstream> upstream(new Upstream(url, options));
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kHttp = "http://", kHttps = "https://", kHttp2 = "h2c://";
  if (url.starts_with(kUnix)) {
    upstream->authority_ = "localhost";
    upstream->path_ = url.substr(kUnix.size());
    if (upstream->path_.empty() || upstream->path_.size() > kMostPath)
      return std::unexpected(fmt::format("the path of a unix socket has 1 to {} bytes", kMostPath));
    return upstream;
  }
  const bool secure = url.starts_with(kHttps);
  std::string_view rest;
  for (const std::string_view scheme : {kHttp, kHttps, kHttp2})
    if (url.starts_with(scheme)) rest = url.substr(scheme.size());
  if (rest.data() == nullptr)
    return std::unexpected(
        "an upstream is http://HOST[:PORT], https://HOST[:PORT], h2c://HOST[:PORT] or unix:/PATH");
  if (url.starts_with(kHttp2)) upstream->options_.protocol = UpstreamProtocol::Http2;
  if (rest.ends_with('/')) rest.remove_suffix(1);
  if (rest.contains('/') || rest.contains('?') || rest.contains('#') || rest.contains('@'))
    return std::unexpected("an upstream is a host and a port; paths belong to its requests");
  std::string_view host = rest;
  std::string_view port;
  if (rest.starts_with('[')) {
    const size_t end = rest.find(']');
    if (end == std::string_view::npos) return std::unexpected("the `[` of the address has no `]`");
    host = rest.substr(1, end - 1);
    port = rest.substr(end + 1);
  } else if (const size_t colon = rest.rfind(':'); colon != std::string_view::npos) {
    host = rest.substr(0, colon);
    port = rest.substr(colon);
  }
  if (!is_host(host) || (host.contains(':') && !rest.starts_with('[')))
    return std::unexpected(fmt::format("`{}` is not a host", host));
  std::optional<uint16_t> number = secure ? 443 : 80;
  if (!port.empty()) number = port[0] == ':' ? parse_number<uint16_t>(port.substr(1)) : std::nullopt;
  if (!number || *number == 0)
    return std::unexpected(fmt::format("`{}` is not a port", port.substr(port[0] == ':' ? 1 : 0)));
  upstream->authority_ = rest;
  upstream->port_ = std::to_string(*number);
  upstream->host_ = host;
  upstream->named_ = !is_number(upstream->host_);
  upstream->secure_ = secure;
  if (!secure || upstream->options_.transport) return upstream;
  std::vector<std::string> protocols;
  if (upstream->options_.protocol != UpstreamProtocol::Http1) protocols.emplace_back("h2");
  if (upstream->options_.protocol != UpstreamProtocol::Http2) protocols.emplace_back("http/1.1");
  auto transport = tls::client_transports(upstream->host_, std::move(protocols));
  if (!transport) return std::unexpected(std::move(transport.error()));
  upstream->options_.transport = std::move(*transport);
  return upstream;
}

std::shared_ptr<const Upstream::Addresses> Upstream::addresses() const {
  const std::scoped_lock lock(mutex_);
  return addresses_;
}

bool Upstream::refresh_due(uint64_t now_ms) {
  if (!named_) return false;
  uint64_t last = resolved_ms_.load(std::memory_order_relaxed);
  if (last == 0) {  // the first use since it was opened
    resolved_ms_.compare_exchange_strong(last, now_ms, std::memory_order_relaxed);
    return false;
  }
  return now_ms >= last + options_.refresh_ms &&
         resolved_ms_.compare_exchange_strong(last, now_ms, std::memory_order_relaxed);
}

void Upstream::refresh() {
  auto found = resolve();
  if (!found) return;
  auto fresh = std::make_shared<const Addresses>(std::move(*found));
  const std::scoped_lock lock(mutex_);
  addresses_ = std::move(fresh);
}

}  // namespace leat::client

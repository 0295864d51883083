// Upstream: a server that fetches go to, by address, with the limits of what is asked of it.
//
// Named once, when the configuration is loaded: a handler cannot be talked into sending requests elsewhere,
// and the names are resolved where nobody waits for it. refresh() resolves again, on a thread that may block.
//
// A connection to it may go over a transport of the options'; one to https goes over TLS (transport/tls/client.h).
//
// Thread: any, once it was made.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "transport/transport.h"

namespace leat::client {

// Which it is spoken to by.
enum class UpstreamProtocol : uint8_t {
  Any,    // over TLS HTTP/2 where the server has it, else HTTP/1.1
  Http1,  // HTTP/1.1 alone
  Http2   // HTTP/2 alone, in the clear by prior knowledge
};

struct UpstreamOptions {
  uint32_t connections = 64;  // of one worker, in use or kept
  uint32_t waiting = 1024;    // fetches of one worker that wait for a connection
  uint32_t connect_timeout_ms = 2'000;
  uint32_t timeout_ms = 30'000;       // of a whole fetch, unless it says otherwise
  uint32_t idle_timeout_ms = 15'000;  // a connection is kept for this long after its last answer
  uint32_t head_bytes = 32 * 1024;    // of an answer
  uint32_t fields = 100;              // of an answer, trailers included
  uint64_t body_bytes = 8 << 20;      // of an answer
  uint32_t refresh_ms = 60'000;       // names are resolved again after this long
  // Makes, for each worker on its thread, what makes what lies between such a connection's socket and its requests. Nothing:
  // plain sockets, or TLS, as the URL says. Its handshake is a part of connecting.
  std::function<transport::MakeTransport(transport::Now)> transport = {};
  UpstreamProtocol protocol = UpstreamProtocol::Any;
};

class Upstream {
 public:
  struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
  };
  using Addresses = std::vector<SocketAddress>;

  // "http://HOST[:PORT]", "https://HOST[:PORT]", "h2c://HOST[:PORT]" (HTTP/2 in the clear) or "unix:/PATH". Resolves a name, which
  // may take seconds. On failure a sentence that says what is wrong.
  static std::expected<std::shared_ptr<Upstream>, std::string> open(std::string_view url,
                                                                    const UpstreamOptions& options);
  // The same without looking for its addresses, of which it has none: for a Fetcher that needs none.
  static std::expected<std::shared_ptr<Upstream>, std::string> parse(std::string_view url,
                                                                     const UpstreamOptions& options);

  [[nodiscard]] const UpstreamOptions& options() const { return options_; }
  // The Host field of its requests.
  [[nodiscard]] const std::string& authority() const { return authority_; }
  // As it was given to open().
  [[nodiscard]] const std::string& url() const { return url_; }
  // It is https.
  [[nodiscard]] bool secure() const { return secure_; }
  // At least one, if it was opened.
  [[nodiscard]] std::shared_ptr<const Addresses> addresses() const;

  // True once each time that a name's addresses are due to be resolved again: whoever is told should see to
  // it that refresh() runs. `now_ms` is CLOCK_MONOTONIC.
  [[nodiscard]] bool refresh_due(uint64_t now_ms);
  // Blocks. Keeps the addresses that it has where there is no answer.
  void refresh();

 private:
  Upstream(std::string_view url, const UpstreamOptions& options) : url_(url), options_(options) {}
  [[nodiscard]] std::expected<Addresses, std::string> resolve() const;

  std::string url_;
  UpstreamOptions options_;
  std::string authority_;
  std::string path_;  // of a unix socket
  std::string host_;  // else
  std::string port_;
  bool secure_ = false;
  bool named_ = false;        // the host is a name, whose addresses may change
  mutable std::mutex mutex_;  // of what follows
  std::shared_ptr<const Addresses> addresses_;
  std::atomic<uint64_t> resolved_ms_ = 0;
};

}  // namespace leat::client

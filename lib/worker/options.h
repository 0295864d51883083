// What a worker is told: how much of everything there may be, and how long it may take. Most of it are
// settings, which config/ fills; the rest is given by who makes the worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/block_pool.h"
#include "base/fd.h"
#include "base/metrics.h"
#include "http/forwarding.h"
#include "http/limits.h"
#include "http2/options.h"
#include "net/engine_choice.h"
#include "net/listener.h"
#include "transport/transport.h"

namespace leat::worker {

class AddressCounts;
class MemoryWatch;

// What a worker speaks with its clients, by the names that listeners have for it: what it prefers where a client leaves it the choice
// (ALPN) comes first.
inline constexpr std::string_view kProtocolNames[] = {"h2", "http/1.1"};

// What is counted of the connections of a listening socket: bytes as they are on the wire.
struct ListenerCounts {
  std::shared_ptr<metrics::Metric> opened, closed, received, sent;
};

// What the connections of one listening socket have of their own.
struct ListenerOptions {
  std::string name;  // for people: its address, as bound
  // What may be spoken there, by name, the first where several would do; empty: whatever the worker can.
  std::vector<std::string> protocols;
  // Makes what makes what lies between such a socket and its protocol: once for each worker, on its thread, and with its
  // loop's time. Nothing: plain sockets.
  std::function<transport::MakeTransport(transport::Now)> transport;
  uint32_t handshake_timeout_ms = 10'000;
  // Whose word counts for whom requests are; null: nobody's.
  std::shared_ptr<const http::ProxyTrust> trust = {};
  // Each connection begins with a header of the PROXY protocol, before its transport, and only who is trusted may connect.
  bool proxy_protocol = false;
  std::shared_ptr<const ListenerCounts> counts = {};  // null where nobody counts
};

// A socket that a worker accepts on.
struct AcceptingSocket {
  Fd fd;
  uint32_t number = 0;  // of its ListenerOptions
  // All workers have a descriptor of this one socket, and the kernel spreads no clients over them.
  bool shared = false;
};

struct ConnectionOptions {
  uint32_t most = 65'536;  // connections of one worker, without those that are turned away
  // Connections that are being turned away. They are gone within moments, or a few seconds where the client
  // takes its time; 256 are 128 a second at the worst.
  uint32_t most_turned_away = 256;
  uint32_t send_timeout_ms = 30'000;   // without progress of a send
  uint32_t linger_timeout_ms = 2'000;  // in Lingering
  // After so long without a request an armed receive (864 bytes of kernel memory) becomes a poll (256).
  uint32_t doze_after_ms = 10'000;
  uint32_t worker = 0;  // its number, for the log
  // Of all workers; null: a client may have all connections.
  AddressCounts* addresses = nullptr;
  // Counters, which must outlive the connections; null where nobody counts.
  metrics::Metric* given_up = nullptr;
  metrics::Metric* turned_away = nullptr;
  // By the number of the listening socket. Where none is given there is one, which has nothing of its own.
  std::vector<ListenerOptions> listeners;
};

struct SelfRequestOptions {
  uint32_t most = 64;             // at the same time
  uint64_t most_bytes = 2 << 20;  // of an answer
};

struct WorkerOptions {
  uint32_t index = 0;
  int cpu = -1;  // pinned to it; -1: not pinned
  net::EngineChoice engine = net::EngineChoice::Auto;
  net::UringOptions ring;
  http::Limits limits;
  http2::Options http2;
  ConnectionOptions connections;
  SelfRequestOptions self_requests;
  uint32_t exchanges = 16'384;              // requests in flight
  size_t memory_bytes = size_t{512} << 20;  // of requests and answers in transit
  size_t blocks_kept = 256;                 // recycled without the allocator: 4 MiB
  uint64_t drain_timeout_ms = 30'000;
  uint64_t drain_idle_ms = 2'000;       // of a connection without a request, when draining
  std::string server_name = "leat";     // empty: no Server field
  bool known_heads = true;              // recognise heads and header lines that come again
  uint64_t stall_warning_ms = 5;        // a turn that takes longer is logged; 0: never
  MemoryWatch* memory_watch = nullptr;  // that shows its memory; it outlives the worker

  [[nodiscard]] size_t blocks() const { return memory_bytes / Block::kSize; }
};

// What a reload changes of a worker that serves.
struct WorkerChange {
  // Of these, what each worker can take up while it serves; the rest stays.
  WorkerOptions options;
  // Listening sockets by their numbers: those whose connections have other options from now on, and new ones, ...
  std::vector<std::pair<uint32_t, std::shared_ptr<const ListenerOptions>>> listeners;
  std::vector<AcceptingSocket> sockets;  // ... of which these are this worker's; ...
  std::vector<std::pair<uint32_t, net::ListenOptions>>
      listen_anew;  // ... those that listen in another way ...
  struct Ended {
    uint32_t number;
    bool own;  // TCP, and nobody else accepts on it
  };
  std::vector<Ended> ended;  // ... and those that do so no more
};

}  // namespace leat::worker

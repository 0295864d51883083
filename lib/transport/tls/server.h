// Server: what a listening socket needs to speak TLS 1.2 and 1.3 (RFC 5246, RFC 8446), and the transports of its connections.
//
// What a peer can do:
//   it speaks plain HTTP            a 400 in plain text says so
//   it asks for an unknown name     the default certificate, or unrecognized_name (Options::unknown_name)
//   it offers no protocol in common no_application_protocol (RFC 7301)
//   it renegotiates                 no_renegotiation; often: the end
//   it updates keys                 ten times a second; more often: the end, since each costs 50 us and 27 bytes
//   it shows a certificate that nobody vouches for, or none where one is demanded: an alert (ClientTrust)
//   it comes with many others       Options::memory_bytes, beyond which no handshake begins
//   it stalls                       Options::handshakes, and its listener's handshake_timeout_ms
// Without compression, 0-RTT, and sessions of this side's memory: a ticket is all there is of a session.
#pragma once

#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transport/tls/certificates.h"
#include "transport/tls/client_trust.h"
#include "transport/tls/handshake_counts.h"
#include "transport/tls/memory.h"
#include "transport/tls/options.h"
#include "transport/tls/ticket_keys.h"
#include "transport/transport.h"

namespace leat::tls {

struct Server {
  Options options;
  std::vector<std::string> protocols;  // that are spoken behind it, what is wanted first: by ALPN's names
  std::shared_ptr<const Certificates> certificates;  // not empty
  std::shared_ptr<TicketKeys> tickets;               // null: there are none
  std::shared_ptr<HandshakeCounts> counts;           // null: nobody counts
  std::shared_ptr<TlsMemory> memory;                 // null: nobody counts
  std::shared_ptr<const ClientTrust> clients;        // null: they are asked for no certificate
};

// What is wrong with it, as a sentence; empty where nothing is.
[[nodiscard]] std::string check(const std::shared_ptr<const Server>& server);

// Each worker has the result called on its thread, and the transports that come of it are that worker's.
[[nodiscard]] std::function<transport::MakeTransport(transport::Now)> transports(
    std::shared_ptr<const Server> server);

}  // namespace leat::tls

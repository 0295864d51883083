// ClientIdentity: who is connected, and for whom. What a connection knows of it, and, where a proxy says more with a
// request, what that one knows.
#pragma once

#include <string_view>

#include "transport/tls_facts.h"

namespace leat::http {

// Texts, which belong to whoever made it. Addresses are without a port: "192.0.2.1", "2001:db8::1", "unix:";
// "self" where the daemon asks itself.
struct ClientIdentity {
  // What `client` is where a proxy says that it cannot tell, or says it in a way that nobody understands.
  static constexpr std::string_view kUnknown = "unknown";

  std::string_view peer;  // the other end of the connection
  // For whom it asks: what proxies that are trusted say, else the peer. Not always an address: a proxy may
  // have a name for it ("_hidden", RFC 7239, section 6.3), or none (kUnknown).
  std::string_view client;
  std::string_view scheme = "http";  // by which the client asks: "http" or "https"
  // Where the client has connected to, with the port, by what a proxy says (PROXY protocol); else empty.
  std::string_view destination;
  // Of the connection, whoever is at its other end: a proxy has its own. Null: it is no TLS of this daemon's.
  const transport::TlsFacts* tls = nullptr;
  // Somebody said for whom the request is who is not to be believed, or nobody could understand it.
  bool in_doubt = false;
};

}  // namespace leat::http

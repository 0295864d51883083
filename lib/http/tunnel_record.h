// TunnelRecord: what is kept of a request that has switched protocols, while its tunnel is open.
//
// An exchange is more than twenty KiB with its arena; a tunnel is open for hours and mostly idle. So the exchange ends with the
// switch, and where somebody wants to see the request again at the tunnel's end (the access log), this is kept: a copy of it
// without what was said for the handshake alone. restore() shows that by another exchange.
//
// Thread: the worker's.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/counted_text.h"
#include "http/client_identity.h"
#include "http/head.h"
#include "http/trace_parent.h"

namespace leat::pipeline {
struct Route;
}

namespace leat::http {

class Exchange;

class TunnelRecord {
 public:
  void take(Exchange& original);
  // Shows the request by `exchange`, which is a new one of the pool's. The record must stay until that has ended.
  void restore(Exchange& exchange) const;
  // Whether there is a request to restore: not where memory was out.
  [[nodiscard]] bool whole() const { return whole_; }
  [[nodiscard]] size_t footprint() const { return bytes_.size() + slots_.capacity() * sizeof(HeaderSlot); }

 private:
  std::string_view keep(std::string_view text);
  Span put(std::string_view text);

  const pipeline::Route* route_ = nullptr;
  uint64_t started_ns_ = 0;
  uint64_t left_out_ = 0;  // bytes of the head that are not kept
  uint16_t status_ = 0;
  bool whole_ = false;
  Head head_;
  std::vector<HeaderSlot> slots_;
  CountedText bytes_;
  ClientIdentity identity_;
  transport::TlsFacts tls_;
  transport::PeerCertificate certificate_;
  std::string_view id_, user_;
  TraceParent trace_;
};

}  // namespace leat::http

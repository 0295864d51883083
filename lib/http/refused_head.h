// RefusedHead: what was read of a request that was refused before its head was understood. For the log.
//
// It is kept beside the exchange's request, in its states, whose head stays empty: nobody else shall take for a
// request what is none. Nothing of it was checked: it holds the bytes that a peer has sent, cut where they are
// many, and shows as target and fields what looks like some.
#pragma once

#include <string_view>

#include "base/arena.h"
#include "http/exchange.h"
#include "http/head.h"
#include "http/refusal.h"

namespace leat::http {

struct RefusedHead {
  // Bytes that are kept of one.
  static constexpr size_t kMostBytes = 2048;
  static constexpr size_t kMostFields = 24;

  Head head;                 // its method counts only where `method` is one of those that are known
  std::string_view method;   // as it was sent
  std::string_view version;  // likewise: "HTTP/1.1"; empty where it did not come
  std::string_view why;      // a literal
};

// Keeps what there is of it: `bytes` begin with the request line. Nothing where memory is out.
void keep_refused_head(Exchange& exchange, std::string_view bytes, const Refusal& why);

}  // namespace leat::http

// The place of a request in a trace: taken from whoever asks, or the beginning of one (W3C Trace Context, level 2).
//
// Thread: the exchange's worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "http/exchange.h"
#include "http/trace_parent.h"
#include "middleware/fields.h"
#include "middleware/hex.h"
#include "middleware/random.h"

namespace leat::middleware {

// What is passed on of a tracestate at most: the standard asks for 512 bytes at least.
inline constexpr size_t kMostTraceState = 512;

// What was made of a request's trace.
struct TracePlace {
  std::string_view parent;  // the span of who asks, 16 digits; empty where the trace begins here
};

// The traceparent that the request has brought, if it is one; empty otherwise.
inline std::string_view given_trace(const http::Request& request) {
  const std::string_view given = only_field(request, http::HeaderId::Traceparent);
  return given.size() >= http::TraceParent::kSize && http::is_trace_parent(given) ? given
                                                                                  : std::string_view();
}

// Puts `text`, of TraceParent::kSize bytes, together: the trace's digits lie there already.
inline void put_trace_parent(char* text, uint64_t span, uint8_t flags) {
  std::memcpy(text, "00-", 3);
  text[35] = text[52] = '-';
  put_hex(text + 36, span);
  text[53] = '0';
  text[54] = static_cast<char>('0' + flags);
}

inline uint8_t trace_flags(std::string_view text) {
  // Bits that this version does not know are not passed on.
  const char low = text[54];
  const int flags = low <= '9' ? low - '0' : low - 'a' + 10;
  return static_cast<uint8_t>(flags & (http::TraceParent::kSampled | http::TraceParent::kRandom));
}

// Gives the request its place in its trace, under a span of its own, unless it has one: who comes first in its chain gives it.
// Where `trusts`, a trace that it has brought is taken, and whether that is recorded, too; otherwise one begins, and
// `sampled(number)` says whether that one is, by the number that is random in its identifier. False: memory is out, and
// it is in no trace.
template <class Sampled>
[[nodiscard]] bool place_in_trace(http::Exchange& exchange, Random& random, bool trusts, Sampled sampled,
                                  TracePlace& place) {
  using http::TraceParent;
  const std::string_view given = trusts ? given_trace(exchange.request) : std::string_view();
  if (!exchange.request.trace().text.empty()) {
    if (!given.empty() && given.substr(3, 32) == exchange.request.trace().id())
      place.parent = given.substr(36, 16);
    return true;
  }
  char* const text = exchange.arena().allocate_array<char>(TraceParent::kSize);
  if (text == nullptr) return false;
  TraceParent trace{.text = {text, TraceParent::kSize}, .state = {}};
  uint8_t flags = TraceParent::kRandom;
  if (!given.empty()) {
    std::memcpy(text + 3, given.data() + 3, 32);
    place.parent = given.substr(36, 16);
    flags = trace_flags(given);
    const std::string_view state = only_field(exchange.request, http::HeaderId::Tracestate);
    if (state.size() <= kMostTraceState) trace.state = state;
  } else {
    // Not all zeros, which would be none.
    const uint64_t number = random.next() | 1;
    put_hex(text + 3, random.next());
    put_hex(text + 19, number);
    if (sampled(number)) flags |= TraceParent::kSampled;
  }
  put_trace_parent(text, random.next() | 1, flags);
  exchange.request.set_trace(trace);
  return true;
}

}  // namespace leat::middleware

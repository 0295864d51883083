// Looking at fields: where it matters how many of a request there are, and which are not for middleware to deal in.
#pragma once

#include <algorithm>
#include <string_view>

#include "http/exchange.h"

namespace leat::middleware {

// The one field of its name; a view with a null data() where there is none, or several.
inline std::string_view only_field(const http::Request& request, http::HeaderId id) {
  std::string_view found;
  for (const http::HeaderSlot& slot : request.head().headers()) {
    if (slot.id != id) continue;
    if (found.data() != nullptr) return {};
    found = request.head().view(slot.value);
  }
  return found;
}

// All of its name as one list (RFC 9110, section 5.3), in the arena where there are several; a null data() where there is none,
// or memory is out.
inline std::string_view joined_field(http::Exchange& exchange, http::HeaderId id) {
  const http::Head& head = exchange.request.head();
  size_t count = 0, size = 0;
  std::string_view found;
  for (const http::HeaderSlot& slot : head.headers()) {
    if (slot.id != id) continue;
    found = head.view(slot.value);
    size += found.size() + 2;
    ++count;
  }
  if (count < 2) return found;
  char* const text = exchange.arena().allocate_array<char>(size);
  if (text == nullptr) return {};
  char* at = text;
  for (const http::HeaderSlot& slot : head.headers()) {
    if (slot.id != id) continue;
    if (at != text) at = std::ranges::copy(std::string_view(", "), at).out;
    at = std::ranges::copy(head.view(slot.value), at).out;
  }
  return {text, static_cast<size_t>(at - text)};
}

// One that says how bytes are framed, or belongs to the connection (RFC 9110, section 7.6.1), or is what a request is for.
constexpr bool is_transport_field(http::HeaderId id) {
  switch (id) {
    case http::HeaderId::Connection:
    case http::HeaderId::ContentLength:
    case http::HeaderId::Expect:
    case http::HeaderId::Host:
    case http::HeaderId::Http2Settings:
    case http::HeaderId::KeepAlive:
    case http::HeaderId::ProxyConnection:
    case http::HeaderId::Te:
    case http::HeaderId::Trailer:
    case http::HeaderId::TransferEncoding:
    case http::HeaderId::Upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace leat::middleware

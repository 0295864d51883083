// Head: the parsed request line and header section of one request, as offsets into one run of bytes.
//
// A head is made once by the parser and never changes. It lives either in its request's arena or in the
// worker's table of known heads (http/known_heads.h), pinned for as long as a request refers to it; either
// way its views are valid until the request has ended, also across suspensions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "http/header_id.h"
#include "http/method.h"

namespace leat::http {

struct Span {
  uint32_t offset = 0;
  uint32_t size = 0;
};

struct HeaderSlot {
  Span name;
  Span value;  // without surrounding white space
  HeaderId id = HeaderId::Unknown;
  bool known = false;  // taken from the worker's known lines: it was checked when it was entered
};

// How the body's end is found (RFC 9112, section 6.3).
enum class Framing : uint8_t { None, Length, Chunked };

struct Head {
  const char* bytes = nullptr;  // from the first byte of the request line to the end of the blank line
  uint32_t size = 0;
  uint32_t added =
      0;  // of those, at their end: what nobody has sent, but who shows this head in the place of another
  Method method = Method::Get;
  uint8_t major_version = 1;  // of the protocol: 1 or 2
  uint8_t minor_version = 1;  // of HTTP/1; one who speaks a later one understands 1.1, so that it is 1
  Framing framing = Framing::None;
  bool keep_alive = true;
  bool expect_continue = false;
  bool forwarded = false;       // it has forwarding fields (http/forwarding.h)
  bool length_hidden = false;   // what handlers get of the body has another length than is told here
  uint64_t content_length = 0;  // with Framing::Length
  Span target;                  // as received
  Span path;                    // the target's path: "/..." or "*"
  Span query;                   // without '?'
  Span host;                    // of the target in absolute form, else of Host; may be empty in HTTP/1.0
  bool has_query = false;
  uint32_t slot_count = 0;
  const HeaderSlot* slots = nullptr;

  [[nodiscard]] std::string_view view(Span span) const { return {bytes + span.offset, span.size}; }
  [[nodiscard]] std::span<const HeaderSlot> headers() const { return {slots, slot_count}; }
};

}  // namespace leat::http

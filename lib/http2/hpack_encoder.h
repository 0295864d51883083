// The representations that HPACK has for fields, written one after the other (RFC 7541, section 6), for who reserves room beforehand.
//
// Nothing is put into the peer's table: so a block can be written at any time and for any place in the order of frames, and a
// connection keeps no table for what it sends. Names of the static table are one byte or two.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/bytes.h"

namespace leat::http2 {

// How many bytes put_number() takes at most, of any number that there is here.
inline constexpr size_t kMostNumber = 6;

// `first`: the bits before the number, in the place that they have in its first byte.
inline char* put_number(char* at, uint8_t first, unsigned prefix, uint64_t number) {
  const uint64_t full = (uint64_t{1} << prefix) - 1;
  if (number < full) {
    *at++ = static_cast<char>(first | number);
    return at;
  }
  *at++ = static_cast<char>(first | full);
  for (number -= full; number >= 128; number >>= 7) *at++ = static_cast<char>(0x80 | (number & 0x7f));
  *at++ = static_cast<char>(number);
  return at;
}

// Without the Huffman code: what it saves on names and values that differ is less than it costs.
inline char* put_text(char* at, std::string_view text) {
  return http::put_bytes(put_number(at, 0, 7, text.size()), text);
}

// A field of the static table, name and value.
inline char* put_indexed(char* at, uint32_t index) { return put_number(at, 0x80, 7, index); }

// The beginning of a field that is kept nowhere; `name`: its index in the static table, or 0 and its name follows as a text.
// `secret`: nor is it to be by those who pass it on.
inline char* put_literal(char* at, uint32_t name, bool secret = false) {
  return put_number(at, secret ? 0x10 : 0x00, 4, name);
}

// From here on the peer need not keep a table for what this end sends.
inline constexpr char kNoTable = 0x20;

}  // namespace leat::http2

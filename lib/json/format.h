// How strings and doubles look in JSON, the same whichever backend puts them in their places.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "json/text_buffer.h"

namespace leat::json {

// `text` between quotes and then `after`. Escapes only what RFC 8259, section 7, asks for: the quote, the
// backslash and what is below U+0020, in the short form where there is one, else as \u00xx; what is no UTF-8
// becomes U+FFFD, byte by byte. False: memory is out.
[[nodiscard]] bool write_string(TextBuffer& out, std::string_view text, char after);

// The longest: "-2.2250738585072014e-308" is 24 bytes.
constexpr size_t kLongestReal = 32;

// Writes a finite number into `text`, which has room for kLongestReal, and returns its length. The fewest
// digits that read back the same, with a point or an exponent always; an exponent below 1e-4 and from 1e16
// on, where Python's json has one too.
size_t write_real(char* text, double number);

}  // namespace leat::json

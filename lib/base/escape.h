// Escaping: texts that anybody may have chosen, as a part of one line of a log.
//
// What comes out is always UTF-8, on one line, and says no more to a terminal than letters do: quotes,
// backslashes and control characters (also those of U+0080 to U+009F) are escaped, and a byte that is no part of
// UTF-8 is shown as U+FFFD. Nearly every text has nothing of all that, so that it is looked at 16 bytes at a time
// and copied as it is.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat {

enum class Escapes : uint8_t {
  Json,   // the inside of a JSON string (RFC 8259, section 7): \u001b
  Plain,  // for a line of words, as other servers write it: \x1b
  Spaces  // for people: control characters become spaces, and nothing else is escaped
};

// What one byte may become at most.
inline constexpr size_t kMostEscaped = 6;

// Writes `text` to `at`, where there is room for kMostEscaped times its size, and 16 bytes more. Returns the end.
char* put_escaped(char* at, std::string_view text, Escapes how);

}  // namespace leat

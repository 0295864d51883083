// Paths as the router compares them (RFC 3986, section 6.2.2): by segments, with their escapes decoded and
// their dot segments gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::pipeline {

// Whether each '%' begins an escape, and none of them stands for NUL.
bool well_encoded(std::string_view text);

// Decodes what is well encoded into `out`, which has room for `text` as it is; returns the length.
size_t decode(std::string_view text, char* out);

// Whether a path must be taken apart before it can be compared.
inline bool needs_normalising(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') return true;
    if (path[i] == '.' && i > 0 && path[i - 1] == '/') return true;
  }
  return false;
}

enum class Dots : uint8_t { None, Here, Up };

// Whether a segment is "." or "..", each dot possibly written as %2e.
Dots dot_segment(std::string_view segment);

// Copies `path` without its dot segments into `out` (RFC 3986, section 5.2.4); returns the length.
size_t remove_dots(std::string_view path, char* out);

// Writes into `out`, which has room for a byte more than `path`, the one spelling of all well encoded paths
// that are the same to the router: no dot segments, and no escapes but %2F and %25. Returns the length. One
// that does not need normalising is its own spelling.
size_t spell_path(std::string_view path, char* out);

}  // namespace leat::pipeline

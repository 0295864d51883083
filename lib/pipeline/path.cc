#include "pipeline/path.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace leat::pipeline {

bool well_encoded(std::string_view text) {
  for (size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 3)) {
    if (at + 2 >= text.size()) return false;
    const int high = hex_digit(text[at + 1]);
    const int low = hex_digit(text[at + 2]);
    if (high < 0 || low < 0 || (high | low) == 0) return false;
  }
  return true;
}

size_t decode(std::string_view text, char* out) {
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      c = static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]));
      i += 2;
    }
    out[size++] = c;
  }
  return size;
}

Dots dot_segment(std::string_view segment) {
  unsigned dots = 0;
  while (!segment.empty()) {
    if (segment.front() == '.') {
      segment.remove_prefix(1);
    } else if (segment.size() >= 3 && segment[0] == '%' && segment[1] == '2' && (segment[2] | 0x20) == 'e') {
      segment.remove_prefix(3);
    } else {
      return Dots::None;
    }
    if (++dots > 2) return Dots::None;
  }
  return dots == 1 ? Dots::Here : dots == 2 ? Dots::Up : Dots::None;
}

size_t remove_dots(std::string_view path, char* out) {
  size_t size = 0;
  size_t at = 0;
  while (at < path.size()) {
    // path[at] is the slash before a segment.
    const size_t end = std::min(path.find('/', at + 1), path.size());
    const Dots dots = dot_segment(path.substr(at + 1, end - at - 1));
    if (dots == Dots::None) {
      std::memcpy(out + size, path.data() + at, end - at);
      size += end - at;
    } else {
      // Up to the slash before the last segment; what is there begins with one, if there is anything.
      if (dots == Dots::Up && size > 0) size = std::string_view(out, size).rfind('/');
      if (end == path.size()) out[size++] = '/';  // "/a/." is "/a/"
    }
    at = end;
  }
  return size;
}

size_t spell_path(std::string_view path, char* out) {
  const std::string_view clean(out, remove_dots(path, out));
  // In place: nothing gets longer.
  size_t size = 0;
  for (size_t i = 0; i < clean.size(); ++i) {
    char c = clean[i];
    if (c == '%') {
      c = static_cast<char>(hex_digit(clean[i + 1]) << 4 | hex_digit(clean[i + 2]));
      i += 2;
      if (c == '/' || c == '%') {
        std::memcpy(out + size, c == '/' ? "%2F" : "%25", 3);
        size += 3;
        continue;
      }
    }
    out[size++] = c;
  }
  return size;
}

}  // namespace leat::pipeline

#include "json/format.h"

#include <algorithm>

#include "plugin/sdk/plugin_text.hpp"

namespace leat::json {

namespace {

// What has to be escaped is seldom: room for that is asked for when it is met.
constexpr size_t kShort = 256;

[[gnu::noinline]] StringResult write_long(TextBuffer& out, std::string_view text, char after) {
  if (!out.room(1)) return StringResult::NoMemory;
  out.put('"');
  while (!text.empty()) {
    size_t size = std::min(kShort, text.size());
    // Not in the midst of a character.
    while (size < text.size() && size > kShort - 4 && (text[size] & 0xc0) == 0x80) --size;
    if (!out.room(size * encoding::kMostEscaped + 2)) return StringResult::NoMemory;
    char* const end = encoding::write_escaped(out.at, text.substr(0, size));
    if (end == nullptr) return StringResult::NotUtf8;
    out.at = end;
    text.remove_prefix(size);
  }
  out.put('"');
  out.put(after);
  return StringResult::Fine;
}

}  // namespace

StringResult write_string(TextBuffer& out, std::string_view text, char after) {
  if (text.size() > kShort) return write_long(out, text, after);
  if (!out.room(text.size() * encoding::kMostEscaped + 3)) return StringResult::NoMemory;
  char* at = out.at;
  *at = '"';
  at = encoding::write_escaped(at + 1, text);
  if (at == nullptr) [[unlikely]]
    return StringResult::NotUtf8;
  at[0] = '"';
  at[1] = after;
  out.at = at + 2;
  return StringResult::Fine;
}

size_t write_real(char* text, double number) {
  return static_cast<size_t>(encoding::write_real(text, number) - text);
}

}  // namespace leat::json

#include "json/format.h"

#include "plugin/sdk/plugin_text.hpp"

namespace leat::json {

StringResult write_string(TextBuffer& out, std::string_view text, char after) {
  // What has to be escaped is seldom: room for that is asked for when it is met.
  constexpr size_t kShort = 256;
  const size_t room = text.size() <= kShort ? text.size() * encoding::kMostEscaped : 0;
  if (!out.room(room + 3)) return StringResult::NoMemory;
  out.put('"');
  while (text.size() > kShort) {
    size_t size = kShort;
    // Not in the midst of a character.
    while (size > kShort - 4 && (text[size] & 0xc0) == 0x80) --size;
    if (!out.room(size * encoding::kMostEscaped)) return StringResult::NoMemory;
    char* const end = encoding::write_escaped(out.at, text.substr(0, size));
    if (end == nullptr) return StringResult::NotUtf8;
    out.at = end;
    text.remove_prefix(size);
  }
  if (!out.room(text.size() * encoding::kMostEscaped + 2)) return StringResult::NoMemory;
  char* const end = encoding::write_escaped(out.at, text);
  if (end == nullptr) return StringResult::NotUtf8;
  out.at = end;
  out.put('"');
  out.put(after);
  return StringResult::Fine;
}

size_t write_real(char* text, double number) {
  return static_cast<size_t>(encoding::write_real(text, number) - text);
}

}  // namespace leat::json

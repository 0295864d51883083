#include "json/format.h"

#include "base/shared/plugin_text.hpp"

namespace leat::json {

namespace {

// What has to be escaped is seldom: room for that is asked for when it is met.
constexpr size_t kShort = 256;

[[gnu::noinline]] bool write_long(TextBuffer& out, std::string_view text, char after) {
  if (!out.room(1)) return false;
  out.put('"');
  while (!text.empty()) {
    const size_t size = text.size() <= kShort ? text.size() : encoding::piece_of(text, kShort);
    if (!out.room(size * encoding::kMostEscaped + 2)) return false;
    out.at = encoding::write_escaped(out.at, text.substr(0, size));
    text.remove_prefix(size);
  }
  out.put('"');
  out.put(after);
  return true;
}

}  // namespace

bool write_string(TextBuffer& out, std::string_view text, char after) {
  if (text.size() > kShort) return write_long(out, text, after);
  if (!out.room(text.size() * encoding::kMostEscaped + 3)) return false;
  char* at = out.at;
  *at = '"';
  at = encoding::write_escaped(at + 1, text);
  at[0] = '"';
  at[1] = after;
  out.at = at + 2;
  return true;
}

size_t write_real(char* text, double number) {
  return static_cast<size_t>(encoding::write_real(text, number) - text);
}

}  // namespace leat::json

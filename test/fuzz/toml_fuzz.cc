// A configuration may be any text. Whatever it is, reading it ends, and
//  - what TomlLines makes of it is all of the text, in order, with the right lines;
//  - cut into parts, however small, it says the same as in one piece, and has the same mistakes at the same places;
//  - nothing in it is deeper than it may be, and what is said of it is said of a place in it.
//
// Input: the text.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "base/check.h"
#include "config/told.h"
#include "config/toml_lines.h"

namespace leat::fuzz {

namespace {

void check_lines(std::string_view text) {
  size_t at = 0;
  uint32_t line = 1;
  for (config::TomlLines lines(text); !lines.at_end();) {
    const config::TomlThing thing = lines.next();
    ENSURE(thing.begin == at && thing.end > at && thing.end <= text.size());
    ENSURE(thing.line == line);
    at = thing.end;
    line += static_cast<uint32_t>(std::ranges::count(text.substr(thing.begin, at - thing.begin), '\n'));
    if (thing.kind == config::TomlThing::Kind::Blank) continue;
    ENSURE(thing.key >= thing.begin && thing.key <= thing.key_end && thing.key_end <= thing.end);
    if (thing.value != config::TomlThing::kNone)
      ENSURE(thing.value > thing.key_end && thing.value <= thing.end);
  }
  ENSURE(at == text.size());
}

size_t depth_of(const Value& value) {
  size_t deepest = 0;
  if (value.array() != nullptr)
    for (const Value& each : *value.array()) deepest = std::max(deepest, depth_of(each));
  if (value.table() != nullptr)
    for (const auto& [key, each] : *value.table()) deepest = std::max(deepest, depth_of(each));
  return deepest + 1;
}

void check_parts(std::string_view text) {
  const test::Told whole(text, text.size());
  const std::string all = test::all_of(whole);
  for (const size_t part_bytes : {size_t{1}, size_t{64}}) {
    const std::string parts = test::all_of(test::Told(text, part_bytes));
    if (parts == all) continue;
    std::fprintf(stderr, "--- whole\n%s\n--- in parts of %zu\n%s\n", all.c_str(), part_bytes, parts.c_str());
    ENSURE(false);
  }
  const auto lines = static_cast<uint32_t>(std::ranges::count(text, '\n')) + 1;
  for (const Diagnostic& each : whole.diagnostics)
    ENSURE(each.place.line >= 1 && each.place.line <= lines && each.place.column >= 1);
  // What a key or a list holds is one deeper than that.
  for (const Value& each : whole.values) ENSURE(depth_of(each) <= config::kDeepestToml + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A file with NUL is refused before.
  if (text.contains('\0')) return 0;
  check_lines(text);
  check_parts(text);
  return 0;
}

}  // namespace leat::fuzz

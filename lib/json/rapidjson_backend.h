// RapidJsonBackend: RapidJSON's Writer behind json::Writer, over the same arena.
//
// For authors who trust a well-worn writer more than ours, and as the other side of the differential test.
// json::Writer judges the order of events and the texts first, so RapidJSON only ever sees what it accepts;
// what it writes is byte for byte what the direct path writes. Containers, commas, integers, literals and
// most strings are RapidJSON's own. It gets ready-made text (RawValue) where its ways differ from ours:
// doubles, for which its algorithm does not always find the fewest digits, and strings with a control
// character whose code it would write with capital digits.
//
// Lives in the arena of its writer and is never destroyed. This header does not show RapidJSON.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "json/format.h"
#include "json/text_buffer.h"

namespace leat::json {

class RapidJsonBackend {
 public:
  // Writes to `out`, which must outlive it; nullptr when its arena is full.
  static RapidJsonBackend* make(TextBuffer& out);

  void begin_object();
  void end_object();
  void begin_array();
  void end_array();
  StringResult key(std::string_view name);
  StringResult string(std::string_view text);
  void integer(int64_t number);
  void unsigned_integer(uint64_t number);
  void real(double number);
  void boolean(bool truth);
  void null();
  void raw(std::string_view json);

  // False once the arena was full.
  [[nodiscard]] bool complete() const;

 private:
  struct State;
  explicit RapidJsonBackend(State& state) : state_(state) {}
  StringResult write(std::string_view text, bool key);

  State& state_;
};

}  // namespace leat::json

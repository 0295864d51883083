// Quantities with units, as settings are written: "10s", "64KiB".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace leat {

// Milliseconds of "500ms", "10s", "5m", "2h", "1d"; nothing for anything else, overflow included.
std::optional<uint64_t> parse_duration(std::string_view text);
// Bytes of "4096", "64KiB", "1MiB", "2GiB", "10KB", "10MB", "1GB".
std::optional<uint64_t> parse_size(std::string_view text);

// What may have been meant by what is neither: "75sec" -> "75s", "1.5s" -> "1500ms", "8m" -> "8MiB", "64 kb"
// -> "64KB"; nothing where that is anybody's guess.
std::optional<std::string> suggest_duration(std::string_view text);
std::optional<std::string> suggest_size(std::string_view text);

// The shortest exact form: 10000 -> "10s", 65536 -> "64KiB".
std::string duration_text(uint64_t ms);
std::string size_text(uint64_t bytes);
// Of things: "1 route", "2 routes".
std::string counted(uint64_t count, std::string_view what);

}  // namespace leat

// What is said while the process ends: lines in the form that the log has, from where nothing else may be
// called than what is async-signal-safe.
// Thread: any.
#pragma once

#include <atomic>
#include <string_view>

namespace leat {

// Whether they are JSON objects, as those of a log with that format are. Set by whoever knows the format.
inline constinit std::atomic<bool> crash_lines_are_objects = false;

// Writes one to `fd`, cut at some 900 bytes, in one piece.
void write_crash_line(int fd, std::string_view text) noexcept;

}  // namespace leat

// The daemon's log: one line an event, written by a thread of its own.
//
// Workers never block on it: a line that finds the queue full is dropped and counted, and the count is
// logged once there is room. Before open() and after close(), lines go to stderr directly.
// Thread: any.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace leat::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };
enum class Format : uint8_t { Text, Json };

struct Options {
  Level level = Level::Info;
  Format format = Format::Text;
  std::string file;           // empty: stderr
  size_t queue_lines = 8192;  // 8192 lines of about 300 bytes: some 2.5 MiB at the worst
};

// Starts the writing thread. Fails with the reason when the file cannot be opened.
std::expected<void, std::string> open(const Options& options);
// Writes what is queued, then stops the thread.
void close();
// Closes and opens the log file again, for rotation (SIGUSR1).
void reopen();

[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view line);
// A line that is complete as it stands (an access log record): written without level or time.
void write_raw(std::string_view line);
// Has every line from `least` on go to `to`, on the thread that logs it, in place of the log; nullptr: back
// to the log. For tests.
void divert(void (*to)(Level level, std::string_view line), Level least = Level::Info);
// Lines dropped since open().
[[nodiscard]] uint64_t dropped();

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Debug)) write(Level::Debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Info)) write(Level::Info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Warn)) write(Level::Warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::Error)) write(Level::Error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace leat::log

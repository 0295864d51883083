// The daemon's log: one line an event, written by a thread of its own.
//
// Workers never block on it: a line that finds the queue full is dropped and counted, and the count is
// logged once there is room. Before open() and after close(), lines go to stderr directly.
//
// What a client or a plugin can cause as often as it likes is logged by limited(), of which one cause gets a
// few lines in a period (log_causes.h). Everything else has to be rare by itself.
// Thread: any.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace leat::log {

enum class Level : uint8_t { Debug, Info, Warn, Error, Off };
enum class Format : uint8_t { Text, Json };

struct Options {
  Level level = Level::Info;
  Format format = Format::Text;
  std::string file;                 // empty: stderr
  size_t queue_lines = 8192;        // 8192 lines of about 300 bytes: some 2.5 MiB
  uint32_t line_bytes = 16 * 1024;  // what is longer is cut: 128 MiB are queued at the worst
  // Lines of one cause in a period, and lines that a plugin itself writes; 0: any number. Ten show what it is
  // and whether it differs; a plugin may have a line for each request of a quiet service.
  uint32_t cause_lines = 10;
  uint32_t plugin_lines = 1000;
  uint32_t cause_period_ms = 10'000;
};

// Starts the writing thread. Fails with the reason when the file cannot be opened.
std::expected<void, std::string> open(const Options& options);
// Writes what is queued, then stops the thread.
void close();
// Other options for the open log, in two steps: what can fail, and the change, which cannot. Of what is queued, some may
// still go to the former file. The queue stays as long as it was.
class Change {
 public:
  Change(Change&&) noexcept;
  Change& operator=(Change&&) noexcept;
  ~Change();

 private:
  friend std::expected<Change, std::string> prepare(const Options& options);
  friend void take_up(Change change);
  struct Parts;
  explicit Change(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};
// Opens the file, if it is another one than that which is written; the reason, where it cannot be. One thread at a time.
std::expected<Change, std::string> prepare(const Options& options);
void take_up(Change change);
// Closes and opens the log file again, for rotation (SIGUSR1).
void reopen();
// The form of lines before open(), and of what is said while the process ends.
void set_format(Format format);
// The file of the open log; empty for stderr. Any thread.
[[nodiscard]] std::string file();

[[nodiscard]] bool enabled(Level level);
void write(Level level, std::string_view line);
// What a limited line is about, beside its place in the code: a plugin, a route, a kind of mistake. Never
// what a client sends, of which there are too many.
using Cause = std::initializer_list<std::string_view>;
// A line that a plugin itself wants to have logged. `plugin` is its cause.
void write_of_plugin(Level level, std::string_view plugin, std::string_view line);
// A line that is complete as it stands (an access log's, where there is no daemon): written without level or time.
void write_raw(std::string_view line);
// Has every line from `least` on go to `to`, on the thread that logs it, in place of the log; nullptr: back
// to the log. For tests.
void divert(void (*to)(Level level, std::string_view line), Level least = Level::Info);
// What was logged lately as a warning or an error, for who looks at the daemon: the last of them, the newest first.
struct RecentLine {
  int64_t time;  // seconds since 1970
  Level level;
  std::string text;  // its beginning
};
inline constexpr size_t kRecentLines = 20;
[[nodiscard]] std::vector<RecentLine> recent();
// Lines dropped since open(), for want of room.
[[nodiscard]] uint64_t dropped();
// Lines left out, as too many of one cause; counted when their period is over.
[[nodiscard]] uint64_t left_out();
// Says how many were left out in periods that are over. The open log does that by itself, once a second.
void tell_left_out();

// The parts of limited(). 0: the line is left out.
[[nodiscard]] uint64_t admit(const void* place, Cause cause);
void write_admitted(Level level, uint64_t ticket, std::string_view line);

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

// A line that can be caused at will: by a client, by a plugin's code.
template <class... Args>
void limited(Level level, Cause cause, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  if (const uint64_t ticket = admit(fmt::string_view(format).data(), cause))
    write_admitted(level, ticket, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace leat::log

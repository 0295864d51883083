#include "base/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/periodic_worker.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <climits>
#include <cstring>
#include <ctime>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

#include "base/check.h"
#include "base/clock.h"
#include "base/crash_line.h"
#include "base/escape.h"
#include "base/fd.h"
#include "base/log_causes.h"
#include "base/text.h"

namespace leat::log {

namespace {

// Makes the folder, too. spdlog's own files would be inherited by whatever a plugin starts.
std::expected<Fd, std::string> open_for_lines(const std::string& path) {
  std::error_code ignored;  // opening it says what is wrong
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty())
    std::filesystem::create_directories(folder, ignored);
  constexpr mode_t kMode = 0666;  // less what the umask says
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, kMode));
  if (!file)
    return std::unexpected(fmt::format("cannot open the log file `{}`: {}", path, std::strerror(errno)));
  return file;
}

std::atomic<uint64_t> dropped_before{0};  // by logs that were, and by those who did not take them

// Lines to the daemon's own copy of stderr, which is no plugin's to close. Where that is a pipe that nobody reads, they
// are given up: nothing that the daemon has to do may wait for a reader.
class PatientWriter {
 public:
  void write(std::string_view line) {
    const std::lock_guard lock(mutex_);
    while (!line.empty()) {
      pollfd event{standard_error(), POLLOUT, 0};
      // One that did not read a moment ago gets no more time. What is writable takes this much (pipe(7)).
      if (::poll(&event, 1, stalled_ ? 0 : kPatienceMs) == 0) {
        stalled_ = true;
        ++dropped_before;
        return;
      }
      const std::string_view piece = line.substr(0, PIPE_BUF);
      if (!write_all(standard_error(), piece)) return;
      line.remove_prefix(piece.size());
    }
    stalled_ = false;
  }

 private:
  static constexpr int kPatienceMs = 1000;
  std::mutex mutex_;
  bool stalled_ = false;
};
PatientWriter to_standard_error;

// Where lines go: a file, or stderr, one in place of the other while lines come. Each line is one write to a file's end:
// the access log may write to the same one.
class Target final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // No path: stderr.
  Target(std::string path, Fd file) { turn_to(std::move(path), std::move(file)); }
  void turn_to(std::string path, Fd file) {
    const std::lock_guard lock(mutex_);
    path_ = std::move(path);
    std::swap(file_, file);  // the former one is closed without the lock
  }
  // Under its name, which may be another file by now. Goes on with the one that is open where that fails.
  std::expected<void, std::string> reopen() {
    const std::string path = this->path();
    if (path.empty()) return {};
    auto next = open_for_lines(path);
    if (!next) return std::unexpected(next.error());
    turn_to(path, std::move(*next));
    return {};
  }
  [[nodiscard]] std::string path() {
    const std::lock_guard lock(mutex_);
    return path_;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (!file_) {
      to_standard_error.write({line.data(), line.size()});
    } else if (!write_all(file_.get(), {line.data(), line.size()})) {
      ++dropped_before;
    }
  }
  void flush_() override {}

  std::string path_;
  Fd file_;
};

// spdlog has no structured form; this one quotes the message as a JSON string. Access log records come as
// complete objects under the logger name "raw" and are passed through in either format.
class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(Format format)
      : format_(format),
        pattern_(format == Format::Json ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l","message":)"
                                        : "%Y-%m-%dT%H:%M:%S.%eZ %l ",
                 spdlog::pattern_time_type::utc, "") {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    if (message.level == spdlog::level::off) {
      out.append(text.data(), text.data() + text.size());
    } else {
      pattern_.format(message, out);
      if (format_ == Format::Json) {
        out.push_back('"');
        append(text, Escapes::Json, out);
        out.push_back('"');
        out.push_back('}');
      } else {
        append(text, Escapes::Spaces, out);
      }
    }
    out.push_back('\n');
  }

  [[nodiscard]] std::unique_ptr<formatter> clone() const override {
    return std::make_unique<LineFormatter>(format_);
  }

 private:
  // A message is one line of UTF-8, whatever a peer managed to put into it.
  static void append(std::string_view text, Escapes how, spdlog::memory_buf_t& out) {
    constexpr size_t kMore = 16;  // see put_escaped()
    const size_t before = out.size();
    out.resize(before + text.size() * kMostEscaped + kMore);
    char* const begin = out.data() + before;
    out.resize(before + static_cast<size_t>(put_escaped(begin, text, how) - begin));
  }

  Format format_;
  spdlog::pattern_formatter pattern_;
};

struct Writer {
  std::shared_ptr<spdlog::details::thread_pool> pool;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<Target> target;
  // Once a second: what was left out is told.
  std::unique_ptr<spdlog::details::periodic_worker> ticker;
};

// How often the ticker runs.
constexpr std::chrono::seconds kTick(1);

// The process has one log. `current` is replaced only by open() and close(), which main calls while no worker
// runs; `threshold` and the like are what workers read.
Writer current;
std::atomic<Level> threshold{Level::Info};
std::atomic<uint32_t> line_bytes{Options{}.line_bytes};
std::atomic<uint32_t> cause_lines{Options{}.cause_lines};
std::atomic<uint32_t> plugin_lines{Options{}.plugin_lines};
std::atomic<void (*)(Level, std::string_view)> diverted{nullptr};
std::atomic<Format> early_format{Format::Text};
std::mutex file_mutex;
std::string open_file;  // under that

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::Debug:
      return spdlog::level::debug;
    case Level::Info:
      return spdlog::level::info;
    case Level::Warn:
      return spdlog::level::warn;
    case Level::Error:
      return spdlog::level::err;
    case Level::Off:
      break;
  }
  return spdlog::level::off;
}

void emit(spdlog::level::level_enum level, std::string_view line) {
  if (current.logger) {
    current.logger->log(level, spdlog::string_view_t(line.data(), line.size()));
    return;
  }
  if (early_format == Format::Text || level == spdlog::level::off)
    return to_standard_error.write(std::string(line) + "\n");
  spdlog::memory_buf_t object;
  LineFormatter(Format::Json)
      .format({"leat", level, spdlog::string_view_t(line.data(), line.size())}, object);
  to_standard_error.write({object.data(), object.size()});
}

// What log::recent() shows.
class Recent {
 public:
  void note(Level level, std::string_view line) {
    constexpr size_t kMostBytes = 500;
    const std::lock_guard lock(mutex_);
    lines_.push_front({std::time(nullptr), level, std::string(text_prefix(line, kMostBytes))});
    if (lines_.size() > kRecentLines) lines_.pop_back();
  }
  [[nodiscard]] std::vector<RecentLine> lines() {
    const std::lock_guard lock(mutex_);
    return {lines_.begin(), lines_.end()};
  }

 private:
  std::mutex mutex_;
  std::deque<RecentLine> lines_;
};
// For as long as anybody may log.
Recent& recent_lines = *new Recent;

constinit Causes causes(write);

// What admit() answers beside 0 and a cause whose line is to be noted.
constexpr uint64_t kAdmitted = 1;

uint64_t admit_as(uint64_t cause, uint32_t most) {
  // Tests see every line.
  if (most == 0 || diverted.load(std::memory_order_relaxed) != nullptr) return kAdmitted;
  cause = std::max(cause, kAdmitted + 1);
  switch (causes.admit(cause, most, monotonic_ms())) {
    case Causes::Answer::First:
      return cause;
    case Causes::Answer::Yes:
      return kAdmitted;
    case Causes::Answer::No:
      break;
  }
  return 0;
}

uint64_t mix(uint64_t cause, std::string_view text) {
  return (cause ^ std::hash<std::string_view>()(text)) * 0x9e3779b97f4a7c15;
}

// The queue has drained where this line finds room; where it does not, the count is told later.
void tell_dropped(uint64_t& told) {
  const uint64_t all = dropped();
  if (all == told) return;
  write(Level::Warn, fmt::format("{} log lines were dropped: they could not be written in time", all - told));
  told = all;
}

void set_file(const std::string& path) {
  const std::lock_guard lock(file_mutex);
  open_file = path;
}

void set_bounds(const Options& options) {
  set_format(options.format);
  set_file(options.file);
  threshold = options.level;
  line_bytes = options.line_bytes;
  cause_lines = options.cause_lines;
  plugin_lines = options.plugin_lines;
  causes.set_period(options.cause_period_ms);
}

}  // namespace

std::expected<void, std::string> open(const Options& options) {
  Writer next;
  std::expected<Fd, std::string> file;
  if (!options.file.empty() && !(file = open_for_lines(options.file))) return std::unexpected(file.error());
  next.target = std::make_shared<Target>(options.file, std::move(*file));
  next.target->set_formatter(std::make_unique<LineFormatter>(options.format));
  next.pool = std::make_shared<spdlog::details::thread_pool>(options.queue_lines, 1);
  next.logger = std::make_shared<spdlog::async_logger>("leat", next.target, next.pool,
                                                       spdlog::async_overflow_policy::discard_new);
  next.logger->set_level(spdlog::level::trace);
  next.logger->flush_on(spdlog::level::warn);
  causes.sweep(UINT64_MAX);  // what was left out before is told where the rest was
  current = std::move(next);
  set_bounds(options);
  current.ticker = std::make_unique<spdlog::details::periodic_worker>(
      [told = dropped()]() mutable {
        tell_left_out();
        tell_dropped(told);
      },
      kTick);
  return {};
}

struct Change::Parts {
  Options options;
  Fd file;  // where it is another one
  bool other_target = false;
};

Change::Change(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Change::Change(Change&&) noexcept = default;
Change& Change::operator=(Change&&) noexcept = default;
Change::~Change() = default;

std::expected<Change, std::string> prepare(const Options& options) {
  auto parts = std::make_unique<Change::Parts>();
  parts->options = options;
  parts->other_target = current.target != nullptr && current.target->path() != options.file;
  if (parts->other_target && !options.file.empty()) {
    auto file = open_for_lines(options.file);
    if (!file) return std::unexpected(file.error());
    parts->file = std::move(*file);
  }
  return Change(std::move(parts));
}

void take_up(Change change) {
  if (!current.logger) return;
  Change::Parts& parts = *change.parts_;
  set_bounds(parts.options);
  current.target->set_formatter(std::make_unique<LineFormatter>(parts.options.format));
  if (parts.other_target) current.target->turn_to(parts.options.file, std::move(parts.file));
}

void close() {
  if (!current.logger) return;
  current.ticker.reset();
  causes.sweep(UINT64_MAX);
  dropped_before += current.pool->discard_counter();
  current.logger->flush();
  current = {};
  set_file({});
}

void reopen() {
  if (!current.target) return;
  if (const auto opened = current.target->reopen(); !opened)
    error("the log goes on in the old file: {}", opened.error());
}

void set_format(Format format) {
  early_format = format;
  crash_lines_are_objects = format == Format::Json;
}

std::string file() {
  const std::lock_guard lock(file_mutex);
  return open_file;
}

bool enabled(Level level) { return level >= threshold.load(std::memory_order_relaxed); }

void write(Level level, std::string_view line) {
  if (const auto to = diverted.load(std::memory_order_acquire)) return to(level, line);
  if (level >= Level::Warn) recent_lines.note(level, line);
  emit(to_spdlog(level), text_prefix(line, line_bytes.load(std::memory_order_relaxed)));
}

uint64_t admit(const void* place, Cause cause) {
  uint64_t key = reinterpret_cast<uintptr_t>(place);
  for (const std::string_view part : cause) key = mix(key, part);
  return admit_as(key, cause_lines.load(std::memory_order_relaxed));
}

void write_admitted(Level level, uint64_t ticket, std::string_view line) {
  if (ticket != kAdmitted) causes.note(ticket, level, line);
  write(level, line);
}

void write_of_plugin(Level level, std::string_view plugin, std::string_view line) {
  // Of each level: what a plugin says at length must not hide what it complains of.
  const uint64_t key = mix(static_cast<uint64_t>(level) + 1, plugin);
  if (const uint64_t ticket = admit_as(key, plugin_lines.load(std::memory_order_relaxed)))
    write_admitted(level, ticket, line);
}

void tell_left_out() { causes.sweep(monotonic_ms()); }

void divert(void (*to)(Level, std::string_view), Level least) {
  threshold = least;
  diverted = to;
}

void write_raw(std::string_view line) { emit(spdlog::level::off, line); }

std::vector<RecentLine> recent() { return recent_lines.lines(); }

uint64_t left_out() { return causes.left_out(); }

uint64_t dropped() { return dropped_before + (current.pool ? current.pool->discard_counter() : 0); }

}  // namespace leat::log

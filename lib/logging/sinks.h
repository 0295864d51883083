// Sinks: the access logs of a process, and the thread that writes them all.
//
//   worker:  char* at = sink.begin(worker, most); ...format...; sink.end(worker, at)      no lock, no call
//   writer:  every 100 ms, or when a worker has 64 KiB: one write of what all workers have for the target
//
// A worker wakes the writer when it has so much, or where that has slept for want of lines: never once a line. When
// the other side does not take lines (a full disk, a reader that stalls, a path that is gone) they wait in the
// workers' buffers; what finds no room there is dropped, counted, and told in the daemon's own log. What was taken is
// written in order, and whole, when the other side takes it again.
//
// Until start() nothing is opened: open() only looks whether it could be, as `leat check` does.
//
// Instances that ask for the same target, also those of the next generation, share a sink. It ends with the last of
// them, after what they have given was written.
//
// Thread: open(), start(), stop() and reopen() on any but the workers'; see Sink.
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/fd.h"
#include "logging/line_buffer.h"
#include "logging/outlet.h"
#include "logging/target.h"

namespace leat::logging {

class Sinks;

class Sink {
 public:
  // Room for a line of `most` bytes of worker number `worker`, on its thread. Null: there is none, and the line is
  // counted as dropped.
  [[nodiscard]] char* begin(uint32_t worker, size_t most) {
    LineBuffer& buffer = *buffers_[worker];
    char* const at = buffer.reserve(most);
    if (at == nullptr) [[unlikely]]
      buffer.drop();
    return at;
  }
  // The line ends there, with the target's terminator.
  void end(uint32_t worker, const char* end);
  [[nodiscard]] const Target& target() const { return target_; }
  [[nodiscard]] uint32_t workers() const { return static_cast<uint32_t>(buffers_.size()); }

 private:
  friend class Sinks;
  Sink(Sinks& sinks, Target target, uint32_t workers);
  [[nodiscard]] bool empty() const;
  [[nodiscard]] uint64_t lines() const;
  [[nodiscard]] uint64_t dropped() const;
  // A worker has enough for a write.
  [[nodiscard]] bool is_full() const;
  void write(uint64_t now_ms);
  void reopen();
  void give_up_torn();
  void give_up();
  void tell(uint64_t now_ms, bool last);
  void look();

  Sinks& sinks_;
  const Target target_;
  std::vector<std::unique_ptr<LineBuffer>> buffers_;  // of the workers
  std::atomic<size_t> hand_over_;                     // a worker with so many bytes wakes the writer
  std::atomic<uint32_t> users_ = 0;                   // that open() gave it to

  // The writer's.
  std::unique_ptr<Outlet> outlet_;  // null where nothing is opened
  size_t first_ = 0;                // whose buffer is written first: the one whose line was cut short
  bool torn_ = false;               // of that, a line has gone in part
  Error why_ = {"", 0};             // what hinders it, until
  int wait_for_ = -1;               // ... that descriptor has room
  bool ready_ = false;              // ... which it has
  uint64_t again_at_ms_ = 0;        // ... or then
  uint64_t told_ = 0;               // lines whose loss was told
  uint64_t told_at_ms_ = 0;
};

class Sinks {
 public:
  struct Counts {
    uint64_t lines = 0;  // that were taken
    uint64_t dropped = 0;
    uint64_t writes = 0;
    void add(const Sink& sink);
  };
  // A worker's buffer is written when so much waits in it, or after that time.
  static constexpr size_t kHandOver = size_t{64} * 1024;
  static constexpr uint64_t kPeriodMs = 100;

  Sinks();
  ~Sinks();  // stop()
  Sinks(const Sinks&) = delete;
  Sinks& operator=(const Sinks&) = delete;

  // The sink for a target, for so many workers. Fails with a sentence for the operator where it cannot be opened.
  std::expected<std::shared_ptr<Sink>, std::string> open(const Target& target, uint32_t workers);
  // From now on targets are opened, and written to by a thread, which the first of them starts. Once.
  void start();
  // Writes what was handed over, waits a moment for a reader that stalls, and ends the thread. No worker may log
  // from here on.
  void stop();
  // Has every file opened anew under its name, after what was logged before (USR1).
  void reopen();
  // Of all sinks, also those that are gone. Any thread.
  [[nodiscard]] Counts counts();

 private:
  friend class Sink;
  void run();
  void wait(uint64_t ms);
  void renew();
  void look(uint64_t now_ms);
  void end();
  void wake();
  static std::shared_ptr<Sink> give_out(const std::shared_ptr<Sink>& sink);
  [[nodiscard]] bool asleep() const { return asleep_.load(std::memory_order_relaxed); }

  Fd wake_;
  std::atomic<bool> asleep_ = false;     // nobody has logged for a while: the first line is to wake it
  std::atomic<bool> signalled_ = false;  // wake_ was written to since it last looked
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> reopen_ = false;
  std::vector<std::shared_ptr<Sink>> in_use_;  // the writer's copy
  uint64_t look_at_ms_ = 0;                    // the writer's

  std::mutex mutex_;  // of what follows
  std::vector<std::shared_ptr<Sink>> sinks_;
  Counts gone_;  // of sinks that are no more
  bool started_ = false;
  std::thread thread_;
};

inline void Sink::end(uint32_t worker, const char* end) {
  LineBuffer& buffer = *buffers_[worker];
  buffer.commit(end);
  if (sinks_.asleep() || buffer.waiting() >= hand_over_.load(std::memory_order_relaxed)) [[unlikely]]
    sinks_.wake();
}

}  // namespace leat::logging

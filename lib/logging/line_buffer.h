// LineBuffer: the lines of one worker on their way to the thread that writes them.
//
// A run of bytes that is used as a ring: the worker formats each line where it will be read, and says how far it
// has come; the writer says how far it has read. Neither locks, nor waits for the other. A line lies in one piece,
// so that what is left of a lap is skipped where it is too short; and the worker begins a lap anew where all was
// read, so that light traffic touches a few pages and heavy traffic what lies in the cache.
//
// Positions only grow: the place of one in the ring are its lower bits.
//
// Thread: reserve(), commit() and drop() on the worker's alone, gather() and consume() on the writer's; the rest on
// any.
#pragma once

#include <sys/uio.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/block_pool.h"
#include "base/check.h"

namespace leat::logging {

class LineBuffer {
 public:
  // Of that size, or the next power of two.
  explicit LineBuffer(size_t bytes)
      : size_(std::bit_ceil(bytes)), bytes_(std::make_unique_for_overwrite<char[]>(size_)) {}

  // --- The worker's

  // Room for a line of `most` bytes, which is at most half of the buffer. Null: there is none, since the writer is
  // behind.
  [[nodiscard]] char* reserve(size_t most) {
    const uint64_t end = written_.load(std::memory_order_relaxed);
    const uint64_t gap = gap_.load(std::memory_order_relaxed);
    uint64_t read = read_.load(std::memory_order_acquire);
    const size_t place = place_of(end);
    begin_ = end;
    if (place + most > size_ || (read == end && place >= most)) begin_ = next_lap(end);
    // What lies before a gap has been read, as soon as its beginning is reached.
    if (read == gap || read == end) read = next_lap(read) <= begin_ ? next_lap(read) : read;
    if (begin_ + most - read > size_) return nullptr;
    // The former gap was read: all before it is a lap behind.
    if (begin_ != end) gap_.store(end, std::memory_order_relaxed);
    return &bytes_[place_of(begin_)];
  }
  // A line lies there from the beginning of what was reserved to `end`.
  void commit(const char* end) {
    const auto line = static_cast<uint64_t>(end - &bytes_[place_of(begin_)]);
    lines_ += 1;
    written_.store(begin_ + line, std::memory_order_release);
  }
  // A line that found no room.
  void drop() { dropped_ += 1; }

  // --- The writer's

  // What waits, in one or two pieces.
  size_t gather(iovec (&pieces)[2]) const {
    const uint64_t written = written_.load(std::memory_order_acquire);
    const uint64_t gap = gap_.load(std::memory_order_relaxed);
    uint64_t at = read_.load(std::memory_order_relaxed);
    size_t count = 0;
    while (at != written && count < 2) {
      const uint64_t lap = next_lap(at);
      // One at the very end is no gap yet: the worker is about to jump it.
      const bool jumps = gap >= at && gap < written && gap < lap;
      const uint64_t end = jumps ? gap : std::min(written, lap);
      if (end != at) pieces[count++] = {&bytes_[place_of(at)], static_cast<size_t>(end - at)};
      at = jumps ? lap : end;
    }
    return count;
  }
  // So many bytes of that have been written, or are given up.
  void consume(size_t count) {
    const uint64_t gap = gap_.load(std::memory_order_relaxed);
    uint64_t at = read_.load(std::memory_order_relaxed);
    const auto skip = [&] {
      if (at == gap) at = next_lap(at);
    };
    while (count != 0) {
      skip();
      const uint64_t lap = next_lap(at);
      const uint64_t end = gap >= at && gap < lap ? gap : lap;
      const size_t step = std::min<uint64_t>(count, end - at);
      at += step;
      count -= step;
    }
    // Where the worker waits at the gap it is still about to jump.
    if (at == gap && at != written_.load(std::memory_order_acquire)) skip();
    read_.store(at, std::memory_order_release);
  }

  // --- Any

  // Bytes that wait.
  [[nodiscard]] uint64_t waiting() const {
    const uint64_t written = written_.load(std::memory_order_acquire);
    const uint64_t read = read_.load(std::memory_order_relaxed);
    const uint64_t gap = gap_.load(std::memory_order_relaxed);
    return written - read - (gap >= read && gap < written ? next_lap(gap) - gap : 0);
  }
  [[nodiscard]] uint64_t lines() const { return lines_; }
  [[nodiscard]] uint64_t dropped() const { return dropped_; }
  void count_lost(uint64_t lines) { lost_.fetch_add(lines, std::memory_order_relaxed); }
  // Of those that were taken, the ones that could not be written.
  [[nodiscard]] uint64_t lost() const { return lost_.load(std::memory_order_relaxed); }

 private:
  [[nodiscard]] size_t place_of(uint64_t position) const { return position & (size_ - 1); }
  [[nodiscard]] uint64_t next_lap(uint64_t position) const { return position - place_of(position) + size_; }

  const size_t size_;  // a power of two
  const std::unique_ptr<char[]> bytes_;

  // The worker's.
  alignas(64) std::atomic<uint64_t> written_ = 0;
  std::atomic<uint64_t> gap_ = UINT64_MAX;  // where the last one begins that a line did not fit into
  uint64_t begin_ = 0;                      // of the line that is being written
  SingleWriterCount lines_, dropped_;

  // The writer's.
  alignas(64) std::atomic<uint64_t> read_ = 0;
  std::atomic<uint64_t> lost_ = 0;
};

}  // namespace leat::logging

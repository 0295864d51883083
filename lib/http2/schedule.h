// Schedule: which stream of a connection sends next (RFC 9218, section 10).
//
// A list for each urgency; of the most urgent the first. One that is of use in parts goes to the end of its list after each part,
// any other stays in front until it has nothing to send. Every step is a few pointers, whatever the number of streams.
#pragma once

#include <array>
#include <cstdint>

#include "http2/stream.h"

namespace leat::http2 {

class Schedule {
 public:
  [[nodiscard]] bool empty() const { return levels_in_use_ == 0; }
  // The one whose turn it is; null: there is none.
  [[nodiscard]] Stream* front() const {
    return levels_in_use_ == 0 ? nullptr
                               : levels_[static_cast<unsigned>(__builtin_ctz(levels_in_use_))].first;
  }

  // It has something to send, and may.
  void add(Stream& stream) {
    if (stream.scheduled) return;
    stream.scheduled = true;
    append(stream);
  }
  void remove(Stream& stream) {
    if (!stream.scheduled) return;
    stream.scheduled = false;
    unlink(stream);
  }
  // It has had its turn.
  void rotate(Stream& stream) {
    if (!stream.priority.incremental || stream.behind == nullptr) return;
    unlink(stream);
    append(stream);
  }
  // Its priority is another one from now on.
  void change(Stream& stream, Priority priority) {
    if (stream.scheduled) unlink(stream);
    stream.priority = priority;
    if (stream.scheduled) append(stream);
  }

 private:
  struct Level {
    Stream* first = nullptr;
    Stream* last = nullptr;
  };

  void append(Stream& stream) {
    Level& level = levels_[stream.priority.urgency];
    stream.before = level.last;
    stream.behind = nullptr;
    (level.last != nullptr ? level.last->behind : level.first) = &stream;
    level.last = &stream;
    levels_in_use_ |= 1u << stream.priority.urgency;
  }
  void unlink(Stream& stream) {
    Level& level = levels_[stream.priority.urgency];
    (stream.before != nullptr ? stream.before->behind : level.first) = stream.behind;
    (stream.behind != nullptr ? stream.behind->before : level.last) = stream.before;
    stream.before = stream.behind = nullptr;
    if (level.first == nullptr) levels_in_use_ &= ~(1u << stream.priority.urgency);
  }

  std::array<Level, Priority::kLevels> levels_{};
  uint32_t levels_in_use_ = 0;  // a bit for each
};

}  // namespace leat::http2

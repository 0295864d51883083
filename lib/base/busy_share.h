// BusyShare: which part of the time a thread that waits for work has not been waiting.
//
// By the clock and not by the processor: a thread that would run and is not let, since others have the core or a quota
// is used up, is as busy as one that runs. Told of each wait; the share is that of the last stretch of at least
// kStretchNs that has ended with one.
//
// Thread: its own.
#pragma once

#include <algorithm>
#include <cstdint>

namespace leat {

class BusyShare {
 public:
  // Short enough that a burst is seen while it lasts, long enough that one request alone is none.
  static constexpr uint64_t kStretchNs = 100'000'000;

  // It has waited from the one moment to the other, on a clock that does not go back.
  void waited(uint64_t from_ns, uint64_t to_ns) {
    waited_ns_ += to_ns - from_ns;
    if (to_ns - begin_ns_ >= kStretchNs) end_stretch(to_ns);
  }
  // 0 to 100.
  [[nodiscard]] unsigned percent() const { return percent_; }

 private:
  void end_stretch(uint64_t now_ns) {
    const uint64_t length_ns = now_ns - begin_ns_;
    // The first one began with the clock, and says nothing.
    percent_ =
        begin_ns_ == 0 ? 0 : static_cast<unsigned>(100 - 100 * std::min(waited_ns_, length_ns) / length_ns);
    begin_ns_ = now_ns;
    waited_ns_ = 0;
  }

  uint64_t begin_ns_ = 0;
  uint64_t waited_ns_ = 0;
  unsigned percent_ = 0;
};

}  // namespace leat

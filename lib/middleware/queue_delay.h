// QueueDelay: whether a queue stands, and who is too late in it (after CoDel, RFC 8289).
//
// A queue that is long for a moment is there to take a burst; one that stands for a whole interval only makes all wait. The two
// differ in the least delay of an interval, and that is what is looked at. What is served together, a turn of a worker's loop,
// counts with its longest delay: the first of it has always just begun. One turn is no sign: a burst is one, and so is a
// handler that was stuck.
//
// Thread: its owner's.
#pragma once

#include <algorithm>
#include <cstdint>

namespace leat::middleware {

class QueueDelay {
 public:
  QueueDelay(uint64_t target_ns, uint64_t interval_ns) : target_ns_(target_ns), interval_ns_(interval_ns) {}

  // One is served that has waited for `delay_ns`, together with all that are served in the turn that began at `turn_ns`, which
  // never goes back. True: the queue stands, and this one is beyond the target: it is better sent away.
  [[nodiscard]] bool is_late(uint64_t turn_ns, uint64_t delay_ns) {
    if (turn_ns != turn_ns_) begin_turn(turn_ns);
    longest_ns_ = std::max(longest_ns_, delay_ns);
    return stands_ && delay_ns > target_ns_;
  }
  [[nodiscard]] bool stands() const { return stands_; }

 private:
  void begin_turn(uint64_t turn_ns) {
    // Where nobody came for so long, nothing stands.
    const bool idle = turn_ns - turn_ns_ > longest_ns_ + interval_ns_;
    least_ns_ = std::min(least_ns_, longest_ns_);
    ++turns_;
    turn_ns_ = turn_ns;
    longest_ns_ = 0;
    if (!idle && (turns_ < kLeastTurns || turn_ns - since_ns_ < interval_ns_)) return;
    stands_ = !idle && least_ns_ > target_ns_;
    since_ns_ = turn_ns;
    least_ns_ = UINT64_MAX;
    turns_ = 0;
  }

  static constexpr uint32_t kLeastTurns = 2;

  const uint64_t target_ns_, interval_ns_;
  uint64_t turn_ns_ = 0;
  uint64_t longest_ns_ = 0;         // of the turn
  uint64_t least_ns_ = UINT64_MAX;  // of the turns of this interval, ...
  uint64_t since_ns_ = 0;           // ... which began then
  uint32_t turns_ = 0;              // so many of them
  bool stands_ = false;
};

}  // namespace leat::middleware

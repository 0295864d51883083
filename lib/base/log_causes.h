// Causes: how many lines of one cause the log takes.
//
// What a client does, or a plugin with each request, can happen a hundred thousand times a second. Lines that
// say the same bury those that say something else, fill the disk, and cost more than what they tell of. So a
// cause has some lines in a period; those beyond it are counted, and one line says how many they were.
//
// A cause is a number, made of the place in the code and of what the line is about (see log::limited). The
// table has a fixed size: a cause that finds it full shares the period of another, which costs lines and
// never memory. A line too many is a look-up and one addition, without a lock and before anything is
// formatted.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace leat::log {

enum class Level : uint8_t;  // log.h; carried from note() to Tell

class Causes {
 public:
  // Says how many lines were left out; called with the table's mutex held.
  using Tell = void (*)(Level level, std::string_view line);

  constexpr explicit Causes(Tell tell) : tell_(tell) {}
  Causes(const Causes&) = delete;
  Causes& operator=(const Causes&) = delete;

  void set_period(uint64_t ms) { period_ms_.store(ms, std::memory_order_relaxed); }
  // Whether a line of `cause`, of which there may be `most` in a period, is written. The first one in a
  // period is to be shown to note().
  enum class Answer : uint8_t { No, Yes, First };
  [[nodiscard]] Answer admit(uint64_t cause, uint32_t most, uint64_t now_ms);
  // The line that stands for those that may be left out.
  void note(uint64_t cause, Level level, std::string_view line);
  // Tells of the periods that are over. Without it a cause that falls silent is told of when it comes again.
  void sweep(uint64_t now_ms);
  // Lines left out in periods that are over.
  [[nodiscard]] uint64_t left_out() const { return left_out_.load(std::memory_order_relaxed); }

 private:
  // Causes are handlers and kinds of mistakes: a hundred at a time would be a bad day.
  static constexpr size_t kSlots = 512;
  static constexpr size_t kProbes = 8;
  // Enough to recognise a line by.
  static constexpr size_t kExample = 160;

  struct Slot {
    std::atomic<uint64_t> cause = 0;     // 0: free
    std::atomic<uint64_t> until_ms = 0;  // the end of its period
    std::atomic<uint64_t> lines = 0;     // that came in it
    // With the mutex held:
    uint32_t most = 0;
    Level level{};
    size_t example_size = 0;
    std::array<char, kExample> example{};
  };

  Slot& find(uint64_t cause);
  void settle(Slot& slot);

  Tell tell_;
  std::atomic<uint64_t> period_ms_ = 10'000;
  std::atomic<uint64_t> left_out_ = 0;
  std::mutex mutex_;
  std::array<Slot, kSlots> slots_{};
};

}  // namespace leat::log

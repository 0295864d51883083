#include "base/log_causes.h"

#include <fmt/core.h>

#include "base/text.h"
#include "base/units.h"

namespace leat::log {

// The slot of `cause`, or one that it takes; where none is free, the first one it looked at, whosever it is.
// Slots become free in any order, so that a cause may come to have two: then it has more lines, once.
Causes::Slot& Causes::find(uint64_t cause) {
  for (size_t i = 0; i < kProbes; ++i) {
    Slot& slot = slots_[(cause + i) % kSlots];
    uint64_t there = slot.cause.load(std::memory_order_relaxed);
    if (there == cause) return slot;
    if (there == 0 && slot.cause.compare_exchange_strong(there, cause, std::memory_order_relaxed))
      return slot;
    if (there == cause) return slot;
  }
  return slots_[cause % kSlots];
}

Causes::Answer Causes::admit(uint64_t cause, uint32_t most, uint64_t now_ms) {
  Slot& slot = find(cause);
  const auto count = [&] {
    return slot.lines.fetch_add(1, std::memory_order_relaxed) < most ? Answer::Yes : Answer::No;
  };
  if (now_ms < slot.until_ms.load(std::memory_order_acquire)) return count();
  const std::lock_guard lock(mutex_);
  if (now_ms < slot.until_ms.load(std::memory_order_relaxed)) return count();
  settle(slot);
  slot.cause.store(cause, std::memory_order_relaxed);
  slot.most = most;
  slot.lines.store(1, std::memory_order_relaxed);
  slot.until_ms.store(now_ms + period_ms_.load(std::memory_order_relaxed), std::memory_order_release);
  return Answer::First;
}

void Causes::note(uint64_t cause, Level level, std::string_view line) {
  Slot& slot = find(cause);
  const std::lock_guard lock(mutex_);
  slot.level = level;
  slot.example_size = text_prefix(line, kExample).copy(slot.example.data(), kExample);
}

// The end of a period: with the mutex held.
void Causes::settle(Slot& slot) {
  const uint64_t lines = slot.lines.exchange(0, std::memory_order_relaxed);
  if (lines <= slot.most) return;
  const uint64_t more = lines - slot.most;
  left_out_.fetch_add(more, std::memory_order_relaxed);
  tell_(slot.level,
        fmt::format("{} like this {} left out: {}", counted(more, "more line"), more == 1 ? "was" : "were",
                    std::string_view(slot.example.data(), slot.example_size)));
}

void Causes::sweep(uint64_t now_ms) {
  const std::lock_guard lock(mutex_);
  for (Slot& slot : slots_) {
    if (slot.cause.load(std::memory_order_relaxed) == 0 ||
        now_ms < slot.until_ms.load(std::memory_order_relaxed))
      continue;
    settle(slot);
    slot.until_ms.store(0, std::memory_order_relaxed);
    slot.cause.store(0, std::memory_order_relaxed);
  }
}

}  // namespace leat::log

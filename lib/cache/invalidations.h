// Invalidations: what was purged, kept as moments instead of by going through the entries.
//
// A response can be purged by its path, by its target, by each folder that it lies under and by its tags.
// Each of these names has a slot in one table; the slots of a response are kept with it, beside the moment at
// which its handler began. Purging a name writes the moment of the purge into its slot. A response of which a
// slot holds a later moment than its own was purged. So
//  - a purge costs one store, however much it hits, and a storm of them takes nothing from those who serve;
//  - what a handler began to make before the purge and ended after it is purged as well;
//  - a hit looks at one number as long as nothing was purged since it was made.
// Names whose hashes share a slot are purged together: a response more is asked for again, never one less.
// The hash has a secret, so that nobody can choose such names.
//
// A soft purge makes stale: what may be served stale is, while it is made anew. A hard one makes it as if it
// had never been stored; its memory is used again when it is evicted or expires.
//
// Thread: any, all of it. No call blocks but the first purge, which makes the table (1 MiB).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "base/siphash.h"

namespace leat::cache {

class Invalidations {
 public:
  // What a name is of: a path with whatever query, a path and its query, a path and all below it, a tag, a path of one host.
  enum class Kind : uint8_t { Path, Target, Folder, Tag, Page };
  enum class Verdict : uint8_t { Good, Stale, Gone };
  struct Judgement {
    Verdict verdict = Verdict::Good;
    uint64_t since_ms = 0;  // of Stale: the time of the purge
  };

  Invalidations();
  Invalidations(const Invalidations&) = delete;
  Invalidations& operator=(const Invalidations&) = delete;

  // Of what is begun to be made now.
  [[nodiscard]] uint64_t moment() const { return clock_.load(); }
  [[nodiscard]] uint32_t slot(Kind kind, std::string_view name) const;

  // `now_ms` is CLOCK_MONOTONIC.
  void purge(uint32_t slot, bool hard, uint64_t now_ms);
  void purge_all(bool hard, uint64_t now_ms);

  // What has become of a response with that moment; `slots` are `count` numbers, at any alignment.
  [[nodiscard]] Judgement judge(uint64_t moment, const char* slots, size_t count) const {
    if (last_.load(std::memory_order_acquire) <= moment) [[likely]]
      return {};
    return judge_slots(moment, slots, count);
  }

 private:
  static constexpr uint32_t kSlots = 1U << 16;
  // A moment is a time in milliseconds, and below that a count of those within one.
  static constexpr unsigned kCountBits = 20;
  // The moments of the last purges, hard ones and all.
  struct Slot {
    std::atomic<uint64_t> hard = 0, any = 0;
  };

  [[nodiscard]] Judgement judge_slots(uint64_t moment, const char* slots, size_t count) const;
  Slot* table();
  void mark(Slot& slot, bool hard, uint64_t now_ms);

  const SipKey secret_;
  std::atomic<uint64_t> clock_ = 1;
  std::atomic<uint64_t> last_ = 0;  // the latest moment in any slot
  Slot all_;
  std::mutex making_;
  std::unique_ptr<Slot[]> made_;
  std::atomic<Slot*> table_ = nullptr;
};

}  // namespace leat::cache

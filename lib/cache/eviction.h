// Eviction: which entries of a shard stay where there is no room for all.
//
// A new entry waits in the small queue. When it comes to the queue's end, and was asked for meanwhile, it
// moves to the main queue. Else it has to be asked for more often, for its size, than the entry that would
// have to go for it: the next in the main queue that nobody has asked for since it was last looked at. So far
// that is S3-FIFO (Yang and others, SOSP 2023) with TinyLFU's judgement at the door (Einziger, Friedman and
// Manes, 2017). A scan of things that are asked for once passes through the small queue and leaves the rest
// alone.
//
// How often something is asked for, the frequency, is counted where it costs a hit nothing: a hit adds to the
// entry's own `uses`, which are added up here when an entry is looked at. Of what went only that number is
// remembered, with a fingerprint of its hash (Ghosts). All numbers are halved after kMemory requests for each
// entry, and they end at seven: what was popular once must not stay for that.
//
// How large the small queue is decides whom the shard serves: those who ask for the same things day by day,
// or those who ask for what is new, and soon again. It finds out by itself. Each miss of what went from the
// small queue a short while ago would have been a hit, had the queue been larger by that entry, and it
// becomes so; each one that is weighed against an entry of the main queue makes it smaller, the more so the
// more often that entry is asked for. Both would gain the same from a little room more where these are equal.
//
// Rejected: LRU, which a scan flushes, and which makes each hit a write to a list that all workers share;
// W-TinyLFU, which does so with a list and a sketch, finds less on most traces of bench/hit_rates.cc and not
// half as much where what is new is what is asked for; S3-FIFO alone, which forgets how often what went was
// asked for.
//
// Thread: who has the shard's mutex.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "cache/entry.h"

namespace leat::cache {

// How often what went was asked for, and when it went: one word for each, in sets of four by hash, of which
// the rarest one gives way.
class Ghosts {
 public:
  explicit Ghosts(size_t count) : slots_(count) {}  // a power of two, at least kWays

  struct Ghost {
    uint8_t frequency = 0;
    bool recent = false;  // it went from the small queue a short while ago
  };
  [[nodiscard]] Ghost find(uint64_t hash, uint32_t moment) const;
  void add(uint64_t hash, uint8_t frequency, uint32_t moment);
  void halve();

 private:
  static constexpr size_t kWays = 4;
  // A slot: 16 bits of the hash, 13 of the moment, 3 of the frequency.
  static constexpr uint32_t kFrequencyBits = 3, kMomentBits = 13;
  static constexpr uint32_t kFrequencies = (1U << kFrequencyBits) - 1, kMoments = (1U << kMomentBits) - 1;

  // The lowest bits of a hash choose the shard, the highest are the fingerprint.
  [[nodiscard]] size_t set_of(uint64_t hash) const { return hash / 16 % (slots_.size() / kWays) * kWays; }

  std::vector<uint32_t> slots_;
};

class Eviction {
 public:
  static constexpr size_t kBytesPerGhost = sizeof(uint32_t);

  // `room` in bytes, with `ghosts` (a power of two, at least 4) to remember beside it.
  Eviction(size_t room, size_t ghosts);

  // `replaced`, if any, is the entry in whose place this one comes; it is still in.
  void add(Entry& entry, const Entry* replaced);
  void remove(Entry& entry);
  // How often it was asked for, of late more than before.
  uint8_t frequency_of(Entry& entry) {
    look_at(entry);
    return entry.frequency;
  }
  // One that another one has had, with its queue and what is known of how often it was asked for.
  void adopt(Entry& entry);
  // The entry that has to go next, removed; nullptr when all fit. Never the last one that was added, as long
  // as there are others.
  Entry* next_to_go(uint64_t now_ms);

  [[nodiscard]] size_t bytes() const { return small_.bytes + main_.bytes; }
  [[nodiscard]] size_t count() const { return count_; }
  // Calls `visit(entry)` for each; it may be removed by that.
  template <class Visit>
  void for_each(Visit visit) {
    for (Queue* queue : {&small_, &main_})
      for (Entry* entry = queue->oldest; entry != nullptr;) {
        Entry* const next = entry->newer;
        visit(*entry);
        entry = next;
      }
  }

 private:
  // Entries in the order in which they came.
  struct Queue {
    Entry* newest = nullptr;
    Entry* oldest = nullptr;
    size_t bytes = 0;

    void add(Entry& entry);
    void remove(Entry& entry);
  };

  Queue& queue_of(const Entry& entry) { return entry.in_main ? main_ : small_; }
  bool look_at(Entry& entry);
  void remember(const Entry& entry);
  void halve();
  Entry* judge_oldest_small(uint64_t now_ms);
  Entry& weakest_main(uint64_t now_ms);
  // The time as Ghosts have it: what was added, in 64ths of the room.
  [[nodiscard]] uint32_t moment() const { return static_cast<uint32_t>(added_bytes_ / (room_ / 64 + 1)); }

  const size_t room_;
  Queue small_, main_;
  size_t small_room_;
  size_t count_ = 0;
  uint64_t added_bytes_ = 0;  // ever
  uint64_t asked_ = 0;        // as far as it is known, since the last halving
  uint32_t halvings_ = 0;
  Ghosts ghosts_;
};

}  // namespace leat::cache

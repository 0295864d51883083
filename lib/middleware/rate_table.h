// RateTable: how much of their budget keys have used, for all workers at once, in memory that nobody can make grow.
//
// The generic cell rate algorithm (GCRA): each request moves its key's "theoretical arrival time" (TAT) on by the time
// that the rate gives one, and is let in where that is at most a burst ahead of now. So one number is all there is of
// a key, nothing has to run when a window ends, and there is no moment at which all come back.
//
//   word: | mark, 16 bits of the key's hash | TAT, 48 bits, in ticks: parts of the time of one request |   0: empty
//
// A key has its place in one set of eight words, which is a cache line; a change is one compare-and-swap. Where a set is
// full, a new key takes the place of the one that is nearest to having all of its budget: it loses least, and who is
// being limited is the last to go. What goes is forgiven and never charged to another. Keys whose set and mark are the
// same share a budget: about one in 8000 of those in a full table, and nobody can choose which, as the hash is keyed.
//
// Two threads that bring the same new key at the same moment may both enter it; the one that is found first counts from
// then on. Rejected: a map under a lock (each worker waits for the others, and it grows); tables of each worker's own
// (a client has as many budgets as there are workers).
//
// Thread: any.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace leat::middleware {

// So many requests in so much time, of which so many may come at once.
struct Rate {
  uint64_t count = 100;
  uint64_t period_ns = 1'000'000'000;
  uint64_t burst = 100;

  // At most so many in a second, so that a tick is more than a nanosecond.
  static constexpr uint64_t kMostPerSecond = 1'000'000;
  static constexpr uint64_t kMostBurst = 1'000'000;
  // The time in which so many are given, in seconds, rounded up.
  [[nodiscard]] uint64_t seconds(uint64_t requests) const { return scale(requests, count * kSecond); }
  bool operator==(const Rate&) const = default;

 private:
  friend class RateTable;
  __extension__ typedef unsigned __int128 Wide;
  static constexpr uint64_t kSecond = 1'000'000'000;
  [[nodiscard]] uint64_t scale(uint64_t what, uint64_t by) const {
    return static_cast<uint64_t>((Wide{what} * period_ns + by - 1) / by);
  }
};

class RateTable {
 public:
  static constexpr size_t kWays = 8;

  // Room for at least `keys`; the memory is all taken here. `rate`: count and burst from 1 on, within their bounds.
  RateTable(size_t keys, const Rate& rate)
      : rate_(rate),
        each_(ticks_of_one(rate)),
        // Rounded up, so that a wait that was told is over when it is.
        ticks_per_ns_(static_cast<uint64_t>((Rate::Wide{rate.count * each_} << 64) / rate.period_ns) + 1),
        most_(rate.burst * each_),
        impossible_(2 * most_ + ticks(kMostSkewNs)),
        sets_(std::bit_ceil((keys + kWays - 1) / kWays)),
        table_(std::make_unique<Set[]>(sets_)) {}

  struct Outcome {
    bool allowed;
    bool evicted;             // another key that had not all of its budget was forgotten for it
    uint64_t remaining;       // requests that may come at once behind this one
    uint64_t retry_s = 0;     // of one that is limited: when the next is allowed, at least 1
    uint64_t restored_s = 0;  // when all of the budget is back
  };
  // Asks for one request of the key that `hash`, a keyed one, stands for. `now_ns`: a clock that all threads read;
  // that theirs differ by a few seconds does no more than that.
  Outcome take(uint64_t hash, uint64_t now_ns) {
    const uint64_t now = ticks(now_ns) & kTime;
    const uint64_t high = hash >> kTimeBits;
    const uint64_t mark = high == 0 ? 1 : high;  // so that no word in use is 0
    Set& set = table_[hash & (sets_ - 1)];
    for (;;) {
      std::atomic<uint64_t>* place = nullptr;
      uint64_t word = 0, ahead = UINT64_MAX;
      bool found = false;
      for (std::atomic<uint64_t>& each : set.words) {
        const uint64_t seen = each.load(std::memory_order_relaxed);
        found = seen >> kTimeBits == mark;
        const uint64_t its = ahead_of(seen, now);
        if (!found && its >= ahead) continue;
        place = &each, word = seen, ahead = its;
        if (found) break;
      }
      const bool evicted = !found && ahead != 0;
      if (!found) ahead = 0;
      if (ahead + each_ > most_) return limited(ahead);
      const uint64_t next = mark << kTimeBits | ((now + ahead + each_) & kTime);
      if (place->compare_exchange_strong(word, next, std::memory_order_relaxed))
        return allowed(ahead + each_, evicted);
    }
  }

  [[nodiscard]] const Rate& rate() const { return rate_; }
  [[nodiscard]] size_t bytes() const { return sets_ * sizeof(Set); }
  // Keys that have not all of their budget. For tests: it looks at every word.
  [[nodiscard]] size_t used(uint64_t now_ns) const {
    size_t count = 0;
    for (size_t i = 0; i < sets_; ++i)
      for (const auto& each : table_[i].words)
        count += ahead_of(each.load(std::memory_order_relaxed), ticks(now_ns) & kTime) != 0;
    return count;
  }

 private:
  static constexpr unsigned kTimeBits = 48;
  static constexpr uint64_t kTime = (uint64_t{1} << kTimeBits) - 1;
  // A request has so many ticks at least: they make its time exact to 2 %, once and not for each, and leave 50 days until
  // the time comes round at the highest rate, 1400 years at 100 a second. Where it has time for more, a tick is a
  // millisecond or two, up to so many that the largest burst is a quarter of what a word can tell.
  static constexpr uint64_t kLeastTicks = 64, kMostTicks = uint64_t{1} << 26, kTickNs = 1'000'000;
  static_assert(Rate::kMostBurst * kMostTicks <= kTime / 4);
  // A turn of a worker, which is the age of its clock, is much shorter.
  static constexpr uint64_t kMostSkewNs = 60'000'000'000;

  struct alignas(64) Set {
    std::atomic<uint64_t> words[kWays] = {};
  };

  static uint64_t ticks_of_one(const Rate& rate) {
    return std::clamp(std::bit_floor(rate.period_ns / rate.count / kTickNs), kLeastTicks, kMostTicks);
  }
  [[nodiscard]] uint64_t ticks(uint64_t ns) const {
    return static_cast<uint64_t>((Rate::Wide{ns} * ticks_per_ns_) >> 64);
  }
  // How far its TAT is ahead of now: 0 for one that has passed. One further ahead than any can be has passed as well,
  // long ago: the time has come round since.
  [[nodiscard]] uint64_t ahead_of(uint64_t word, uint64_t now) const {
    if (word == 0) return 0;
    const uint64_t ahead = (word - now) & kTime;
    return ahead > impossible_ ? 0 : ahead;
  }
  [[nodiscard]] uint64_t seconds(uint64_t ticks) const {
    return rate_.scale(ticks, rate_.count * each_ * Rate::kSecond);
  }
  [[nodiscard]] Outcome limited(uint64_t ahead) const {
    const uint64_t wait = seconds(ahead + each_ - most_);
    return {.allowed = false,
            .evicted = false,
            .remaining = 0,
            .retry_s = wait == 0 ? 1 : wait,
            .restored_s = seconds(ahead)};
  }
  [[nodiscard]] Outcome allowed(uint64_t ahead, bool evicted) const {
    return {.allowed = true,
            .evicted = evicted,
            .remaining = (most_ - ahead) / each_,
            .restored_s = seconds(ahead)};
  }

  const Rate rate_;
  const uint64_t each_;          // ticks of one request
  const uint64_t ticks_per_ns_;  // in 2^-64
  const uint64_t most_;          // ticks that a key may be ahead
  const uint64_t impossible_;
  const size_t sets_;  // a power of two
  const std::unique_ptr<Set[]> table_;
};

}  // namespace leat::middleware

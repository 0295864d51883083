// PlaceTable: how many places each of many keys has taken, for all workers at once, in memory that nobody can make grow.
//
//   word: | mark, 36 bits of the key's hash | owner, 12 bits | count, 16 bits |   0: free
//
// A key that has places has one word, in one of two sets of eight (a cache line each), with the count in it; who takes or gives
// one changes it by one compare-and-swap. A key without places has no word: nothing is kept of who is not there, nothing is ever
// forgotten for somebody else, and the counts are exact.
//
// So that a key never has two words, a new one is entered in two steps. A word that has an owner, a worker, is a claim and
// counts for nothing. Behind its claim a worker looks at all sixteen places again: where the key has a word by now it takes its
// claim back, where another's claim comes later in their order it strikes that out, and only a claim that is still there then
// becomes a word with a count of one. Of two that are made at the same moment each is seen by at least one of the two.
//
// Where all sixteen are taken there is no room for the key: that takes more keys at the same time than half of the table, and
// nobody can choose which keys meet, as the hash is keyed.
//
// Rejected: a map under a lock (each worker waits for the others, and it grows); counters that keys share by their hash (one
// keeps others out that it has nothing to do with).
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace leat::middleware {

class PlaceTable {
 public:
  using Word = std::atomic<uint64_t>;
  static constexpr size_t kWays = 8;
  static constexpr uint32_t kMostPlaces = (1U << 16) - 1;
  static constexpr uint32_t kMostWorkers = (1U << 12) - 1;

  // Room for at least `keys`, all of which is taken here. `most`: of a key, from 1 to kMostPlaces.
  PlaceTable(size_t keys, uint32_t most)
      : most_(most),
        sets_(std::bit_ceil((keys + kWays - 1) / kWays)),
        table_(std::make_unique<Set[]>(sets_)) {}

  struct Taken {
    Word* place = nullptr;  // for give(); null: there is none
    bool full = false;      // not the key's fault: there is no room for another key
  };
  // `hash`, a keyed one, stands for a key. `worker`: of the thread that asks, less than kMostWorkers; no two threads ask as the
  // same at a time.
  [[nodiscard]] Taken take(uint64_t hash, uint32_t worker) {
    Candidates words;
    const size_t count = find(hash, words);
    const uint64_t mark = hash & kMark;
    const uint64_t claim = mark | (uint64_t{worker} + 1) << kCountBits;
    for (;;) {
      Word* free = nullptr;
      switch (const Step step = add_one(words, count, mark, free)) {
        case Step::Again:
          continue;
        case Step::None:
          break;
        default:
          return {.place = step == Step::Taken ? free : nullptr};
      }
      if (free == nullptr) return {.place = nullptr, .full = true};
      uint64_t nothing = 0;
      if (!free->compare_exchange_strong(nothing, claim)) continue;
      if (enter(words, count, mark, claim, *free)) return {.place = free};
    }
  }

  // Of one that take() has given; once.
  static void give(Word& place) {
    uint64_t word = place.load(std::memory_order_relaxed);
    while (!place.compare_exchange_weak(word, (word & kCount) == 1 ? 0 : word - 1)) {
    }
  }

  [[nodiscard]] uint32_t most() const { return most_; }
  [[nodiscard]] size_t bytes() const { return sets_ * sizeof(Set); }
  // How many places the key has; for people.
  [[nodiscard]] uint32_t taken(uint64_t hash) const {
    Candidates words;
    const size_t count = find(hash, words);
    for (size_t i = 0; i < count; ++i)
      if (const uint64_t word = words[i]->load(); is_of(word, hash & kMark))
        return static_cast<uint32_t>(word & kCount);
    return 0;
  }
  // Words that are not free. For tests: it looks at all.
  [[nodiscard]] size_t used() const {
    size_t count = 0;
    for (size_t i = 0; i < sets_; ++i)
      for (const Word& each : table_[i].words) count += each.load() != 0 ? 1 : 0;
    return count;
  }

 private:
  static constexpr unsigned kCountBits = 16, kOwnerBits = 12;
  static constexpr uint64_t kCount = (uint64_t{1} << kCountBits) - 1;
  static constexpr uint64_t kOwner = ((uint64_t{1} << kOwnerBits) - 1) << kCountBits;
  static constexpr uint64_t kMark = ~(kCount | kOwner);
  static_assert(std::popcount(kMark) == 36);

  struct alignas(64) Set {
    Word words[kWays] = {};
  };
  using Candidates = std::array<Word*, 2 * kWays>;
  enum class Step : uint8_t { None, Taken, Limited, Again };

  static bool is_of(uint64_t word, uint64_t mark) { return (word & kMark) == mark && (word & kCount) != 0; }
  static bool is_claim(uint64_t word, uint64_t mark) {
    return (word & kMark) == mark && (word & kOwner) != 0;
  }

  // The places that the key may have, in the order that is the same for all.
  size_t find(uint64_t hash, Candidates& words) const {
    const uint64_t first = hash & (sets_ - 1);
    // Of bits that the mark has as well, so that what is one key by its mark has the same two sets.
    const uint64_t second = (first ^ (hash >> (kCountBits + kOwnerBits) | 1)) & (sets_ - 1);
    size_t count = 0;
    for (Word& each : table_[first].words) words[count++] = &each;
    if (second != first)
      for (Word& each : table_[second].words) words[count++] = &each;
    return count;
  }

  // Counts one more where the key has a word; `free` is that one, or else one that nobody has, in the set that has more of
  // them. None: it has none. Limited: it has as many as it may.
  Step add_one(const Candidates& words, size_t count, uint64_t mark, Word*& free) const {
    Word* open[2] = {};
    size_t room[2] = {};
    for (size_t i = 0; i < count; ++i) {
      uint64_t word = words[i]->load();
      if (is_of(word, mark)) {
        if ((word & kCount) >= most_) return Step::Limited;
        free = words[i];
        return words[i]->compare_exchange_strong(word, word + 1) ? Step::Taken : Step::Again;
      }
      if (word != 0) continue;
      open[i / kWays] = words[i];
      ++room[i / kWays];
    }
    free = room[0] >= room[1] ? open[0] : open[1];
    return Step::None;
  }

  // Makes the claim at `own` the key's word. False: it is taken back, or was struck out.
  static bool enter(const Candidates& words, size_t count, uint64_t mark, uint64_t claim, Word& own) {
    bool before = true;  // own
    for (size_t i = 0; i < count; ++i) {
      if (words[i] == &own) {
        before = false;
        continue;
      }
      uint64_t word = words[i]->load();
      while (is_claim(word, mark) && !before && !words[i]->compare_exchange_weak(word, 0)) {
      }
      if (is_of(word, mark) || (before && is_claim(word, mark))) {
        uint64_t its = claim;
        (void)own.compare_exchange_strong(its, 0);  // unless somebody has done so already
        return false;
      }
    }
    uint64_t its = claim;
    return own.compare_exchange_strong(its, mark | 1);
  }

  const uint32_t most_;
  const size_t sets_;  // a power of two
  const std::unique_ptr<Set[]> table_;
};

}  // namespace leat::middleware

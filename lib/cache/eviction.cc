#include "cache/eviction.h"

#include <algorithm>

namespace leat::cache {

namespace {

// What Ghosts can remember, and a hit counts up to.
constexpr uint8_t kMostFrequency = 7;
static_assert(Entry::kMostUses == kMostFrequency);
// Requests for each entry between two halvings. With half as many, less is known of how often things are
// asked for; with twice as many, what was popular once stays for longer.
constexpr size_t kMemory = 8;
// The small queue's room, as divisors of all, and how much of it can be.
constexpr size_t kLeastSmall = 50, kFirstSmall = 20;
constexpr double kMostSmall = 0.6;
// A ghost is recent until a tenth of the room was filled after it, in 64ths.
constexpr uint32_t kRecent = 6;
// What a weighing counts less than a miss of a recent ghost. A frequency of one is a hit in about 15 requests
// for each entry that there is, half of which are misses and thus weighings; a recent ghost is one in a tenth
// of that.
constexpr size_t kWeighings = 50;
// So many entries at the end of the main queue are looked at, to find one that was not asked for.
constexpr int kMostLooks = 5;

constexpr uint32_t fingerprint(uint64_t hash) { return static_cast<uint32_t>(hash >> 48) | 1; }

}  // namespace

Ghosts::Ghost Ghosts::find(uint64_t hash, uint32_t moment) const {
  const uint32_t* const set = &slots_[set_of(hash)];
  for (const uint32_t* slot = set; slot != set + kWays; ++slot) {
    if (*slot >> (kMomentBits + kFrequencyBits) != fingerprint(hash)) continue;
    const uint32_t age = (moment - (*slot >> kFrequencyBits)) & kMoments;
    return {.frequency = static_cast<uint8_t>(*slot & kFrequencies), .recent = age <= kRecent};
  }
  return {};
}

// Of those that are as rare, the first goes, which came last: the others have stood the test for longer.
void Ghosts::add(uint64_t hash, uint8_t frequency, uint32_t moment) {
  uint32_t* const set = &slots_[set_of(hash)];
  uint32_t* place = set;
  for (uint32_t* slot = set; slot != set + kWays; ++slot) {
    if (*slot >> (kMomentBits + kFrequencyBits) == fingerprint(hash)) {
      place = slot;
      break;
    }
    if ((*slot & kFrequencies) < (*place & kFrequencies)) place = slot;
  }
  std::copy_backward(set, place, place + 1);
  *set = (fingerprint(hash) << kMomentBits | (moment & kMoments)) << kFrequencyBits | frequency;
}

void Ghosts::halve() {
  for (uint32_t& slot : slots_) slot = (slot & ~kFrequencies) | (slot & kFrequencies) / 2;
}

void Eviction::Queue::add(Entry& entry) {
  entry.newer = nullptr;
  entry.older = newest;
  (newest != nullptr ? newest->newer : oldest) = &entry;
  newest = &entry;
  bytes += entry.size;
}

void Eviction::Queue::remove(Entry& entry) {
  (entry.newer != nullptr ? entry.newer->older : newest) = entry.older;
  (entry.older != nullptr ? entry.older->newer : oldest) = entry.newer;
  bytes -= entry.size;
}

Eviction::Eviction(size_t room, size_t ghosts)
    : room_(room), small_room_(room / kFirstSmall), ghosts_(ghosts) {}

void Eviction::add(Entry& entry, const Entry* replaced) {
  added_bytes_ += entry.size;
  ++asked_;
  entry.halvings = halvings_;
  if (replaced != nullptr) {
    entry.in_main = replaced->in_main;
    entry.frequency = replaced->frequency;
    entry.halvings = replaced->halvings;
    entry.uses.store(replaced->uses.load(std::memory_order_relaxed), std::memory_order_relaxed);
  } else {
    const Ghosts::Ghost ghost = ghosts_.find(entry.hash, moment());
    entry.frequency = std::min<uint8_t>(ghost.frequency + 1, kMostFrequency);
    const auto most = static_cast<size_t>(kMostSmall * static_cast<double>(room_));
    if (ghost.recent) small_room_ = std::min(small_room_ + entry.size, most);
  }
  queue_of(entry).add(entry);
  ++count_;
}

void Eviction::remove(Entry& entry) {
  queue_of(entry).remove(entry);
  --count_;
}

void Eviction::adopt(Entry& entry) {
  added_bytes_ += entry.size;
  entry.halvings = halvings_;
  queue_of(entry).add(entry);
  ++count_;
}

// Brings its frequency up to date. Whether it was asked for since the last time.
bool Eviction::look_at(Entry& entry) {
  const uint8_t uses = entry.uses.load(std::memory_order_relaxed);
  if (uses != 0) entry.uses.store(0, std::memory_order_relaxed);
  const uint32_t halvings = std::min(halvings_ - entry.halvings, 7U);
  entry.frequency = static_cast<uint8_t>(std::min((entry.frequency >> halvings) + uses, int{kMostFrequency}));
  entry.halvings = halvings_;
  asked_ += uses;
  return uses != 0;
}

void Eviction::remember(const Entry& entry) {
  ghosts_.add(entry.hash, entry.frequency, entry.in_main ? moment() - kRecent - 1 : moment());
}

void Eviction::halve() {
  asked_ = 0;
  ++halvings_;
  ghosts_.halve();
}

Entry* Eviction::next_to_go(uint64_t now_ms) {
  if (bytes() > room_ && asked_ > kMemory * count_) halve();
  while (bytes() > room_) {
    const bool from_small =
        main_.oldest == nullptr || (small_.bytes > small_room_ && small_.oldest != small_.newest);
    Entry* const gone = from_small ? judge_oldest_small(now_ms) : &weakest_main(now_ms);
    if (gone == nullptr) continue;
    remember(*gone);
    remove(*gone);
    return gone;
  }
  return nullptr;
}

// The entry that goes, it or another; or nullptr: it has moved on.
Entry* Eviction::judge_oldest_small(uint64_t now_ms) {
  Entry& entry = *small_.oldest;
  if (entry.expires_ms <= now_ms) return &entry;
  const bool fits = main_.bytes + entry.size + small_room_ <= room_;
  if (look_at(entry) || fits) {
    small_.remove(entry);
    entry.in_main = true;
    main_.add(entry);
    return nullptr;
  }
  if (main_.oldest == nullptr) return &entry;
  Entry& other = weakest_main(now_ms);
  const size_t less = other.frequency * entry.size / kWeighings;
  small_room_ = std::max(room_ / kLeastSmall, small_room_ - std::min(less, small_room_));
  return entry.frequency * other.size > other.frequency * entry.size ? &other : &entry;
}

Entry& Eviction::weakest_main(uint64_t now_ms) {
  Entry* weakest = nullptr;
  for (int i = 0; i < kMostLooks; ++i) {
    Entry& entry = *main_.oldest;
    const bool expired = entry.expires_ms <= now_ms;
    if (!look_at(entry) || expired) {
      if (expired) entry.frequency = 0;
      return entry;
    }
    main_.remove(entry);
    main_.add(entry);
    if (weakest == nullptr || entry.frequency < weakest->frequency) weakest = &entry;
  }
  return *weakest;
}

}  // namespace leat::cache

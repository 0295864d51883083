#include "cache/invalidations.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace leat::cache {

namespace {

void raise(std::atomic<uint64_t>& number, uint64_t to) {
  uint64_t before = number.load();
  while (before < to && !number.compare_exchange_weak(before, to)) {
  }
}

}  // namespace

Invalidations::Invalidations() : secret_(random_sip_key()) {}

uint32_t Invalidations::slot(Kind kind, std::string_view name) const {
  SipKey key = secret_;
  key.high += static_cast<uint64_t>(kind);
  return static_cast<uint32_t>(sip_hash(name, key)) % kSlots;
}

Invalidations::Slot* Invalidations::table() {
  if (Slot* made = table_.load(std::memory_order_acquire)) return made;
  const std::lock_guard lock(making_);
  if (made_ == nullptr) made_.reset(new (std::nothrow) Slot[kSlots]);
  table_.store(made_.get(), std::memory_order_release);
  return made_.get();
}

void Invalidations::mark(Slot& slot, bool hard, uint64_t now_ms) {
  uint64_t before = clock_.load();
  uint64_t moment = 0;
  do {
    moment = std::max(before + 1, now_ms << kCountBits);
  } while (!clock_.compare_exchange_weak(before, moment));
  if (hard) raise(slot.hard, moment);
  raise(slot.any, moment);
  raise(last_, moment);
}

void Invalidations::purge(uint32_t slot, bool hard, uint64_t now_ms) {
  Slot* const made = table();
  // Without memory for the table too much goes rather than too little.
  mark(made != nullptr ? made[slot] : all_, hard, now_ms);
}

void Invalidations::purge_all(bool hard, uint64_t now_ms) { mark(all_, hard, now_ms); }

Invalidations::Judgement Invalidations::judge_slots(uint64_t moment, const char* slots, size_t count) const {
  // A response is stale since the first purge after it; only the last of each name is known.
  uint64_t first = UINT64_MAX;
  bool gone = false;
  const auto look_at = [&](const Slot& slot) {
    if (const uint64_t any = slot.any.load(std::memory_order_relaxed); any > moment)
      first = std::min(first, any);
    gone = gone || slot.hard.load(std::memory_order_relaxed) > moment;
  };
  look_at(all_);
  const Slot* const made = table_.load(std::memory_order_acquire);
  for (size_t i = 0; made != nullptr && i < count; ++i) {
    uint32_t slot = 0;
    std::memcpy(&slot, slots + i * sizeof slot, sizeof slot);
    look_at(made[slot]);
  }
  if (gone) return {Verdict::Gone};
  if (first == UINT64_MAX) return {};
  return {Verdict::Stale, first >> kCountBits};
}

}  // namespace leat::cache

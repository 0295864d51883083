#include "cache/invalidations.h"

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

void Invalidations::mark(Slot& slot, bool hard) {
  const uint64_t moment = clock_.fetch_add(1) + 1;
  if (hard) raise(slot.hard, moment);
  raise(slot.any, moment);
  raise(last_, moment);
}

void Invalidations::purge(uint32_t slot, bool hard) {
  Slot* const made = table();
  // Without memory for the table too much goes rather than too little.
  mark(made != nullptr ? made[slot] : all_, hard);
}

void Invalidations::purge_all(bool hard) { mark(all_, hard); }

Invalidations::Verdict Invalidations::judge_slots(uint64_t moment, const char* slots, size_t count) const {
  Verdict verdict = Verdict::Good;
  const auto look_at = [&](const Slot& slot) {
    if (slot.any.load(std::memory_order_relaxed) > moment && verdict == Verdict::Good)
      verdict = Verdict::Stale;
    if (slot.hard.load(std::memory_order_relaxed) > moment) verdict = Verdict::Gone;
  };
  look_at(all_);
  const Slot* const made = table_.load(std::memory_order_acquire);
  for (size_t i = 0; made != nullptr && i < count && verdict != Verdict::Gone; ++i) {
    uint32_t slot = 0;
    std::memcpy(&slot, slots + i * sizeof slot, sizeof slot);
    look_at(made[slot]);
  }
  return verdict;
}

}  // namespace leat::cache

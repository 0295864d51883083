#include "worker/address_counts.h"

#include "base/check.h"

namespace leat::worker {

bool AddressCounts::enter(uint64_t group, bool crowded) {
  if (group == 0) return true;
  Part& part = part_of(group);
  const std::lock_guard lock(part.mutex);
  const auto found = part.counts.find(group);
  const uint64_t count = found == part.counts.end() ? 0 : found->second;
  const auto& most = crowded ? most_when_crowded_ : most_;
  if (count >= most.load(std::memory_order_relaxed)) return false;
  ++part.counts[group];
  return true;
}

void AddressCounts::leave(uint64_t group) {
  if (group == 0) return;
  Part& part = part_of(group);
  const std::lock_guard lock(part.mutex);
  const auto found = part.counts.find(group);
  ENSURE(found != part.counts.end());
  if (--found->second == 0) part.counts.erase(found);
}

}  // namespace leat::worker

#include "http/known_heads.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "http/bytes.h"

namespace leat::http {

void KnownHeads::Free::operator()(KnownHead* heads) const { ::munmap(heads, kEntries * sizeof(KnownHead)); }

KnownHeads::KnownHeads(uint32_t table) : table_(table) {
  ENSURE(table < kMostTables);
  void* memory = ::mmap(nullptr, kEntries * sizeof(KnownHead), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ENSURE(memory != MAP_FAILED);
  entries_.reset(static_cast<KnownHead*>(memory));
}

namespace {

// The same as equal_bytes(), for so few bytes that a call costs more.
template <size_t size>
bool begin_equal(const char* a, const char* b) {
  static_assert(size % 8 == 0);
  uint64_t difference = 0;
  for (size_t i = 0; i < size; i += 8) {
    uint64_t x = 0;
    uint64_t y = 0;
    std::memcpy(&x, a + i, 8);
    std::memcpy(&y, b + i, 8);
    difference |= x ^ y;
  }
  return difference == 0;
}

bool matches(const KnownHead& known, std::string_view text) {
  const size_t size = known.size;
  return size != 0 && text.size() >= size && equal_bytes(known.bytes, text.data(), size);
}

}  // namespace

KnownHead* KnownHeads::match_and_pin(std::string_view text, KnownHead* hint) {
  if (text.size() < kHashed) return nullptr;
  // The bytes that would be hashed, in place of the hash.
  if (hint != nullptr && begin_equal<kHashed>(hint->bytes, text.data()) && matches(*hint, text)) {
    ++hint->pins;
    return hint;
  }
  const uint64_t hash = hash_bytes(text.data(), kHashed, process_seed());
  KnownHead* set = &entries_[(hash % (kEntries / kWays)) * kWays];
  for (KnownHead* known = set; known != set + kWays; ++known) {
    if (known == hint || known->hash != hash || !matches(*known, text)) continue;
    ++known->pins;
    return known;
  }
  return nullptr;
}

void KnownHeads::forget() {
  // An entry that nothing has filled is memory that nothing has touched.
  for (size_t i = 0; i < kEntries; ++i)
    if (entries_[i].size != 0) entries_[i].size = 0;
}

void KnownHeads::offer(const Head& head) {
  ENSURE(head.framing == Framing::None);
  if (head.size < kHashed || head.size > KnownHead::kMostBytes || head.slot_count > KnownHead::kMostSlots)
    return;
  if (++offered_ % 8 != 0) return;
  const uint64_t hash = hash_bytes(head.bytes, kHashed, process_seed());
  KnownHead* set = &entries_[(hash % (kEntries / kWays)) * kWays];
  KnownHead& known = set[(offered_ / 8) % kWays];
  if (known.pins != 0) return;
  known.hash = hash;
  known.size = head.size;
  known.number = offered_ / 8 * kMostTables + table_;
  known.route_epoch = known.note_owner = 0;
  std::memcpy(known.bytes, head.bytes, head.size);
  std::copy_n(head.slots, head.slot_count, known.slots);
  known.head = head;
  known.head.bytes = known.bytes;
  known.head.slots = known.slots;
}

}  // namespace leat::http

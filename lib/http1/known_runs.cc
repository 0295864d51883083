#include "http1/known_runs.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "http/bytes.h"

namespace leat::http1 {

namespace {

bool begins_with(std::string_view text, const KnownRun& run) {
  return run.size != 0 && text.size() >= run.size && http::equal_bytes(run.bytes, text.data(), run.size);
}

}  // namespace

void KnownRuns::Free::operator()(KnownRun* runs) const { ::munmap(runs, kEntries * sizeof(KnownRun)); }

KnownRuns::KnownRuns() {
  // Mapped rather than allocated: zero pages that cost nothing until a run is entered.
  void* memory = ::mmap(nullptr, kEntries * sizeof(KnownRun), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ENSURE(memory != MAP_FAILED);
  entries_.reset(static_cast<KnownRun*>(memory));
}

const KnownRun* KnownRuns::match(std::string_view text) const {
  if (text.size() < kHashed) return nullptr;
  const uint64_t hash = http::hash_bytes(text.data(), kHashed, seed_);
  const KnownRun* longest = nullptr;
  const KnownRun* set = set_of(hash);
  for (const KnownRun* run = set; run != set + kWays; ++run)
    if (run->hash == hash && (longest == nullptr || run->size > longest->size) && begins_with(text, *run))
      longest = run;
  return longest;
}

void KnownRuns::offer(std::string_view text, std::span<const http::HeaderSlot> slots, uint32_t origin,
                      const KnownLine* last) {
  if (text.size() < kHashed || text.size() > KnownRun::kMostBytes || slots.size() > KnownRun::kMostLines)
    return;
  const uint64_t whole = http::hash_bytes(text.data(), text.size(), seed_);
  auto& seen = seen_[(whole >> 32) % kSeen];
  if (seen != static_cast<uint32_t>(whole)) {
    seen = static_cast<uint32_t>(whole);
    return;
  }
  const uint64_t hash = http::hash_bytes(text.data(), kHashed, seed_);
  KnownRun* set = set_of(hash);
  KnownRun* into = nullptr;
  for (KnownRun* run = set; run != set + kWays; ++run)
    // A free one, or one that this one is longer than.
    if (run->size == 0 || (run->hash == hash && begins_with(text, *run))) into = run;
  if (into == nullptr) into = set + victim_++ % kWays;
  into->hash = hash;
  into->size = static_cast<uint16_t>(text.size());
  into->count = static_cast<uint16_t>(slots.size());
  into->http11_only = into->has_host = into->forwarded = false;
  into->last = last;
  std::memcpy(into->bytes, text.data(), text.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    into->slots[i] = slots[i];
    into->slots[i].name.offset -= origin;
    into->slots[i].value.offset -= origin;
    // The one line of this field that is ever known.
    if (slots[i].id == http::HeaderId::Connection) into->http11_only = true;
    if (http::is_forwarding_field(slots[i].id)) into->forwarded = true;
    if (slots[i].id != http::HeaderId::Host) continue;
    into->has_host = true;
    into->host = into->slots[i].value;
  }
}

bool KnownRuns::excluded(http::HeaderId id) {
  return id == http::HeaderId::Authorization || id == http::HeaderId::Cookie ||
         id == http::HeaderId::ProxyAuthorization || id == http::HeaderId::Expect;
}

}  // namespace leat::http1

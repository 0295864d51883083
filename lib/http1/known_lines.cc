#include "http1/known_lines.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

#include "base/check.h"
#include "base/text.h"
#include "http/bytes.h"

namespace leat::http1 {

void KnownLines::Free::operator()(KnownLine* lines) const { ::munmap(lines, kEntries * sizeof(KnownLine)); }

KnownLines::KnownLines() {
  // Mapped rather than allocated: zero pages that cost nothing until a line is entered.
  void* memory = ::mmap(nullptr, kEntries * sizeof(KnownLine), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ENSURE(memory != MAP_FAILED);
  entries_.reset(static_cast<KnownLine*>(memory));
}

const KnownLine* KnownLines::look_up(std::string_view text, uint16_t& next) {
  const void* newline = std::memchr(text.data(), '\n', std::min(text.size(), KnownLine::kMostBytes));
  if (newline == nullptr) return nullptr;
  const size_t size = static_cast<size_t>(static_cast<const char*>(newline) - text.data()) + 1;
  const uint64_t hash = http::hash_bytes(text.data(), size, seed_);
  const size_t set = (hash % (kEntries / kWays)) * kWays;
  for (size_t i = set; i < set + kWays; ++i) {
    KnownLine& line = entries_[i];
    if (line.hash != hash || line.size != size || !matches(line, text)) continue;
    next = static_cast<uint16_t>(i);
    return &line;
  }
  return nullptr;
}

void KnownLines::offer(std::string_view text, const http::HeaderSlot& slot) {
  if (text.size() > KnownLine::kMostBytes) return;
  const bool keep_alive = slot.id == http::HeaderId::Connection &&
                          equal_ignoring_case(text.substr(slot.value.offset, slot.value.size), "keep-alive");
  if (steers_parser(slot.id) && !keep_alive) return;
  const uint64_t hash = http::hash_bytes(text.data(), text.size(), seed_);
  auto& seen = seen_[(hash >> 32) % kSeen];
  if (seen != static_cast<uint32_t>(hash)) {
    seen = static_cast<uint32_t>(hash);
    return;
  }
  const size_t set = (hash % (kEntries / kWays)) * kWays;
  size_t at = set + victim_++ % kWays;
  for (size_t i = set; i < set + kWays; ++i) {
    if (entries_[i].hash == hash && matches(entries_[i], text)) return;
    if (entries_[i].size == 0) at = i;
  }
  KnownLine& line = entries_[at];
  line.hash = hash;
  line.size = static_cast<uint16_t>(text.size());
  line.name_size = static_cast<uint16_t>(slot.name.size);
  line.value_offset = static_cast<uint16_t>(slot.value.offset);
  line.value_size = static_cast<uint16_t>(slot.value.size);
  line.id = slot.id;
  line.http11_only = keep_alive;
  line.next = 0;
  std::memcpy(line.bytes, text.data(), text.size());
}

bool KnownLines::steers_parser(http::HeaderId id) {
  switch (id) {
    case http::HeaderId::Connection:
    case http::HeaderId::ContentLength:
    case http::HeaderId::ProxyConnection:
    case http::HeaderId::TransferEncoding:
    case http::HeaderId::Upgrade:
      return true;
    default:
      return false;
  }
}

}  // namespace leat::http1

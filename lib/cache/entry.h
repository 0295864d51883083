// Entry: what the Store keeps under a key. Private to lib/cache.
//
// One allocation: this, then the key, the value, and the tags, each with its size in front. Key and value
// never change. Who may change the rest: `next`, `refs`, `uses` and `claimed_until_ms` anybody, the others
// who has the mutex of the entry's shard.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace leat::cache {

struct Entry {
  static constexpr uint8_t kMostUses = 7;

  std::atomic<Entry*> next = nullptr;  // in its bucket
  std::atomic<uint32_t> refs = 1;      // the chain's, and one for each pin
  std::atomic<uint8_t> uses = 0;       // hits since Eviction looked at it, up to kMostUses
  bool in_main = false;                // this and the next two are Eviction's
  uint8_t frequency = 0;
  std::atomic<uint64_t> claimed_until_ms = 0;
  uint32_t halvings = 0;
  uint32_t key_size = 0;
  uint64_t hash = 0;
  uint64_t expires_ms = 0;
  size_t value_size = 0;
  size_t size = 0;         // of all
  Entry* newer = nullptr;  // in its queue, or the next of those that were removed
  Entry* older = nullptr;
  uint64_t stamp = 0;                       // once it was removed
  std::atomic<size_t>* outlived = nullptr;  // its shard's count, once it is in no chain any more

  [[nodiscard]] const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  [[nodiscard]] char* bytes() { return reinterpret_cast<char*>(this + 1); }
  [[nodiscard]] std::string_view key() const { return {bytes(), key_size}; }
  [[nodiscard]] std::string_view value() const { return {bytes() + key_size, value_size}; }
  [[nodiscard]] bool has_tag(std::string_view tag) const {
    const char* const end = reinterpret_cast<const char*>(this) + size;
    for (const char* at = bytes() + key_size + value_size; at != end;) {
      uint32_t length = 0;
      std::memcpy(&length, at, sizeof length);
      at += sizeof length;
      if (std::string_view(at, length) == tag) return true;
      at += length;
    }
    return false;
  }
};

}  // namespace leat::cache

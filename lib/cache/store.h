// Store: values by key in memory, for all workers, within a budget of bytes.
//
// What always holds
//  - A key is compared whole: two keys with one hash are two keys.
//  - A value never changes. A new one under its key is another entry; who found the old one still has it.
//  - A hit takes no lock. What it costs is one store, to say that this lane reads, a walk down a short chain,
//    and one count on the entry.
//  - All entries together take no more bytes than the budget, keys, book-keeping and tables included. An entry
//    that was evicted or purged while somebody had it pinned lives on until it is let go; once such ones take
//    a quarter of the budget, nothing is stored until some have gone.
//
// How reading without a lock is safe. Entries hang in buckets, chained by `next`. Writers change chains under
// their shard's mutex; an entry that is unlinked is freed no sooner than every reader that may stand on it
// has left:
//
//   reader:  lane.epoch = epoch;   walks the chain, counts itself on the entry;   lane.epoch = 0
//   writer:  unlinks;   stamp = ++epoch;   frees once every lane's epoch is 0 or not below the stamp
//
// All of these are sequentially consistent. So if the writer does not see that a reader has come, that reader
// comes after the unlinking and does not meet the entry; and if the reader has read an epoch that is not
// below the stamp, likewise. The chain's own reference is dropped only then, so that a reader's count never
// starts at zero.
//
// What goes when there is no room is the choice of Eviction (eviction.h).
//
// Thread: find() and statistics() anywhere, with a lane that no other thread uses at the time; all else
// anywhere.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/siphash.h"

namespace leat::cache {

struct Limits {
  size_t bytes = size_t{64} << 20;       // of all entries, and of what finds them; 0: nothing is stored
  size_t entry_bytes = size_t{1} << 20;  // of one: key, value and tags
};

struct Entry;

// An entry that was found. Its bytes stay until this goes.
class Pin {
 public:
  Pin() = default;
  Pin(Pin&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
  Pin& operator=(Pin&& other) noexcept {
    std::swap(entry_, other.entry_);
    return *this;
  }
  ~Pin();

  explicit operator bool() const { return entry_ != nullptr; }
  [[nodiscard]] std::string_view key() const;
  [[nodiscard]] std::string_view value() const;
  // Another pin of the same entry.
  [[nodiscard]] Pin share() const;
  // True for the first who asks, and for the first after `until_ms` of the last to whom it was: who may do
  // now what is to be done once for all that find the entry. Any thread.
  [[nodiscard]] bool claim(uint64_t now_ms, uint64_t until_ms) const;
  // Whether somebody's claim holds.
  [[nodiscard]] bool claimed(uint64_t now_ms) const;
  // Gives the pin up to whoever calls release() with the result, once. For C.
  [[nodiscard]] void* detach() { return std::exchange(entry_, nullptr); }
  static void release(void* detached) { Pin(static_cast<Entry*>(detached)); }

 private:
  friend class Store;
  explicit Pin(Entry* entry) : entry_(entry) {}
  Entry* entry_ = nullptr;
};

struct Statistics {
  uint64_t hits = 0, misses = 0;
  uint64_t puts = 0;       // that were stored
  uint64_t evictions = 0;  // for want of room
  size_t entries = 0;
  size_t bytes = 0;
};

class Store {
 public:
  using Hash = uint64_t (*)(std::string_view key, const SipKey& secret);

  // `hash_of` is for tests of what happens when it is bad.
  explicit Store(Hash hash_of = sip_hash<1, 3>);
  ~Store();  // every pin must be gone
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Before anything else; only the first call counts. `lanes` is how many threads may find().
  void configure(const Limits& limits, uint32_t lanes);
  // Other limits, later. What is stored stays as far as it fits; while it moves, it is not found, and nothing is
  // stored. False, with nothing changed: there is no memory for the tables.
  bool resize(const Limits& limits);
  [[nodiscard]] Limits limits() const {
    return {.bytes = bytes_.load(std::memory_order_relaxed),
            .entry_bytes = entry_bytes_.load(std::memory_order_relaxed)};
  }

  // The entry of that key that has not expired. Times are milliseconds on a clock that only goes forward, the
  // same for all calls.
  [[nodiscard]] Pin find(uint32_t lane, std::string_view key, uint64_t now_ms) {
    return find(lane, key, hash(key), now_ms);
  }
  // The same for who has the key's hash() already.
  [[nodiscard]] Pin find(uint32_t lane, std::string_view key, uint64_t key_hash, uint64_t now_ms);
  [[nodiscard]] uint64_t hash(std::string_view key) const { return hash_(key, secret_); }

  enum class Result : uint8_t { Stored, TooLarge, Memory };
  // Copies. Replaces what was stored under the key. `expires_ms` is the first moment at which it is not found
  // any more; UINT64_MAX: it does not expire.
  Result put(std::string_view key, std::string_view value, uint64_t now_ms, uint64_t expires_ms,
             std::span<const std::string_view> tags = {});

  // How many went. The last two look at every entry.
  size_t purge(std::string_view key);
  size_t purge_prefix(std::string_view prefix);
  size_t purge_tag(std::string_view tag);

  [[nodiscard]] Statistics statistics() const;

 private:
  struct Shard;
  struct Shards;
  struct alignas(64) Lane {
    std::atomic<uint64_t> epoch = 0;  // 0: does not read
    std::atomic<uint64_t> hits = 0, misses = 0;
  };

  static constexpr size_t kMostShards = 16;

  std::unique_ptr<Shards> make_shards(const Limits& limits);
  bool make_first_shards();
  void wait_for_readers();
  void retire(Shard& shard);
  size_t purge_if(const std::function<bool(const Entry&)>& goes);

  const Hash hash_;
  const SipKey secret_;
  std::atomic<size_t> bytes_ = 0, entry_bytes_ = 0;  // the limits
  uint32_t lane_count_ = 0;
  std::unique_ptr<Lane[]> lanes_;
  // Who changes what is in the shards shares it; who changes the shards has it alone.
  mutable std::shared_mutex resizing_;
  std::atomic<bool> moving_ = false;
  std::unique_ptr<Shards> owned_;
  // What readers go by; null before the first entry, and while entries move to others.
  std::atomic<Shards*> shards_ = nullptr;
  std::atomic<uint64_t> epoch_ = 1;
  // By shard: bytes of entries that went and are still pinned. They outlive the shard.
  std::array<std::atomic<size_t>, kMostShards> outlived_{};
  uint64_t former_puts_ = 0, former_evictions_ = 0;  // of shards that were
};

}  // namespace leat::cache

#include "cache/store.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <new>
#include <thread>
#include <utility>
#include <vector>

#include "cache/entry.h"
#include "cache/eviction.h"

namespace leat::cache {

namespace {

// A shard has room for at least so many of the largest entries, so that one does not empty it, and so many
// bytes: what is left of a small budget had better be judged as a whole.
constexpr size_t kLeastEntries = 8;
constexpr size_t kLeastShardBytes = size_t{1} << 20;
// While what went and is still being sent takes more than this part of the budget, nothing new is stored.
constexpr size_t kOutlivedShare = 4;
constexpr size_t kBytesPerBucket = 512, kLeastBuckets = 16;

void drop(Entry* entry) {
  if (entry->refs.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (entry->outlived != nullptr) entry->outlived->fetch_sub(entry->size, std::memory_order_relaxed);
  entry->~Entry();
  std::free(entry);
}

size_t size_of(std::string_view key, std::string_view value, std::span<const std::string_view> tags) {
  size_t size = sizeof(Entry) + key.size() + value.size();
  for (const std::string_view tag : tags) size += sizeof(uint32_t) + tag.size();
  return size;
}

Entry* make_entry(uint64_t hash, std::string_view key, std::string_view value, uint64_t expires_ms,
                  std::span<const std::string_view> tags) {
  const size_t size = size_of(key, value, tags);
  void* memory = std::malloc(size);
  if (memory == nullptr) return nullptr;
  auto* entry = new (memory) Entry;
  entry->hash = hash;
  entry->expires_ms = expires_ms;
  entry->key_size = static_cast<uint32_t>(key.size());
  entry->value_size = value.size();
  entry->size = size;
  char* at = entry->bytes();
  const auto append = [&at](const void* bytes, size_t count) {
    if (count != 0) std::memcpy(at, bytes, count);
    at += count;
  };
  append(key.data(), key.size());
  append(value.data(), value.size());
  for (const std::string_view tag : tags) {
    const auto length = static_cast<uint32_t>(tag.size());
    append(&length, sizeof length);
    append(tag.data(), tag.size());
  }
  return entry;
}

}  // namespace

Pin::~Pin() {
  if (entry_ != nullptr) drop(entry_);
}

std::string_view Pin::key() const { return entry_->key(); }

std::string_view Pin::value() const { return entry_->value(); }

Pin Pin::share() const {
  if (entry_ != nullptr) entry_->refs.fetch_add(1, std::memory_order_relaxed);
  return Pin(entry_);
}

bool Pin::claim(uint64_t now_ms, uint64_t until_ms) const {
  uint64_t before = entry_->claimed_until_ms.load(std::memory_order_relaxed);
  return before <= now_ms &&
         entry_->claimed_until_ms.compare_exchange_strong(before, until_ms, std::memory_order_relaxed);
}

bool Pin::claimed(uint64_t now_ms) const {
  return entry_->claimed_until_ms.load(std::memory_order_relaxed) > now_ms;
}

// A part of the entries, by hash. All but `buckets` and the counts is under the mutex.
struct Store::Shard {
  // `bytes` for everything: tables and entries.
  Shard(size_t bytes, std::atomic<size_t>& outlived_bytes)
      : bucket_count(buckets_for(bytes)),
        buckets(bucket_count),
        eviction(room_of(bytes), bucket_count),
        outlived(outlived_bytes) {}
  ~Shard() {
    for (auto& bucket : buckets)
      for (Entry* entry = bucket.load(); entry != nullptr;) drop(std::exchange(entry, entry->next.load()));
    while (retired != nullptr) drop(std::exchange(retired, retired->newer));
  }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  static size_t buckets_for(size_t bytes) {
    return std::bit_floor(std::max<size_t>(bytes / kBytesPerBucket, kLeastBuckets));
  }
  // For entries.
  static size_t room_of(size_t bytes) {
    const size_t tables = buckets_for(bytes) * (sizeof(std::atomic<Entry*>) + Eviction::kBytesPerGhost);
    return bytes - std::min(bytes, tables);
  }

  // The lowest bits choose the shard.
  [[nodiscard]] size_t place(uint64_t hash) const { return hash / kMostShards & (bucket_count - 1); }

  [[nodiscard]] Entry* find(uint64_t hash, std::string_view key) const {
    Entry* entry = buckets[place(hash)].load();
    while (entry != nullptr && (entry->hash != hash || entry->key() != key)) entry = entry->next.load();
    return entry;
  }

  // In front of `replaced`, which a reader finds until then.
  void add(Entry& entry, Entry* replaced) {
    std::atomic<Entry*>& bucket = buckets[place(entry.hash)];
    entry.next.store(bucket.load());
    eviction.add(entry, replaced);
    bucket.store(&entry);
    if (replaced != nullptr) remove(*replaced);
  }
  // Between shards, when nobody reads.
  void take_in(Entry& entry) {
    std::atomic<Entry*>& bucket = buckets[place(entry.hash)];
    entry.next.store(bucket.load());
    eviction.adopt(entry);
    bucket.store(&entry);
  }
  void take_out(Entry& entry) {
    eviction.remove(entry);
    std::atomic<Entry*>* link = &buckets[place(entry.hash)];
    while (link->load() != &entry) link = &link->load()->next;
    link->store(entry.next.load());
  }
  // retire() frees it.
  void remove(Entry& entry) {
    eviction.remove(entry);
    unlink(entry);
  }
  void make_room(uint64_t now_ms) {
    while (Entry* entry = eviction.next_to_go(now_ms)) {
      unlink(*entry);
      evictions.fetch_add(1, std::memory_order_relaxed);
    }
  }
  void unlink(Entry& entry) {
    std::atomic<Entry*>* link = &buckets[place(entry.hash)];
    while (link->load() != &entry) link = &link->load()->next;
    link->store(entry.next.load());
    entry.newer = std::exchange(removed, &entry);
  }
  void publish() {
    shown_bytes.store(eviction.bytes(), std::memory_order_relaxed);
    shown_entries.store(eviction.count(), std::memory_order_relaxed);
  }

  const size_t bucket_count;
  std::vector<std::atomic<Entry*>> buckets;
  std::mutex mutex;
  Eviction eviction;
  Entry* removed = nullptr;  // by the call that has the mutex
  Entry* retired = nullptr;  // by those before, with their stamps
  std::atomic<size_t> shown_entries = 0, shown_bytes = 0;
  std::atomic<size_t>& outlived;  // bytes of entries that went and are still pinned
  std::atomic<uint64_t> puts = 0, evictions = 0;
};

// All of them, as they are made for a budget.
struct Store::Shards {
  [[nodiscard]] Shard& of(uint64_t hash) const { return *all[hash & (all.size() - 1)]; }

  std::vector<std::unique_ptr<Shard>> all;  // a power of two
  size_t room;                              // of each, for entries
};

Store::Store(Hash hash_of) : hash_(hash_of), secret_(random_sip_key()) {}

Store::~Store() = default;

void Store::configure(const Limits& limits, uint32_t lanes) {
  if (lanes_ != nullptr) return;
  bytes_ = limits.bytes;
  entry_bytes_ = limits.entry_bytes;
  lane_count_ = lanes;
  lanes_ = std::make_unique<Lane[]>(lanes);
}

// Null where there is no memory for them.
std::unique_ptr<Store::Shards> Store::make_shards(const Limits& limits) {
  const size_t largest = kLeastEntries * (limits.entry_bytes + sizeof(Entry));
  const size_t room = limits.bytes / std::max(largest, kLeastShardBytes);
  const size_t count = std::bit_floor(std::clamp<size_t>(room, 1, kMostShards));
  const size_t bytes = limits.bytes / count;
  try {
    auto made = std::make_unique<Shards>();
    made->room = Shard::room_of(bytes);
    while (made->all.size() < count)
      made->all.push_back(std::make_unique<Shard>(bytes, outlived_[made->all.size()]));
    return made;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

// Tables are made for the first entry: a daemon that stores nothing does not pay for them.
bool Store::make_first_shards() {
  const std::unique_lock lock(resizing_);
  if (owned_ == nullptr) owned_ = make_shards(limits());
  shards_.store(owned_.get());
  return owned_ != nullptr;
}

// Until none stands on what was found before now.
void Store::wait_for_readers() {
  const uint64_t stamp = epoch_.fetch_add(1) + 1;
  for (uint32_t i = 0; i < lane_count_; ++i)
    for (uint64_t epoch; (epoch = lanes_[i].epoch.load()) != 0 && epoch < stamp;) std::this_thread::yield();
}

// Readers look at nothing while entries change their chains. Those that were asked for seldom come to the new shards
// first, and go first where not all fit.
bool Store::resize(const Limits& limits) {
  const std::unique_lock lock(resizing_);
  if (lanes_ == nullptr || (limits.bytes == bytes_ && limits.entry_bytes == entry_bytes_)) return true;
  std::unique_ptr<Shards> next = owned_ != nullptr ? make_shards(limits) : nullptr;
  if (owned_ != nullptr && next == nullptr) return false;
  moving_ = true;
  bytes_ = limits.bytes;
  entry_bytes_ = limits.entry_bytes;
  if (next == nullptr) {
    moving_ = false;
    return true;
  }
  shards_.store(nullptr);
  wait_for_readers();
  std::vector<std::pair<uint8_t, Entry*>> entries;
  for (const auto& shard : owned_->all) {
    retire(*shard);
    former_puts_ += shard->puts;
    former_evictions_ += shard->evictions;
    shard->eviction.for_each([&](Entry& entry) {
      if (entry.size <= next->room) entries.emplace_back(shard->eviction.frequency_of(entry), &entry);
    });
  }
  std::ranges::stable_sort(entries, {}, &std::pair<uint8_t, Entry*>::first);
  for (const auto& [frequency, entry] : entries) {
    owned_->of(entry->hash).take_out(*entry);
    next->of(entry->hash).take_in(*entry);
  }
  for (const auto& shard : next->all) {
    shard->make_room(0);
    retire(*shard);
  }
  owned_ = std::move(next);
  shards_.store(owned_.get());
  moving_ = false;
  return true;
}

Pin Store::find(uint32_t lane, std::string_view key, uint64_t key_hash, uint64_t now_ms) {
  if (lane >= lane_count_) return {};
  Lane& mine = lanes_[lane];
  const auto count = [](std::atomic<uint64_t>& number) {
    number.store(number.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  };
  if (shards_.load(std::memory_order_relaxed) == nullptr) {
    count(mine.misses);
    return {};
  }
  mine.epoch.store(epoch_.load());
  const Shards* const shards = shards_.load();
  Entry* entry = shards != nullptr ? shards->of(key_hash).find(key_hash, key) : nullptr;
  if (entry != nullptr && now_ms >= entry->expires_ms) entry = nullptr;
  if (entry != nullptr) entry->refs.fetch_add(1, std::memory_order_relaxed);
  mine.epoch.store(0, std::memory_order_release);
  count(entry != nullptr ? mine.hits : mine.misses);
  if (entry == nullptr) return {};
  // Two that count at once may count as one.
  const uint8_t uses = entry->uses.load(std::memory_order_relaxed);
  if (uses < Entry::kMostUses) entry->uses.store(uses + 1, std::memory_order_relaxed);
  return Pin(entry);
}

// Frees what was removed, and what earlier calls left, as far as no reader may stand on it. Under the mutex.
void Store::retire(Shard& shard) {
  shard.publish();
  const uint64_t stamp = shard.removed != nullptr ? epoch_.fetch_add(1) + 1 : 0;
  while (Entry* entry = shard.removed) {
    shard.removed = entry->newer;
    entry->stamp = stamp;
    entry->newer = std::exchange(shard.retired, entry);
  }
  if (shard.retired == nullptr) return;
  uint64_t oldest = UINT64_MAX;  // epoch in which somebody reads
  for (uint32_t i = 0; i < lane_count_; ++i)
    if (const uint64_t epoch = lanes_[i].epoch.load(); epoch != 0) oldest = std::min(oldest, epoch);
  for (Entry** link = &shard.retired; *link != nullptr;) {
    Entry* const entry = *link;
    if (entry->stamp > oldest) {
      link = &entry->newer;
    } else {
      *link = entry->newer;
      shard.outlived.fetch_add(entry->size, std::memory_order_relaxed);
      entry->outlived = &shard.outlived;
      drop(entry);
    }
  }
}

Store::Result Store::put(std::string_view key, std::string_view value, uint64_t now_ms, uint64_t expires_ms,
                         std::span<const std::string_view> tags) {
  const size_t size = size_of(key, value, tags);
  std::shared_lock shared(resizing_, std::try_to_lock);
  if (!shared) {
    if (moving_) return Result::Memory;  // nobody waits until all that is stored has moved
    shared.lock();
  }
  if (owned_ == nullptr) {
    if (size - sizeof(Entry) > entry_bytes_.load(std::memory_order_relaxed)) return Result::TooLarge;
    shared.unlock();
    if (!make_first_shards()) return Result::Memory;
    shared.lock();
  }
  const size_t room = owned_->room;
  if (size - sizeof(Entry) > entry_bytes_.load(std::memory_order_relaxed) || size > room)
    return Result::TooLarge;
  const uint64_t key_hash = hash(key);
  Shard& shard = owned_->of(key_hash);
  // What is stored pushes others out, which stay as long as slow clients are sent them.
  if (shard.outlived.load(std::memory_order_relaxed) > room / kOutlivedShare) return Result::Memory;
  Entry* entry = make_entry(key_hash, key, value, expires_ms, tags);
  if (entry == nullptr) return Result::Memory;
  const std::lock_guard lock(shard.mutex);
  shard.add(*entry, shard.find(key_hash, key));
  shard.make_room(now_ms);
  shard.puts.fetch_add(1, std::memory_order_relaxed);
  retire(shard);
  return Result::Stored;
}

size_t Store::purge(std::string_view key) {
  const std::shared_lock shared(resizing_);
  if (owned_ == nullptr) return 0;
  const uint64_t key_hash = hash(key);
  Shard& shard = owned_->of(key_hash);
  const std::lock_guard lock(shard.mutex);
  Entry* entry = shard.find(key_hash, key);
  if (entry != nullptr) shard.remove(*entry);
  retire(shard);
  return entry != nullptr ? 1 : 0;
}

size_t Store::purge_if(const std::function<bool(const Entry&)>& goes) {
  const std::shared_lock shared(resizing_);
  if (owned_ == nullptr) return 0;
  size_t count = 0;
  for (const auto& shard : owned_->all) {
    const std::lock_guard lock(shard->mutex);
    shard->eviction.for_each([&](Entry& entry) {
      if (!goes(entry)) return;
      shard->remove(entry);
      ++count;
    });
    retire(*shard);
  }
  return count;
}

size_t Store::purge_prefix(std::string_view prefix) {
  return purge_if([prefix](const Entry& entry) { return entry.key().starts_with(prefix); });
}

size_t Store::purge_tag(std::string_view tag) {
  return purge_if([tag](const Entry& entry) { return entry.has_tag(tag); });
}

Statistics Store::statistics() const {
  Statistics sum;
  for (uint32_t i = 0; i < lane_count_; ++i) {
    sum.hits += lanes_[i].hits.load(std::memory_order_relaxed);
    sum.misses += lanes_[i].misses.load(std::memory_order_relaxed);
  }
  const std::shared_lock shared(resizing_);
  sum.puts = former_puts_;
  sum.evictions = former_evictions_;
  if (owned_ == nullptr) return sum;
  for (const auto& shard : owned_->all) {
    sum.puts += shard->puts.load(std::memory_order_relaxed);
    sum.evictions += shard->evictions.load(std::memory_order_relaxed);
    sum.entries += shard->shown_entries.load(std::memory_order_relaxed);
    sum.bytes += shard->shown_bytes.load(std::memory_order_relaxed);
  }
  return sum;
}

}  // namespace leat::cache

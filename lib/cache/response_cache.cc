#include "cache/response_cache.h"

#include <algorithm>
#include <charconv>

namespace leat::cache {

namespace {

using Kind = Invalidations::Kind;

// Calls `visit(folder)` for "/", "/a", "/a/b" of "/a/b?c", as far as folders are counted.
template <class Visit>
void for_each_folder(std::string_view path, Visit visit) {
  visit(std::string_view("/"));
  size_t end = 0;
  for (size_t count = 1; count < ResponseCache::kMostFolders && end < path.size(); ++count) {
    end = std::min(path.find('/', end + 1), path.size());
    if (end > 1) visit(path.substr(0, end));
  }
}

size_t folders_in(std::string_view path) {
  return 1 + static_cast<size_t>(std::ranges::count(path.substr(0, path.find_last_not_of('/') + 1), '/'));
}

// `key` and `rest` with a NUL between, which no target contains; null where `arena` is out.
std::string_view longer_key(std::string_view key, std::string_view rest, Arena& arena) {
  const size_t size = key.size() + 1 + rest.size();
  char* const bytes = static_cast<char*>(arena.allocate(size, 1));
  if (bytes == nullptr) return {};
  char* const at = std::ranges::copy(key, bytes).out;
  *at = '\0';
  std::ranges::copy(rest, at + 1);
  return {bytes, size};
}

std::string_view key_of_variant(std::string_view key, size_t place, Arena& arena) {
  char digits[20];
  char* const end = std::to_chars(digits, digits + sizeof digits, place).ptr;
  return longer_key(key, {digits, end}, arena);
}

}  // namespace

std::string_view ResponseCache::purge(PurgeBy by, std::string_view what, bool hard, uint64_t now_ms) {
  if (by == PurgeBy::All) {
    invalidations_.purge_all(hard, now_ms);
    return {};
  }
  if (by == PurgeBy::Tag) {
    if (what.empty()) return "a tag has at least one character";
    invalidations_.purge(invalidations_.slot(Kind::Tag, what), hard, now_ms);
    return {};
  }
  if (!what.starts_with('/')) return "a path begins with /";
  const bool has_query = what.contains('?');
  if (by == PurgeBy::Target) {
    invalidations_.purge(invalidations_.slot(has_query ? Kind::Target : Kind::Path, what), hard, now_ms);
    return {};
  }
  if (has_query) return "a folder has no query";
  if (folders_in(what) > kMostFolders) return "a folder is purged by its first 15 segments";
  while (what.size() > 1 && what.ends_with('/')) what.remove_suffix(1);
  invalidations_.purge(invalidations_.slot(Kind::Folder, what), hard, now_ms);
  return {};
}

void ResponseCache::add_tag(std::string_view tag, std::vector<uint32_t>& slots) const {
  slots.push_back(invalidations_.slot(Kind::Tag, tag));
}

void ResponseCache::add_slots(std::string_view target, std::vector<uint32_t>& slots) const {
  const std::string_view path = target.substr(0, target.find('?'));
  slots.push_back(invalidations_.slot(Kind::Path, path));
  if (path.size() != target.size()) slots.push_back(invalidations_.slot(Kind::Target, target));
  for_each_folder(
      path, [&](std::string_view folder) { slots.push_back(invalidations_.slot(Kind::Folder, folder)); });
}

ResponseCache::Found ResponseCache::find(uint32_t worker, const RequestKey& key, const http::Request& request,
                                         Arena& arena, uint64_t now_ms) {
  Found found{.flight = key.key};
  Pin pin = store_.find(worker, key.key, key.hash, now_ms);
  if (!pin) return found;
  StoredResponse stored = StoredResponse::read(pin.value());
  if (stored.header.kind == StoredResponse::Kind::Variants) {
    found.variant = true;
    const std::string_view variant = variant_of(stored.variant, request, arena);
    if (variant.data() == nullptr) return found;
    found.flight = longer_key(key.key, variant, arena);
    size_t place = 0;
    while (place < stored.header.slot_count && stored.slot(place) != hash_of_variant(variant)) ++place;
    if (place == stored.header.slot_count) return found;
    const std::string_view own_key = key_of_variant(key.key, place, arena);
    if (own_key.data() != nullptr) pin = store_.find(worker, own_key, now_ms);
    if (own_key.data() == nullptr || !pin) return found;
    stored = StoredResponse::read(pin.value());
    if (stored.variant != variant) return found;
  }
  StoredResponse::Header& header = stored.header;
  const Invalidations::Judgement purged =
      invalidations_.judge(header.moment, stored.slots, header.slot_count);
  if (purged.verdict == Invalidations::Verdict::Gone) return found;
  if (purged.verdict == Invalidations::Verdict::Stale && purged.since_ms < header.fresh_until_ms) {
    const uint64_t earlier_ms = header.fresh_until_ms - purged.since_ms;
    header.fresh_until_ms -= earlier_ms;
    header.stale_until_ms -= std::min(earlier_ms, header.stale_until_ms);
    header.error_until_ms -= std::min(earlier_ms, header.error_until_ms);
  }
  if (header.kind == StoredResponse::Kind::Pass) {
    found.pass = purged.verdict == Invalidations::Verdict::Good;
    return found;
  }
  found.stored = stored;
  found.pin = std::move(pin);
  return found;
}

// The list is an entry itself, so that it costs no memory once nobody asks any more.
size_t ResponseCache::place_of_variant(uint32_t worker, const RequestKey& key, std::string_view names,
                                       std::string_view variant, uint32_t most, uint64_t now_ms,
                                       uint64_t expires_ms) {
  const std::lock_guard lock(variants_mutex_);
  StoredResponse::Header header{.kind = StoredResponse::Kind::Variants};
  std::vector<uint32_t> hashes;
  if (const Pin pin = store_.find(worker, key.key, key.hash, now_ms)) {
    const StoredResponse stored = StoredResponse::read(pin.value());
    if (stored.header.kind == header.kind && stored.variant == names) {
      header = stored.header;
      for (size_t i = 0; i < header.slot_count; ++i) hashes.push_back(stored.slot(i));
    }
  }
  auto place = static_cast<size_t>(std::ranges::find(hashes, hash_of_variant(variant)) - hashes.begin());
  if (place == hashes.size() && place < most) {
    hashes.push_back(hash_of_variant(variant));
  } else if (place == hashes.size()) {
    // The oldest one's place is the next in turn; the turn is kept as the list's moment.
    place = header.moment++ % most;
    hashes[place] = hash_of_variant(variant);
  }
  header.fresh_until_ms = std::max(header.fresh_until_ms, expires_ms);
  store_.put(key.key, pack(header, hashes, {}, names, {}, {}), now_ms, header.fresh_until_ms);
  return place;
}

ResponseCache::Put ResponseCache::put(uint32_t worker, const RequestKey& key, const http::Request& request,
                                      Arena& arena, uint32_t most_variants, const Response& response,
                                      uint64_t now_ms) {
  const std::string names = vary_names(response.response);
  const std::string_view variant = names.empty() ? "" : variant_of(names, request, arena);
  if (variant.data() == nullptr) return Put::Memory;
  const std::string bytes = pack(response.header, response.slots, response.response.content_type, variant,
                                 response.fields, response.body);
  const uint64_t expires = response.header.expires_ms();
  std::string_view own_key = key.key;
  if (!names.empty()) {
    const size_t place = place_of_variant(worker, key, names, variant, most_variants, now_ms, expires);
    own_key = key_of_variant(key.key, place, arena);
    if (own_key.data() == nullptr) return Put::Memory;
  }
  switch (store_.put(own_key, bytes, now_ms, expires)) {
    case Store::Result::Stored:
      return Put::Stored;
    case Store::Result::TooLarge:
      return Put::TooLarge;
    default:
      return Put::Memory;
  }
}

void ResponseCache::put_pass(const RequestKey& key, uint64_t now_ms, uint64_t expires_ms) {
  const StoredResponse::Header header{.kind = StoredResponse::Kind::Pass, .moment = invalidations_.moment()};
  store_.put(key.key, pack(header, {}, {}, {}, {}, {}), now_ms, expires_ms);
}

}  // namespace leat::cache

#include "cache/response_cache.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "pipeline/path.h"

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

// `target` with its path as all spell it that are the same to the router; it is well encoded.
std::string spelled(std::string_view target) {
  const std::string_view path = target.substr(0, target.find('?'));
  std::string text(path.size() + 1, '\0');
  text.resize(pipeline::spell_path(path, text.data()));
  return text.append(target.substr(path.size()));
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

// Behind a key: its mark that answers are not stored. No place has that name.
constexpr std::string_view kPass = "pass";

std::string pass_key(const RequestKey& key) { return std::string(key.key) + '\0' + std::string(kPass); }

// By how many lists of names the answers to one target may differ at the same time, and how long one may be:
// each is looked at where responses are found.
constexpr size_t kMostLists = 4, kMostNames = 1024;

// Calls `visit(names)` for each list of names of a Variants.
template <class Visit>
void for_each_names(std::string_view lists, Visit visit) {
  for (size_t end = 0; (end = lists.find('\n')) != std::string_view::npos; lists.remove_prefix(end + 1))
    visit(lists.substr(0, end));
}

// What a Variants tells, to be changed. It is an entry itself, so that it costs no memory once nobody asks
// any more.
class VariantList {
 public:
  // Of what lies under a key, if that is one.
  explicit VariantList(const Pin& pin) {
    if (!pin) return;
    const StoredResponse stored = StoredResponse::read(pin.value());
    if (stored.header.kind != header_.kind) return;
    header_ = stored.header;
    for (size_t i = 0; i < header_.slot_count; ++i) hashes_.push_back(stored.slot(i));
    for_each_names(stored.variant, [this](std::string_view names) { names_.emplace_back(names); });
  }

  [[nodiscard]] std::string latest_names() const { return names_.empty() ? std::string() : names_.front(); }

  // Of a variant, which has one or is given one: the next that is free or, when there are `most`, in turn.
  size_t place_of(uint32_t hash, uint32_t most) {
    auto place = static_cast<size_t>(std::ranges::find(hashes_, hash) - hashes_.begin());
    if (place < hashes_.size()) return place;
    if (place >= most) {
      // The turn is kept as the list's moment.
      place = header_.moment++ % most;
      hashes_[place] = hash;
    } else {
      hashes_.push_back(hash);
    }
    return place;
  }

  // An answer that says by which names it varies.
  void has_come(const std::string& names, uint64_t expires_ms) {
    std::erase(names_, names);
    names_.insert(names_.begin(), names);
    if (names_.size() > kMostLists) names_.pop_back();
    header_.fresh_until_ms = std::max(header_.fresh_until_ms, expires_ms);
  }

  [[nodiscard]] uint64_t expires_ms() const { return header_.fresh_until_ms; }
  [[nodiscard]] std::string pack() const {
    std::string lists;
    for (const std::string& names : names_) lists += names + '\n';
    return cache::pack(header_, hashes_, {}, lists, {}, {});
  }

 private:
  StoredResponse::Header header_{.kind = StoredResponse::Kind::Variants};
  std::vector<uint32_t> hashes_;
  std::vector<std::string> names_;  // the latest first
};

ResponseCache::Put outcome(Store::Result result) {
  switch (result) {
    case Store::Result::Stored:
      return ResponseCache::Put::Stored;
    case Store::Result::TooLarge:
      return ResponseCache::Put::TooLarge;
    default:
      return ResponseCache::Put::Memory;
  }
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
  if (!pipeline::well_encoded(what.substr(0, what.find('?'))))
    return "a path has a malformed percent-encoding";
  const std::string own = spelled(what);
  what = own;
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

void ResponseCache::add_slots(std::string_view host, std::string_view received,
                              std::vector<uint32_t>& slots) const {
  const std::string own = spelled(received);
  const std::string_view target = own, path = target.substr(0, target.find('?'));
  slots.push_back(invalidations_.slot(Kind::Path, path));
  slots.push_back(invalidations_.slot(Kind::Page, page_of(host, path)));
  if (path.size() != target.size()) slots.push_back(invalidations_.slot(Kind::Target, target));
  for_each_folder(
      path, [&](std::string_view folder) { slots.push_back(invalidations_.slot(Kind::Folder, folder)); });
}

ResponseCache::Found ResponseCache::find(uint32_t worker, const RequestKey& key, const http::Request& request,
                                         Arena& arena, uint64_t now_ms) {
  Found found{.flight = key.key};
  Pin pin = store_.find(worker, key.key, key.hash, now_ms);
  if (!pin) return found;
  const StoredResponse list = StoredResponse::read(pin.value());
  if (list.header.kind != StoredResponse::Kind::Variants) {
    look_at(found, std::move(pin), {});
    return found;
  }
  found.variant = true;
  bool first = true;
  for_each_names(list.variant, [&](std::string_view names) {
    const std::string_view variant = variant_of(names, request, arena);
    // Whoever waits does so for one who asks the same, as far as the latest answer tells.
    if (std::exchange(first, false))
      found.flight = variant.data() == nullptr ? variant : longer_key(key.key, variant, arena);
    if (variant.data() == nullptr) return;
    const uint32_t hash = hash_of_variant(variant);
    size_t place = 0;
    while (place < list.header.slot_count && list.slot(place) != hash) ++place;
    if (place == list.header.slot_count) return;
    const std::string_view own_key = key_of_variant(key.key, place, arena);
    if (own_key.data() != nullptr) look_at(found, store_.find(worker, own_key, now_ms), variant);
  });
  return found;
}

void ResponseCache::look_at(Found& found, Pin pin, std::string_view variant) const {
  if (!pin) return;
  StoredResponse stored = StoredResponse::read(pin.value());
  StoredResponse::Header& header = stored.header;
  if (stored.variant != variant) return;
  // Of several that will do the latest counts (RFC 9111, section 4).
  if (found.pin && found.stored.header.stored_ms >= header.stored_ms) return;
  const Invalidations::Judgement purged =
      invalidations_.judge(header.moment, stored.slots, header.slot_count);
  if (purged.verdict == Invalidations::Verdict::Gone) return;
  if (purged.verdict == Invalidations::Verdict::Stale && purged.since_ms < header.fresh_until_ms) {
    const uint64_t earlier_ms = header.fresh_until_ms - purged.since_ms;
    header.fresh_until_ms -= earlier_ms;
    header.stale_until_ms -= std::min(earlier_ms, header.stale_until_ms);
    header.error_until_ms -= std::min(earlier_ms, header.error_until_ms);
  }
  found.stored = stored;
  found.pin = std::move(pin);
}

ResponseCache::Put ResponseCache::put(uint32_t worker, const RequestKey& key, const http::Request& request,
                                      Arena& arena, uint32_t most_variants, const Response& response,
                                      uint64_t now_ms) {
  const std::string& own_names = response.varies_by;
  if (own_names.size() > kMostNames) return Put::TooLarge;
  const uint64_t expires = response.header.expires_ms();
  const std::lock_guard lock(mutexes_[key.hash % kMutexes]);
  VariantList list(store_.find(worker, key.key, key.hash, now_ms));
  // An answer without Vary among others with it has probably forgotten it (section 4.1).
  const std::string names = own_names.empty() ? list.latest_names() : own_names;
  const std::string_view variant = variant_of(names, request, arena);
  if (variant.data() == nullptr) return Put::Memory;
  const std::string bytes =
      pack(response.header, response.slots, response.content_type, variant, response.fields, response.body);
  if (names.empty()) return outcome(store_.put(key.key, bytes, now_ms, expires));
  const size_t place = list.place_of(hash_of_variant(variant), most_variants);
  const std::string_view own_key = key_of_variant(key.key, place, arena);
  if (own_key.data() == nullptr) return Put::Memory;
  // The list changes when the response is there: one that cannot be stored takes no other's place in it.
  const Put stored = outcome(store_.put(own_key, bytes, now_ms, expires));
  if (stored != Put::Stored) return stored;
  if (!own_names.empty()) list.has_come(own_names, expires);
  return outcome(store_.put(key.key, list.pack(), now_ms, list.expires_ms()));
}

bool ResponseCache::is_passed(uint32_t worker, const RequestKey& key, std::string_view flight, Arena& arena,
                              uint64_t now_ms) {
  const std::string_view own_key = longer_key(key.key, kPass, arena);
  if (own_key.data() == nullptr || flight.data() == nullptr) return false;
  const Pin pin = store_.find(worker, own_key, now_ms);
  if (!pin) return false;
  const StoredResponse mark = StoredResponse::read(pin.value());
  return mark.variant == flight.substr(key.key.size()) &&
         invalidations_.judge(mark.header.moment, mark.slots, 0).verdict == Invalidations::Verdict::Good;
}

void ResponseCache::put_pass(const RequestKey& key, std::string_view flight, uint64_t now_ms,
                             uint64_t expires_ms) {
  const StoredResponse::Header header{.kind = StoredResponse::Kind::Pass, .moment = invalidations_.moment()};
  store_.put(pass_key(key), pack(header, {}, {}, flight.substr(key.key.size()), {}, {}), now_ms, expires_ms);
}

void ResponseCache::drop_pass(const RequestKey& key) { store_.purge(pass_key(key)); }

}  // namespace leat::cache

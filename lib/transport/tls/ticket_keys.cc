#include "transport/tls/ticket_keys.h"

#include <fmt/core.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstring>
#include <type_traits>
#include <utility>

namespace leat::tls {

namespace {

// In a message; another version of a key would have another.
constexpr std::string_view kTextVersion = "1 ";
constexpr size_t kLong = 80, kShort = 48;

static_assert(std::is_trivially_copyable_v<TicketKey>);

std::optional<TicketKey> make_key(int64_t now_s) {
  TicketKey key{.since_s = now_s};
  for (const std::span<unsigned char> part :
       {std::span<unsigned char>(key.name), std::span<unsigned char>(key.cipher),
        std::span<unsigned char>(key.mac)})
    if (RAND_bytes(part.data(), static_cast<int>(part.size())) != 1) return std::nullopt;
  return key;
}

void forget(std::span<TicketKey> keys) { OPENSSL_cleanse(keys.data(), keys.size_bytes()); }

}  // namespace

std::expected<TicketKey, std::string> TicketKey::read(std::string_view bytes) {
  if (bytes.size() != kLong && bytes.size() != kShort)
    return std::unexpected(fmt::format("has {}{} bytes, and a key of tickets is {} random bytes, or {}",
                                       bytes.size() > kLong ? "more than " : "",
                                       std::min(bytes.size(), kLong), kLong, kShort));
  TicketKey key{.cipher = {}, .mac = {}, .is_short = bytes.size() == kShort};
  const auto take = [&](std::array<unsigned char, 32>& part) {
    const size_t size = key.is_short ? 16 : 32;
    std::memcpy(part.data(), bytes.data(), size);
    bytes.remove_prefix(size);
  };
  std::memcpy(key.name.data(), bytes.data(), key.name.size());
  bytes.remove_prefix(key.name.size());
  // In nginx's order, so that its files do.
  take(key.is_short ? key.cipher : key.mac);
  take(key.is_short ? key.mac : key.cipher);
  return key;
}

void KeptTicketKeys::put(std::span<const TicketKey> keys) {
  const uint64_t next = number_.load(std::memory_order_relaxed) + 1;
  Place& place = places_[next % 2];
  place.count = std::min(keys.size(), kMost);
  std::ranges::copy(keys.first(place.count), place.keys.begin());
  number_.store(next, std::memory_order_release);
  forget(places_[(next + 1) % 2].keys);
}

size_t KeptTicketKeys::get(Keys& keys) const {
  for (;;) {
    const uint64_t number = number_.load(std::memory_order_acquire);
    if (number == 0) return 0;
    const Place& place = places_[number % 2];
    const size_t count = std::min(place.count, kMost);
    keys = place.keys;
    std::atomic_thread_fence(std::memory_order_acquire);
    if (number_.load(std::memory_order_relaxed) == number) return count;
  }
}

std::string KeptTicketKeys::text() const {
  Keys keys;
  const size_t count = get(keys);
  std::string text;
  if (count != 0) {
    text = kTextVersion;
    text.append(reinterpret_cast<const char*>(keys.data()), count * sizeof(TicketKey));
  }
  forget(keys);
  return text;
}

void KeptTicketKeys::take(std::string_view text) {
  if (!text.starts_with(kTextVersion)) return;
  text.remove_prefix(kTextVersion.size());
  if (text.empty() || text.size() % sizeof(TicketKey) != 0 || text.size() > sizeof(Keys)) return;
  Keys keys;
  std::memcpy(keys.data(), text.data(), text.size());
  put(std::span(keys).first(text.size() / sizeof(TicketKey)));
  forget(keys);
}

TicketKeys::TicketKeys(KeptTicketKeys* kept) : kept_(kept) {
  if (kept == nullptr) return;
  KeptTicketKeys::Keys known;
  const size_t count = kept->get(known);
  keys_.assign(known.begin(), known.begin() + static_cast<std::ptrdiff_t>(count));
  forget(known);
}

TicketKeys::TicketKeys(std::vector<Key> given) : keys_(std::move(given)), given_(true) {}

TicketKeys::~TicketKeys() { forget(keys_); }

void TicketKeys::rotate(const Key& next) {
  std::vector<Key> keys = {next};
  if (!keys_.empty()) keys.push_back(keys_.front());
  forget(keys_);
  keys_ = std::move(keys);
  if (kept_ != nullptr) kept_->put(keys_);
}

std::optional<TicketKeys::Key> TicketKeys::current(int64_t now_s, int64_t lifetime_s) {
  const std::lock_guard lock(mutex_);
  // A clock that was put back does not make a key live for longer.
  const bool due =
      keys_.empty() || now_s >= keys_.front().since_s + lifetime_s || now_s < keys_.front().since_s;
  if (due && !given_)
    if (const auto next = make_key(now_s)) rotate(*next);
  return keys_.empty() ? std::nullopt : std::optional(keys_.front());
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const unsigned char, 16> name, int64_t now_s,
                                                  int64_t lifetime_s) {
  const std::lock_guard lock(mutex_);
  for (const Key& each : keys_)
    if (std::ranges::equal(each.name, name) && (given_ || now_s < each.since_s + 2 * lifetime_s))
      return Found{each, &each != &keys_.front()};
  return std::nullopt;
}

}  // namespace leat::tls

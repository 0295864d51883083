#include "middleware/session_seal.h"

#include <fmt/core.h>

#include <optional>

#include "base/base64.h"
#include "base/check.h"
#include "base/random_bytes.h"
#include "crypto/aead.h"

namespace leat::middleware {

namespace {

constexpr char kVersion = 1;
constexpr size_t kSalt = 16;
constexpr size_t kSealHead = 1 + kSalt + crypto::kNonce;

// Of one cookie.
std::optional<crypto::Digest> cookie_key(const crypto::Digest& key, std::string_view salt) {
  return crypto::hmac_sha256(crypto::view(key), {salt});
}

}  // namespace

SessionSeal::SessionSeal(std::string_view cookie) : beside_(fmt::format("leat session 1 {}", cookie)) {}

std::string SessionSeal::check(std::string_view secret) {
  if (secret.size() >= kLeastSecret && secret.size() <= kMostSecret) return {};
  return fmt::format("a key has {} to {} characters: make one with `openssl rand -base64 32`", kLeastSecret,
                     kMostSecret);
}

std::string SessionSeal::add(std::string_view secret) {
  if (std::string wrong = check(secret); !wrong.empty()) return wrong;
  if (keys_.size() == kMostKeys) return fmt::format("there are {} keys at most", kMostKeys);
  const auto key = crypto::hkdf_sha256(secret, {}, "leat session 1 key");
  if (!key) return "no key can be made of it";
  keys_.push_back(*key);
  return {};
}

size_t SessionSeal::room(size_t characters) {
  const size_t bytes = characters / 4 * 3 + (characters % 4 == 0 ? 0 : characters % 4 - 1);
  return bytes < kSealHead + crypto::kTag ? 0 : bytes - kSealHead - crypto::kTag;
}

std::string_view SessionSeal::seal(Arena& arena, std::string_view plain) const {
  ENSURE(!keys_.empty());
  const size_t size = kSealHead + plain.size() + crypto::kTag;
  const size_t characters = encoded_size(Base64::Url, size);
  char* const bytes = arena.allocate_array<char>(size);
  char* const text = arena.allocate_array<char>(characters);
  if (bytes == nullptr || text == nullptr || !random_bytes(bytes + 1, kSealHead - 1)) return {};
  bytes[0] = kVersion;
  const auto key = cookie_key(keys_.front(), {bytes + 1, kSalt});
  if (!key || !crypto::seal(*key, {bytes + 1 + kSalt, crypto::kNonce}, beside_, plain, bytes + kSealHead))
    return {};
  encode_base64(Base64::Url, {bytes, size}, text);
  return {text, characters};
}

SessionSeal::Opened SessionSeal::open(Arena& arena, std::string_view text) const {
  char* const bytes = arena.allocate_array<char>(most_decoded(text));
  if (bytes == nullptr) return {.no_memory = true};
  const auto decoded = decode_base64(Base64::Url, text, bytes);
  if (!decoded || decoded->size() < kSealHead + crypto::kTag || decoded->front() != kVersion) return {};
  const std::string_view salt = decoded->substr(1, kSalt);
  const std::string_view nonce = decoded->substr(1 + kSalt, crypto::kNonce);
  const std::string_view sealed = decoded->substr(kSealHead);
  const size_t size = sealed.size() - crypto::kTag;
  char* const plain = arena.allocate_array<char>(size + 1);
  if (plain == nullptr) return {.no_memory = true};
  for (const crypto::Digest& each : keys_) {
    const auto key = cookie_key(each, salt);
    if (!key) return {.no_memory = true};
    if (crypto::open(*key, nonce, beside_, sealed, plain)) return {.plain = {plain, size}, .good = true};
  }
  return {};
}

}  // namespace leat::middleware

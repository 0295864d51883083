// RecentTokens: tokens that were found good, by their SHA-256, until they end. Of one worker, a fixed number of them; of
// those that share a place the one that ends first makes room.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "crypto/digest.h"
#include "middleware/token.h"

namespace leat::middleware {

class RecentTokens {
  static constexpr size_t kWays = 4;
  struct Entry {
    crypto::Digest digest{};
    std::shared_ptr<const VerifiedToken> token;
    uint64_t generation = 0;  // good as long as nothing was forgotten since
  };
  template <class Entries>
  static auto ways(Entries& entries, const crypto::Digest& digest) {
    uint64_t number = 0;
    std::memcpy(&number, digest.data(), sizeof number);
    return std::span(entries).subspan(number % (entries.size() / kWays) * kWays, kWays);
  }

 public:
  explicit RecentTokens(size_t count) : entries_((count + kWays - 1) / kWays * kWays) {}

  // Null: none that is good at `now_s`.
  [[nodiscard]] const std::shared_ptr<const VerifiedToken>* find(const crypto::Digest& digest,
                                                                 int64_t now_s) const {
    for (const Entry& entry : ways(entries_, digest))
      if (is_there(entry) && entry.digest == digest && entry.token->until_s() > now_s) return &entry.token;
    return nullptr;
  }
  void remember(const crypto::Digest& digest, std::shared_ptr<const VerifiedToken> token) {
    auto at = ways(entries_, digest);
    *std::ranges::min_element(at, {}, [&](const Entry& entry) {
      return is_there(entry) ? entry.token->until_s() : INT64_MIN;
    }) = {digest, std::move(token), generation_};
  }
  // All of them, without going through them.
  void forget() { ++generation_; }

 private:
  [[nodiscard]] bool is_there(const Entry& entry) const {
    return entry.token != nullptr && entry.generation == generation_;
  }

  uint64_t generation_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace leat::middleware

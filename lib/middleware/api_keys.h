// ApiKeys: names by the hashes of their keys.
//
// Thread: made on one, then read by all.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "crypto/digest.h"

namespace leat::middleware {

// What a line's hash begins with: by which method it was made.
inline constexpr std::string_view kKeyMethod = "sha256:";

class ApiKeys {
 public:
  // Of a line, "NAME sha256:DIGITS". What is wrong with it, which shows nothing of it; empty where nothing is.
  [[nodiscard]] std::string add(std::string_view line);
  // When all have been added. What is wrong with them together; empty where nothing is.
  [[nodiscard]] std::string freeze();
  // Whose key `key` is, as long as these live; nullptr: nobody's. Nothing of the heap is asked for. `failed` is set where
  // it cannot be told, for want of memory.
  [[nodiscard]] const std::string* find(std::string_view key, bool& failed) const;
  [[nodiscard]] size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    uint64_t place;  // by which they are in order
    crypto::Digest digest;
    std::string name;
  };
  [[nodiscard]] uint64_t place_of(const crypto::Digest& digest) const {
    return sip_hash(crypto::view(digest), secret_);
  }

  const SipKey secret_ = random_sip_key();
  std::vector<Entry> entries_;
};

}  // namespace leat::middleware

// SessionSeal: what a session is while it lies with its client, which can neither read nor change it.
//
//   base64url of    1 byte: the version    16 random bytes    12 random bytes    what is sealed, with its tag
//
// The first random bytes make a key of the configured one for this cookie alone, and the others are its nonce: so a key is
// good for as many cookies as anybody will ever make. With what is sealed goes the cookie's name, so that no other cookie
// under the same keys is taken for it. The first key seals, and each opens: a new one is put before the old, which goes once
// what it has sealed is over.
//
// Thread: made on one, then read by all.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "crypto/digest.h"

namespace leat::middleware {

class SessionSeal {
 public:
  static constexpr size_t kMostKeys = 8;  // each is tried
  static constexpr size_t kLeastSecret = 32;
  static constexpr size_t kMostSecret = 512;

  explicit SessionSeal(std::string_view cookie);

  // What is wrong with a secret, which shows nothing of it; empty where nothing is.
  [[nodiscard]] static std::string check(std::string_view secret);
  // The first one seals. What is wrong, likewise.
  [[nodiscard]] std::string add(std::string_view secret);
  [[nodiscard]] size_t keys() const { return keys_.size(); }

  // How many bytes a text of so many characters has room for.
  [[nodiscard]] static size_t room(size_t characters);
  // In the arena. A null data(): memory or randomness is out.
  [[nodiscard]] std::string_view seal(Arena& arena, std::string_view plain) const;
  // Likewise. Neither good nor for want of memory: nobody has sealed this here.
  struct Opened {
    std::string_view plain;
    bool good = false;
    bool no_memory = false;
  };
  [[nodiscard]] Opened open(Arena& arena, std::string_view text) const;

 private:
  const std::string beside_;
  std::vector<crypto::Digest> keys_;
};

}  // namespace leat::middleware

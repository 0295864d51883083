// Passwords: users by name with the hashes of their passwords; and what was found right a short while ago, by which a client
// that sends its password with each request is verified once and not each time.
//
// What is remembered is an HMAC of name and password under a secret of the process: nothing of it helps who reads it.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/siphash.h"
#include "crypto/digest.h"
#include "crypto/password.h"

namespace leat::middleware {

// Thread: made on one, then read by all.
class Passwords {
 public:
  struct User {
    uint64_t place;  // by which they are in order
    std::string name;
    crypto::PasswordHash hash;
  };

  // Of a line, "NAME:HASH". What is wrong with it, which shows nothing of it; empty where nothing is.
  [[nodiscard]] std::string add(std::string_view line);
  // When all have been added. What is wrong with them together; empty where nothing is.
  [[nodiscard]] std::string freeze();
  // As long as these live; nullptr: there is none of that name.
  [[nodiscard]] const User* find(std::string_view name) const;
  // One in the place of a user that is not there, so that looking for it takes as long: always the same for a name. There
  // is one at least.
  [[nodiscard]] const User& stand_in(std::string_view name) const;
  [[nodiscard]] bool empty() const { return users_.empty(); }

 private:
  [[nodiscard]] uint64_t place_of(std::string_view name) const { return sip_hash(name, secret_); }

  const SipKey secret_ = random_sip_key();
  std::vector<User> users_;
};

// Of one worker. A fixed number of them; of those that share a place the one that ends first makes room.
class RecentPasswords {
 public:
  explicit RecentPasswords(size_t count) : entries_((count + kWays - 1) / kWays * kWays) {}

  // The user that was found right under `digest` and is remembered at `now_ns`; nullptr: none.
  [[nodiscard]] const Passwords::User* find(const crypto::Digest& digest, uint64_t now_ns) const;
  void remember(const crypto::Digest& digest, const Passwords::User& user, uint64_t now_ns,
                uint64_t until_ns);

 private:
  static constexpr size_t kWays = 4;
  struct Entry {
    crypto::Digest digest{};
    uint64_t until_ns = 0;
    const Passwords::User* user = nullptr;
  };
  [[nodiscard]] size_t place_of(const crypto::Digest& digest) const;

  std::vector<Entry> entries_;
};

}  // namespace leat::middleware

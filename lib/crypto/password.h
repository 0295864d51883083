// PasswordHash: what is stored of a password, so that who reads it would have to guess. Each guess takes as long as a
// verification does, which is tens of milliseconds and, with Argon2, tens of mebibytes: nothing for a loop.
//
//   $argon2id$v=19$m=65536,t=3,p=4$SALT$HASH     Argon2id (RFC 9106), by OpenSSL
//   $2y$12$SALTHASH                              bcrypt, also $2a$ and $2b$, by libcrypt
//   $6$SALT$HASH, $5$..., $y$...                 SHA-crypt and yescrypt, likewise
//
// What can be guessed in no time (MD5, SHA-1, DES, or a password as it is) is refused, and so is what would take a
// verification longer than anybody waits.
//
// Thread: any.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

namespace leat::crypto {

class PasswordHash {
 public:
  // What is wrong says nothing of `text`.
  static std::expected<PasswordHash, std::string> parse(std::string_view text);

  enum class Outcome : uint8_t { Right, Wrong, Failed };  // Failed: for want of memory
  // Blocks. Of bcrypt the first 72 bytes of a password count; one with a NUL in it is wrong.
  [[nodiscard]] Outcome verify(std::string_view password) const;
  [[nodiscard]] std::string_view text() const { return text_; }

 private:
  // Of Argon2id.
  struct Argon {
    uint32_t memory_kib = 0;  // 0: it is none
    uint32_t passes = 0;
    uint32_t lanes = 0;
    std::string salt, hash;
  };
  static std::expected<PasswordHash, std::string> parse_argon(std::string_view text);
  [[nodiscard]] Outcome verify_argon(std::string_view password) const;
  [[nodiscard]] Outcome verify_crypt(std::string_view password) const;

  std::string text_;
  Argon argon_;
};

// Overwrites what was secret.
void forget(std::string& secret);

}  // namespace leat::crypto

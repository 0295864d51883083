// TicketKeys: what sessions' tickets are sealed with (RFC 5077 and 8446, section 4.6.1), the same for all workers and over
// reloads, so that a client resumes its session wherever it comes to.
//
// Two keys: the current one seals, the one before it still opens, so that no ticket is lost in a rotation. Whoever seals
// rotates them when it is time: then a key that leaked opens no more than what was said in twice a lifetime.
//
// Thread: any. A lock that is held for the time of a copy, once or twice in a handshake that takes a thousand times as long.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace leat::tls {

class TicketKeys {
 public:
  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;  // AES-256
    std::array<unsigned char, 32> mac;     // HMAC with SHA-256
    int64_t since_s = 0;                   // seconds since 1970
  };

  TicketKeys() = default;  // its first key is made by who first seals
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // What to seal with. Nothing where there is no randomness for a new key.
  [[nodiscard]] std::optional<Key> current(int64_t now_s, int64_t lifetime_s);
  // The key of this name, where it has one that is not too old; `former`: it seals no more.
  struct Found {
    Key key;
    bool former;
  };
  [[nodiscard]] std::optional<Found> find(std::span<const unsigned char, 16> name, int64_t now_s,
                                          int64_t lifetime_s);

 private:
  std::mutex mutex_;
  std::optional<Key> current_, former_;
};

}  // namespace leat::tls

// TicketKeys: what sessions' tickets are sealed with (RFC 5077 and 8446, section 4.6.1), the same for all workers and over
// reloads, so that a client resumes its session wherever it comes to.
//
// Of its own there are two: the current one seals, the one before it still opens, so that no ticket is lost in a rotation. Whoever
// seals rotates them when it is time: then a key that leaked opens no more than what was said in twice a lifetime. The next
// process goes on with them (KeptTicketKeys).
//
// Those that somebody gives, for several machines, are another's to rotate: the first seals, all open.
//
// Thread: any. A lock that is held for the time of a copy, once or twice in a handshake that takes a thousand times as long.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace leat::tls {

struct TicketKey {
  std::array<unsigned char, 16> name;
  std::array<unsigned char, 32> cipher;  // AES-256; AES-128 of a short one
  std::array<unsigned char, 32> mac;     // HMAC with SHA-256, by 16 bytes of a short one
  int64_t since_s = 0;                   // seconds since 1970
  bool is_short = false;

  // Of a file of 80 random bytes, or 48, as nginx has them. An error is a sentence about the file: "has ...".
  static std::expected<TicketKey, std::string> read(std::string_view bytes);
};

// Keys for the next process to go on with: in memory that it shares, and, over an upgrade, as a text between two processes.
// They are never on a disk.
//
// One process writes, others read, and a write that was broken off is none: there are two places, and a number says which
// one is whole.
class KeptTicketKeys {
 public:
  static constexpr size_t kMost = 2;
  using Keys = std::array<TicketKey, kMost>;

  // The newest first.
  void put(std::span<const TicketKey> keys);
  [[nodiscard]] size_t get(Keys& keys) const;
  // For a message; empty where there are none.
  [[nodiscard]] std::string text() const;
  // What that made. What another version made is nothing.
  void take(std::string_view text);

 private:
  struct Place {
    size_t count = 0;
    Keys keys{};
  };
  std::array<Place, 2> places_;
  std::atomic<uint64_t> number_ = 0;  // of writes; the last one is at its lowest bit
};

class TicketKeys {
 public:
  using Key = TicketKey;

  // Goes on with what is kept, and keeps what it makes; null: nobody comes after it. Its first key is made by who first seals.
  explicit TicketKeys(KeptTicketKeys* kept = nullptr);
  // Those that were given, at least one.
  explicit TicketKeys(std::vector<Key> given);
  ~TicketKeys();
  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Whether they were given.
  [[nodiscard]] bool given() const { return given_; }
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
  void rotate(const Key& next);

  std::mutex mutex_;
  std::vector<Key> keys_;  // the first seals
  KeptTicketKeys* const kept_ = nullptr;
  const bool given_ = false;
};

}  // namespace leat::tls

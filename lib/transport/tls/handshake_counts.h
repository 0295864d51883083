// HandshakeCounts: what has become of handshakes with clients, on all workers, over reloads.
//
// Thread: any.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::tls {

// Why one has failed, as metrics tell it.
enum class Failure : uint8_t {
  PlainHttp,    // it spoke HTTP
  NotTls,       // or what is no TLS
  Version,      // no version in common
  Cipher,       // no cipher
  Group,        // no group
  Protocol,     // no protocol (ALPN)
  Name,         // no certificate is for the name that it asked for
  Certificate,  // it has shown one that is not good, or none where it has to
  Distrust,     // it does not take the one that it was shown
  Limit,        // too many at a time, or more than a hello
  Memory,       // there is none
  Left,         // it went, or was given up, before the end
  Other
};
inline constexpr std::array<std::string_view, 13> kFailureNames = {
    "plain_http",  "not_tls",  "version", "cipher", "group", "protocol", "name",
    "certificate", "distrust", "limit",   "memory", "left",  "other"};
static_assert(kFailureNames.size() == static_cast<size_t>(Failure::Other) + 1);

class HandshakeCounts {
 public:
  void add(Failure why) { ++failed_[static_cast<size_t>(why)]; }
  void add_completed(bool newest, bool resumed) { ++completed_[at(newest, resumed)]; }
  [[nodiscard]] uint64_t failed(Failure why) const { return failed_[static_cast<size_t>(why)]; }
  // `newest`: of TLS 1.3, else of 1.2.
  [[nodiscard]] uint64_t completed(bool newest, bool resumed) const {
    return completed_[at(newest, resumed)];
  }

 private:
  static size_t at(bool newest, bool resumed) { return (newest ? 2U : 0U) + (resumed ? 1U : 0U); }

  std::array<std::atomic<uint64_t>, 4> completed_{};
  std::array<std::atomic<uint64_t>, kFailureNames.size()> failed_{};
};

}  // namespace leat::tls

// CertificateWatch: a word each day of what is about to expire by which TLS is spoken: certificates, and lists of what authorities
// of clients have revoked. What is so when a configuration is loaded is told there; this is for a daemon that runs for long.
//
// Thread: the control thread's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "config/config.h"

namespace leat::server {

class CertificateWatch {
 public:
  struct Line {
    log::Level level;
    std::string text;
  };

  // `now_ms` by CLOCK_MONOTONIC: the first word is a day later.
  explicit CertificateWatch(uint64_t now_ms) : next_ms_(now_ms + kEveryMs) {}

  // What is to be said now, `wall_s` seconds after 1970 began; nothing before the day is over.
  [[nodiscard]] std::vector<Line> look(const config::Settings& settings, uint64_t now_ms, int64_t wall_s);
  // When to look again.
  [[nodiscard]] uint64_t next_ms() const { return next_ms_; }

 private:
  static constexpr uint64_t kEveryMs = uint64_t{24} * 3600 * 1000;
  uint64_t next_ms_;
};

}  // namespace leat::server

// KnownRuns: known header lines that come one after another again, compared at once.
//
// What varies between a browser's requests is the target, and a cookie or an id; the lines between stay, in
// the same order. A run is what a head began with, behind its request line, up to the first line that is not
// known (http1/known_lines.h) or that does not belong in one (excluded()). Cookies and credentials don't, so
// that all users of a browser share a run. Taking a run is taking its lines one by one: they are the same
// bytes, and each was entered as a known line.
//
// Fixed in size: a worker has 64 runs of at most 1 KiB and 24 lines, whose memory is touched as it fills. A
// run enters when it is seen for the second time. One shorter than 128 bytes does not: it gains little, and
// the first 128 bytes are what tells one client's runs from another's. Comparing takes the same time wherever
// a difference lies.
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "http/bytes.h"
#include "http/head.h"

namespace leat::http1 {

struct KnownLine;

struct KnownRun {
  static constexpr size_t kMostBytes = 1024;
  static constexpr size_t kMostLines = 24;
  uint64_t hash = 0;                   // of the first bytes, see KnownRuns::kHashed
  uint16_t size = 0;                   // with the last line's ending; 0: free
  uint16_t count = 0;                  // of lines
  bool http11_only = false;            // has such a line, see KnownLine
  bool has_host = false;               // one of the lines is Host
  bool forwarded = false;              // one is a forwarding field
  http::Span host;                     // its value, relative to the run
  const KnownLine* last = nullptr;     // the table's entry for the last line, for what follows it
  http::HeaderSlot slots[kMostLines];  // relative to the run
  char bytes[kMostBytes];
};

class KnownRuns {
 public:
  KnownRuns();

  // The longest entry that `text` begins with, or nullptr.
  [[nodiscard]] const KnownRun* match(std::string_view text) const;

  // Remembers `text`, which begins the header section of a complete head: the known lines at `slots`, whose
  // offsets count from `origin` bytes before `text`.
  void offer(std::string_view text, std::span<const http::HeaderSlot> slots, uint32_t origin,
             const KnownLine* last);

  // True for fields that tell one user from another, and for those that each head must be asked about.
  static bool excluded(http::HeaderId id);

 private:
  static constexpr size_t kHashed = 128;
  static constexpr size_t kEntries = 64;
  static constexpr size_t kWays = 4;
  static constexpr size_t kSeen = 256;

  struct Free {
    void operator()(KnownRun* runs) const;
  };

  [[nodiscard]] KnownRun* set_of(uint64_t hash) const {
    return &entries_[(hash % (kEntries / kWays)) * kWays];
  }

  const uint64_t seed_ = http::process_seed();
  std::unique_ptr<KnownRun[], Free> entries_;
  std::array<uint32_t, kSeen> seen_{};  // hashes of runs seen once
  uint32_t victim_ = 0;
};

}  // namespace leat::http1

// KnownLines: header lines that llhttp has accepted before, so that it need not judge them again.
//
// A browser sends the same eight or ten header lines with every request, and they make up most of its
// head. llhttp's verdict on a line of a field that has nothing to do with framing depends on the bytes of
// that line alone: it keeps nothing from one such line to the next. So a whole line (with its line ending)
// that is equal, byte for byte, to one that was accepted is taken from this table, and only the others are
// fed to the parser. Fields that mean something to framing are never entered (steers_parser()), but for one
// line: "Connection: keep-alive" has no meaning in HTTP/1.1, where nearly all browsers send it. That the
// result is the same as feeding everything is what test/fuzz/head_fuzz.cc checks.
//
// Fixed in size: a worker has one, 512 lines of at most 256 bytes, whose memory is touched as it fills. A
// line enters when it is seen for the second time, so that values which never repeat (a trace id) do not
// push out those that do. Lookup compares without an early exit: how long it takes tells a client nothing
// about lines of others.
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "http/bytes.h"
#include "http/head.h"
#include "http1/known_runs.h"

namespace leat::http1 {

struct KnownLine {
  static constexpr size_t kMostBytes = 256;
  uint64_t hash = 0;
  uint16_t size = 0;       // with the line ending; 0: free
  uint16_t name_size = 0;  // the name begins the line
  uint16_t value_offset = 0;
  uint16_t value_size = 0;
  http::HeaderId id = http::HeaderId::Unknown;
  bool http11_only = false;  // "Connection: keep-alive", which says something in HTTP/1.0
  uint16_t next = 0;         // the entry that followed this one the last time
  char bytes[kMostBytes];
};

class KnownLines {
 public:
  KnownLines();

  // The entry that `text` begins with, or nullptr. `hint` is the entry matched before (nullptr at the first
  // line): what followed it the last time is tried first.
  const KnownLine* match(std::string_view text, const KnownLine* hint) {
    if (!text.empty() && text.front() == '\r') return nullptr;  // the blank line is none
    uint16_t& next = hint != nullptr ? entries_[static_cast<size_t>(hint - entries_.get())].next : first_;
    const KnownLine& guess = entries_.get()[next];
    if (matches(guess, text)) return &guess;
    return look_up(text, next);
  }

  // Remembers a line that the parser accepted as part of a complete head. `slot` is relative to the line.
  void offer(std::string_view line, const http::HeaderSlot& slot);

  // Those of them that come together.
  [[nodiscard]] KnownRuns& runs() { return runs_; }

  // True for the fields that steer llhttp: those which decide framing, persistence or a protocol switch.
  static bool steers_parser(http::HeaderId id);

 private:
  static bool matches(const KnownLine& line, std::string_view text) {
    return line.size != 0 && text.size() >= line.size &&
           http::equal_bytes(line.bytes, text.data(), line.size);
  }
  const KnownLine* look_up(std::string_view text, uint16_t& next);

  // 512 lines hold the variants of some forty browsers; 1024 would fall out of the second-level cache.
  static constexpr size_t kEntries = 512;
  static constexpr size_t kWays = 4;
  static constexpr size_t kSeen = 2048;

  struct Free {
    void operator()(KnownLine* lines) const;
  };

  const uint64_t seed_ = http::process_seed();
  std::unique_ptr<KnownLine[], Free> entries_;
  KnownRuns runs_;
  std::array<uint32_t, kSeen> seen_{};  // hashes of lines seen once
  uint32_t victim_ = 0;
  uint16_t first_ = 0;  // the entry that the last head began with
};

}  // namespace leat::http1

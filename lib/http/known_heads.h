// KnownHeads: whole request heads that were parsed before and come again, byte for byte.
//
// A health check, a poller, a page's burst of requests and a load generator all send the same head again
// and again. Parsing the same bytes from the same state gives the same result, so the result is kept and
// looked up by the bytes. Only heads without a body enter: after one the parser is where it was before it,
// so it need not see it at all.
//
// An entry in use is pinned by the exchange that refers to it and is not replaced; its views are as good as
// those of a head in the exchange's own arena. A head that is not known is entered every eighth time only,
// so that heads which never repeat cost one copy in eight.
//
// Fixed in size: a worker has 128 entries of at most 2 KiB of head, touched as they fill. Comparing takes
// the same time wherever a difference lies (http/bytes.h).
//
// Thread: its worker's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string_view>
#include <type_traits>

#include "http/head.h"

namespace leat::pipeline {
struct Route;
}

namespace leat::http {

struct KnownHead {
  static constexpr size_t kMostBytes = 2048;
  static constexpr size_t kMostSlots = 32;
  static constexpr size_t kMostParams = 4;
  static constexpr size_t kNoteBytes = 320;
  uint64_t hash = 0;    // of the first bytes, see KnownHeads::kHashed
  size_t size = 0;      // of the head; 0: nothing matches it
  Head head;            // points into this entry
  uint64_t number = 0;  // that no other head of this worker has had; 0 for none
  uint32_t pins = 0;
  // The service's, for what it found out about this head: valid where the epoch is one that it has given out.
  // 0 for a head that was just entered.
  uint64_t route_epoch = 0;
  const pipeline::Route* route = nullptr;
  uint32_t param_count = 0;
  std::array<std::string_view, kMostParams> params;  // into `bytes`
  // The handler's, likewise: who left `note` here. 0: nobody.
  uint64_t note_owner = 0;
  alignas(std::max_align_t) std::array<std::byte, kNoteBytes> note;
  HeaderSlot slots[kMostSlots];
  char bytes[kMostBytes];

  // What `owner`, a number that nobody else has had, left here about this head; it may point into the entry.
  template <class T>
  [[nodiscard]] const T* note_of(uint64_t owner) const {
    return note_owner == owner ? std::launder(reinterpret_cast<const T*>(note.data())) : nullptr;
  }
  // A new one, in the place of any other.
  template <class T>
  T& leave_note(uint64_t owner) {
    static_assert(sizeof(T) <= kNoteBytes && std::is_trivially_destructible_v<T>);
    note_owner = owner;
    return *new (note.data()) T;
  }
};

class KnownHeads {
 public:
  // A worker has several: `table` says which of them this is, from 0, so that no two number heads alike.
  explicit KnownHeads(uint32_t table = 0);

  // The entry that `text` begins with, pinned, or nullptr. `hint` is the entry the same connection matched
  // before, or nullptr.
  KnownHead* match_and_pin(std::string_view text, KnownHead* hint);
  static void unpin(KnownHead& known) { --known.pins; }

  // Knows none any more: they were judged by other limits. Who has one pinned keeps it.
  void forget();

  // Offers a head that was just parsed; it must have no body. Entered or not.
  void offer(const Head& head);

 private:
  // The shortest request there is: "GET / HTTP/1.1\r\nHost:\r\n\r\n" has 25 bytes.
  static constexpr size_t kHashed = 24;
  static constexpr size_t kEntries = 128;
  static constexpr size_t kWays = 4;
  static constexpr uint64_t kMostTables = 2;

  struct Free {
    void operator()(KnownHead* heads) const;
  };

  std::unique_ptr<KnownHead[], Free> entries_;
  uint64_t offered_ = 0;
  const uint32_t table_;
};

}  // namespace leat::http

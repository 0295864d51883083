// FieldTable: the fields that an HPACK index can mean: those of the static table, and those that a peer has had kept (RFC 7541,
// section 2.3).
//
// Of each field is known which of the daemon's names it has, and, once somebody has looked, that it may stand in a
// request. So what comes again is neither looked up nor checked again.
//
// The kept fields lie in one run of memory, the newest at its end; where that is full the living ones move to its front. It
// grows as fields come, so that who sends none costs none, to half as much again as the table may hold: then a move frees a
// third at least, and each byte moves a few times at most. What it has is counted by the worker's pool.
//
// Views end with the next add(). Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/block_pool.h"
#include "http/header_id.h"

namespace leat::http2 {

struct TableField {
  std::string_view name;
  std::string_view value;
  http::HeaderId id = http::HeaderId::Unknown;
  bool checked = false;  // name and value may stand in a request
};

inline constexpr uint32_t kStaticFields = 61;
// What the table counts each field as, beside its bytes (RFC 7541, section 4.1).
inline constexpr size_t kFieldOverhead = 32;

// `index` from 1 to kStaticFields.
const TableField& static_field(uint32_t index);
// The index of a field of that name in the static table; 0: there is none.
uint32_t static_name(http::HeaderId id);
// A name as it must be here (RFC 9113, section 8.2.1): a token without capitals.
bool is_lower_name(std::string_view name);

class FieldTable {
 public:
  FieldTable(BlockPool& memory, size_t most) : memory_(memory), most_(most) {}
  ~FieldTable() { free_all(); }
  FieldTable(const FieldTable&) = delete;
  FieldTable& operator=(const FieldTable&) = delete;

  // Of the kept fields the `age`-th, from 0, the newest. False: there are not so many.
  [[nodiscard]] bool find(size_t age, TableField& field) const;
  // That field may stand in a request.
  void set_checked(size_t age);
  // Keeps a field, which is no view of the table's, and for which others may go; one that is larger than the table empties it.
  // False: memory is out.
  [[nodiscard]] bool add(const TableField& field);
  // Another bound; what is past it goes.
  void set_most(size_t bytes);
  [[nodiscard]] size_t most() const { return most_; }
  [[nodiscard]] size_t size() const { return size_; }  // as the table counts
  [[nodiscard]] size_t count() const { return count_; }
  // Changes with each field that comes or goes, and with the bound.
  [[nodiscard]] uint64_t epoch() const { return epoch_; }
  [[nodiscard]] size_t footprint() const { return text_room_ + entry_room_ * sizeof(Entry); }

 private:
  struct Entry {
    uint32_t at = 0;  // in the text
    uint32_t name_size = 0;
    uint32_t value_size = 0;
    http::HeaderId id = http::HeaderId::Unknown;
    bool checked = false;
  };

  [[nodiscard]] Entry& entry(size_t age) const {
    return entries_[(newest_ + entry_room_ - age) % entry_room_];
  }
  void drop_oldest();
  void shrink_to(size_t bytes);
  [[nodiscard]] bool make_room(size_t bytes);
  [[nodiscard]] bool grow_entries();
  void free_all();

  BlockPool& memory_;
  size_t most_;
  size_t size_ = 0;
  uint64_t epoch_ = 0;
  char* text_ = nullptr;
  size_t text_room_ = 0, text_end_ = 0;
  Entry* entries_ = nullptr;  // in a ring
  size_t entry_room_ = 0, newest_ = 0, count_ = 0;
};

}  // namespace leat::http2

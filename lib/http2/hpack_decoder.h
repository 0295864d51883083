// HpackDecoder: header blocks to fields (RFC 7541), for one direction of one connection.
//
// What is wrong with a block is wrong with the connection, whose table can no longer be trusted. Whether fields make a
// request is not asked here. Numbers, strings and the table are bounded, and each field is told before the next is read:
// nothing is kept of them but in the table.
//
// Thread: its worker's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/block_pool.h"
#include "http2/field_table.h"

namespace leat::http2 {

class HpackDecoder {
 public:
  // What a table has where nobody says anything else (RFC 9113, section 6.5.2).
  static constexpr size_t kFirstTable = 4096;

  // `scratch` is where texts are decoded to; many decoders may share it.
  HpackDecoder(BlockPool& memory, std::vector<char>& scratch)
      : table_(memory, kFirstTable), scratch_(scratch) {}

  // From the next block on the table may have so many bytes, as the peer has agreed to; if it has more, that block must begin with
  // another size (section 4.2).
  void allow(size_t most) {
    most_ = most;
    must_shrink_ = table_.most() > most;
  }

  enum class Result : uint8_t { Good, Malformed, OutOfMemory };

  // Gives each field to `sink.field(const TableField&)`, whose answer says whether it may stand in a request: then it is not
  // to be checked when it comes again. Views end with the call.
  template <class Sink>
  [[nodiscard]] Result decode(std::string_view block, Sink& sink) {
    Reader reader{block.data(), block.data() + block.size()};
    bool begins = true;
    while (reader.at != reader.end) {
      Next next;
      const Result result = read(reader, begins, next);
      if (result != Result::Good) return result;
      if (next.kind == Next::Kind::SizeUpdate) continue;
      begins = false;
      const bool good = sink.field(static_cast<const TableField&>(next.field));
      if (next.kind == Next::Kind::Kept) {
        if (good && !next.field.checked) table_.set_checked(next.age);
      } else if (next.kind == Next::Kind::Keep) {
        next.field.checked = good;
        if (!table_.add(next.field)) return Result::OutOfMemory;
      }
    }
    return Result::Good;
  }

  [[nodiscard]] const FieldTable& table() const { return table_; }
  // The next block must begin with another size of the table.
  [[nodiscard]] bool expects_size() const { return must_shrink_; }

 private:
  struct Reader {
    const char* at;
    const char* end;
  };
  struct Next {
    enum class Kind : uint8_t { SizeUpdate, Static, Kept, Keep, Literal } kind = Kind::Literal;
    size_t age = 0;  // with Kept
    TableField field;
  };

  Result read(Reader& reader, bool begins, Next& next);
  Result read_literal(Reader& reader, unsigned prefix, Next& next);
  [[nodiscard]] bool find(uint32_t index, Next& next) const;
  [[nodiscard]] bool read_text(Reader& reader, size_t& used, std::string_view& text);
  static bool read_number(Reader& reader, unsigned prefix, uint32_t& number);

  FieldTable table_;
  std::vector<char>& scratch_;
  size_t most_ = kFirstTable;
  bool must_shrink_ = false;
};

}  // namespace leat::http2

#include "json/binary_reader.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/base64.h"
#include "base/check.h"
#include "base/shared/plugin_text.hpp"
#include "base/utf8.h"
#include "json/binary_tokens.h"
#include "json/valid.h"

namespace leat::json {

namespace {

using Kind = Item::Kind;

// What is wrong, on its way out of the reader; `at` as BinaryError has it.
struct Wrong {
  size_t at;
  std::string_view message;
};

class Reader {
 public:
  using Take = const char* (*)(ByteReader&, Item&);

  Reader(Take code, std::string_view bytes, GrowingText& out) : take_(code), bytes_(bytes), out_(out) {}

  // False: see error().
  bool read() {
    if (!read_value()) return false;
    while (depth_ != 0)
      if (!step()) return false;
    return bytes_.left() == 0 || wrong(bytes_.at(), "must end after its value");
  }
  BinaryError error() {
    return {wrong_.at, wrong_.message, wrong_.message.empty() ? std::string() : pointer()};
  }

 private:
  // Strings are written in pieces of so many bytes, each of which may take six; a multiple of 3, for base64.
  static constexpr size_t kPiece = 240;

  // A container that was begun.
  struct Frame {
    bool is_object;
    bool open;
    bool named;      // the name of a member has come, and its value is under way
    uint64_t left;   // elements or members to come, unless it is open
    uint64_t index;  // of those that have begun, or were about to
    size_t name_at;  // where the name of the last member begins
  };

  bool wrong(size_t at, std::string_view message) {
    wrong_ = {at, message};
    return false;
  }
  // Room for so many bytes.
  bool need(size_t size) {
    if (static_cast<size_t>(out_.end - out_.at) >= size) [[likely]]
      return true;
    return out_.grow(out_.owner, out_.at, out_.end, size) || wrong(bytes_.at(), {});
  }
  void put(char c) { *out_.at++ = c; }

  bool take(Item& item, size_t& at) {
    at = bytes_.at();
    const char* const problem = take_(bytes_, item);
    return problem == nullptr || wrong(problem == kEndsTooEarly ? bytes_.size() : at, problem);
  }

  // The next value of the innermost container, or its end.
  bool step() {
    Frame& frame = frames_[depth_ - 1];
    Item item;
    size_t at = 0;
    const bool ends = !frame.open && frame.left == 0;
    frame.named = false;
    ++frame.index;
    if (!ends && !take(item, at)) return false;
    if (ends || (frame.open && item.kind == Kind::Break)) {
      if (!need(1)) return false;
      put(frame.is_object ? '}' : ']');
      --depth_;
      return true;
    }
    --frame.left;
    if (frame.index != 1) {
      if (!need(1)) return false;
      put(',');
    }
    if (!frame.is_object) return write(item, at);
    if (item.kind != Kind::Text) return wrong(at, "must have texts as the names of its members");
    frame.name_at = at;
    if (!write_text(item) || !need(1)) return false;
    put(':');
    frame.named = true;
    return read_value();
  }

  bool read_value() {
    Item item;
    size_t at = 0;
    return take(item, at) && write(item, at);
  }

  bool write(const Item& item, size_t at) {
    if (!need(kMostScalar)) return false;
    switch (item.kind) {
      case Kind::Natural:
        out_.at = encoding::write_integer(out_.at, item.number);
        return true;
      case Kind::Negative:
        write_negative(item.number);
        return true;
      case Kind::Real:
        out_.at = encoding::write_real(out_.at, item.real);
        return true;
      case Kind::True:
        put_word("true");
        return true;
      case Kind::False:
        put_word("false");
        return true;
      case Kind::Null:
        put_word("null");
        return true;
      case Kind::Text:
        return write_text(item);
      case Kind::Bytes:
        return write_bytes(item);
      case Kind::Array:
      case Kind::Object:
        return begin(item, at);
      case Kind::Break:
        break;
    }
    return wrong(at, "must not have an end of what was not begun");
  }
  // -2^64 is the least.
  static constexpr size_t kMostScalar = std::max(encoding::kLongestReal, encoding::kLongestInteger + 1);
  void write_negative(uint64_t number) {
    put('-');
    if (number == UINT64_MAX)
      put_word("18446744073709551616");
    else
      out_.at = encoding::write_integer(out_.at, number + 1);
  }
  void put_word(std::string_view word) {
    std::memcpy(out_.at, word.data(), word.size());
    out_.at += word.size();
  }

  bool begin(const Item& item, size_t at) {
    if (depth_ == kMostDepth) return wrong(at, "is nested too deep");
    const bool object = item.kind == Kind::Object;
    put(object ? '{' : '[');
    frames_[depth_++] = {.is_object = object,
                         .open = item.open,
                         .named = false,
                         .left = item.open ? UINT64_MAX : item.number,
                         .index = 0,
                         .name_at = 0};
    return true;
  }

  // Calls `write(piece)` for each piece of a string whose head was taken: one, or, where it is open, as many as come before
  // its Break.
  template <class Write>
  bool for_each_piece(const Item& string, Write write) {
    if (!string.open) return take_piece(string.number, write);
    for (;;) {
      Item piece;
      size_t at = 0;
      if (!take(piece, at)) return false;
      if (piece.kind == Kind::Break) return true;
      if (piece.kind != string.kind || piece.open || piece.tagged)
        return wrong(at, "must have strings in pieces of their own kind, each with its length");
      if (!take_piece(piece.number, write)) return false;
    }
  }
  template <class Write>
  bool take_piece(uint64_t size, Write write) {
    if (size > bytes_.left()) return wrong(bytes_.size(), kEndsTooEarly);
    return write(bytes_.take_bytes(static_cast<size_t>(size)));
  }

  bool write_text(const Item& text) {
    if (!need(1)) return false;
    put('"');
    // Each piece is whole characters (RFC 8949, section 3.2.3).
    const bool good = for_each_piece(text, [this](std::string_view piece) {
      if (!is_utf8(piece)) return wrong(bytes_.at() - piece.size(), "must be UTF-8");
      while (!piece.empty()) {
        const size_t size = piece.size() <= kPiece ? piece.size() : encoding::piece_of(piece, kPiece);
        if (!need(size * encoding::kMostEscaped)) return false;
        out_.at = encoding::write_escaped(out_.at, piece.substr(0, size));
        piece.remove_prefix(size);
      }
      return true;
    });
    if (!good || !need(1)) return false;
    put('"');
    return true;
  }

  bool write_bytes(const Item& bytes) {
    if (!need(1)) return false;
    put('"');
    // Three at a time; what is left of a piece goes with the next one.
    std::array<char, 3> kept;
    size_t count = 0;
    const auto encode = [this](std::string_view three) {
      if (!need(encoded_size(Base64::Url, three.size()))) return false;
      out_.at = encode_base64(Base64::Url, three, out_.at);
      return true;
    };
    const bool good = for_each_piece(bytes, [&](std::string_view piece) {
      while (!piece.empty()) {
        if (count == 0 && piece.size() >= 3) {
          const size_t size = std::min(piece.size() / 3 * 3, kPiece);
          if (!encode(piece.substr(0, size))) return false;
          piece.remove_prefix(size);
          continue;
        }
        kept[count++] = piece.front();
        piece.remove_prefix(1);
        if (count < 3) continue;
        if (!encode({kept.data(), count})) return false;
        count = 0;
      }
      return true;
    });
    if (!good || !encode({kept.data(), count}) || !need(1)) return false;
    put('"');
    return true;
  }

  // Of the value that is wrong.
  std::string pointer() {
    std::string text;
    for (size_t i = 0; i < depth_; ++i) {
      const Frame& frame = frames_[i];
      if (frame.is_object ? !frame.named : frame.index == 0) break;  // it is the container itself
      text += '/';
      if (!frame.is_object) {
        text += std::to_string(frame.index - 1);
        continue;
      }
      for (const char c : name_at(frame.name_at)) {
        if (c == '~' || c == '/')
          text.append(c == '~' ? "~0" : "~1");
        else
          text += c;
      }
    }
    return text;
  }
  // A name that was good when it was read.
  std::string name_at(size_t at) {
    std::string name;
    bytes_.go_to(at);
    Item item;
    if (take_(bytes_, item) == nullptr)
      (void)for_each_piece(item, [&](std::string_view piece) {
        name += piece;
        return true;
      });
    return name;
  }

  const Take take_;
  ByteReader bytes_;
  GrowingText& out_;
  Wrong wrong_{};
  uint32_t depth_ = 0;
  std::array<Frame, kMostDepth> frames_;
};

}  // namespace

std::optional<BinaryError> write_as_json(Backend backend, std::string_view bytes, GrowingText& out) {
  ENSURE(is_binary(backend));
  Reader reader(backend == Backend::Cbor ? take_cbor : take_message_pack, bytes, out);
  if (reader.read()) return std::nullopt;
  return reader.error();
}

}  // namespace leat::json

// UTF-8 (RFC 3629), of text that comes from elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/shared/plugin_text.hpp"

namespace leat {

// Whether all of it is.
constexpr bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Most of it is ASCII, which is looked through eight bytes at a time.
    if !consteval {
      for (uint64_t eight = 0; text.size() >= sizeof eight; text.remove_prefix(sizeof eight)) {
        std::memcpy(&eight, text.data(), sizeof eight);
        if ((eight & 0x8080808080808080) != 0) break;
      }
      if (text.empty()) break;
    }
    const size_t size = encoding::utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// The same of a text that comes in pieces, cut anywhere: the first byte that cannot be is found with its piece.
class Utf8Reader {
 public:
  // False: it is none, whatever follows.
  bool take(std::string_view piece) {
    const char* at = piece.data();
    const char* const end = at + piece.size();
    while (at != end) {
      if (left_ == 0) at = skip_ascii(at, end);
      for (; at != end && (left_ != 0 || static_cast<unsigned char>(*at) >= 0x80); ++at)
        if (!take_byte(static_cast<unsigned char>(*at))) return false;
    }
    return true;
  }
  // Whether what has come ends with a whole character.
  [[nodiscard]] bool whole() const { return left_ == 0; }
  void reset() { left_ = 0; }

 private:
  static const char* skip_ascii(const char* at, const char* end) {
    for (; end - at >= 32; at += 32) {
      uint64_t words[4];
      std::memcpy(words, at, sizeof words);
      if (((words[0] | words[1] | words[2] | words[3]) & 0x8080'8080'8080'8080) != 0) break;
    }
    while (at != end && static_cast<unsigned char>(*at) < 0x80) ++at;
    return at;
  }
  // One that is not ASCII, or belongs to a character that has begun (RFC 3629, section 4).
  bool take_byte(unsigned char byte) {
    if (left_ != 0) {
      if (byte < least_ || byte > most_) return false;
      least_ = 0x80;
      most_ = 0xbf;
      --left_;
      return true;
    }
    if (byte < 0xc2 || byte > 0xf4) return false;
    left_ = byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3;
    // Neither in more bytes than it needs, nor a surrogate, nor beyond U+10FFFF.
    least_ = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    most_ = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    return true;
  }

  uint8_t left_ = 0;  // bytes of the character that has begun, of which the next lies between ...
  uint8_t least_ = 0x80;
  uint8_t most_ = 0xbf;
};

}  // namespace leat

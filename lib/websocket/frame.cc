#include "websocket/frame.h"

#include <bit>
#include <cstring>

namespace leat::websocket {

namespace {

uint64_t read_number(const char* at, size_t size) {
  uint64_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<unsigned char>(at[i]);
  return number;
}

void put_number(char* at, uint64_t number, size_t size) {
  for (size_t i = 0; i < size; ++i) at[i] = static_cast<char>(number >> 8 * (size - 1 - i));
}

}  // namespace

size_t put_head(char* to, const FrameHead& head) {
  to[0] = static_cast<char>((head.last ? 0x80 : 0) | (head.compressed ? 0x40 : 0) |
                            static_cast<uint8_t>(head.opcode));
  if (head.size < 126) {
    to[1] = static_cast<char>(head.size);
    return 2;
  }
  const size_t width = head.size <= UINT16_MAX ? 2 : 8;
  to[1] = width == 2 ? 126 : 127;
  put_number(to + 2, head.size, width);
  return 2 + width;
}

HeadStep read_head(std::string_view bytes, FrameHead& head, size_t& used, std::string_view& why) {
  if (bytes.size() < 2) return HeadStep::More;
  const auto first = static_cast<unsigned char>(bytes[0]);
  const auto second = static_cast<unsigned char>(bytes[1]);
  const unsigned opcode = first & 0x0f;
  const auto wrong = [&why](std::string_view what) {
    why = what;
    return HeadStep::Wrong;
  };
  if ((first & 0x30) != 0) return wrong("a reserved bit is set");
  if ((opcode > 2 && opcode < 8) || opcode > 10) return wrong("an opcode is reserved");
  head.opcode = static_cast<Opcode>(opcode);
  head.last = (first & 0x80) != 0;
  head.compressed = (first & 0x40) != 0;
  head.masked = (second & 0x80) != 0;
  head.size = second & 0x7f;
  if (is_control(head.opcode)) {
    if (!head.last) return wrong("a control frame is fragmented");
    if (head.size > kMostControl) return wrong("a control frame is longer than 125 bytes");
  }
  const size_t width = head.size < 126 ? 0 : head.size == 126 ? 2 : 8;
  const size_t size = 2 + width + (head.masked ? 4 : 0);
  if (bytes.size() < 2 + width) return HeadStep::More;
  if (width != 0) {
    head.size = read_number(bytes.data() + 2, width);
    if (head.size < 126 || (width == 8 && head.size <= UINT16_MAX))
      return wrong("a length is not in as few bytes as it can be");
    if (head.size >> 63 != 0) return wrong("a length is larger than any may be");
  }
  if (bytes.size() < size) return HeadStep::More;
  if (head.masked) std::memcpy(&head.mask, bytes.data() + 2 + width, 4);
  used = size;
  return HeadStep::Done;
}

uint32_t apply_mask(char* to, const char* from, size_t size, uint32_t mask) {
  // 32 bytes at a time are what compilers make vectors of, whatever the processor has.
  using Wide = uint32_t __attribute__((vector_size(32)));
  const Wide wide = {mask, mask, mask, mask, mask, mask, mask, mask};
  size_t at = 0;
  for (; size - at >= sizeof(Wide); at += sizeof(Wide)) {
    Wide bytes;
    std::memcpy(&bytes, from + at, sizeof bytes);
    bytes ^= wide;
    std::memcpy(to + at, &bytes, sizeof bytes);
  }
  for (; size - at >= 4; at += 4) {
    uint32_t word = 0;
    std::memcpy(&word, from + at, 4);
    word ^= mask;
    std::memcpy(to + at, &word, 4);
  }
  const auto rotate = [](uint32_t bytes, size_t by) {
    const int bits = static_cast<int>(by * 8);
    return std::endian::native == std::endian::little ? std::rotr(bytes, bits) : std::rotl(bytes, bits);
  };
  char tail[4];
  std::memcpy(tail, &mask, 4);
  const size_t rest = size - at;
  for (size_t i = 0; i < rest; ++i) to[at + i] = static_cast<char>(from[at + i] ^ tail[i]);
  return rotate(mask, rest);
}

}  // namespace leat::websocket

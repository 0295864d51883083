// Frames of WebSocket as a test wants them, right or wrong, and what a MessageReader makes of bytes, as one line of text.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "coding/raw_deflate.h"
#include "websocket/message_reader.h"

namespace leat::test {

struct FrameOptions {
  bool last = true;
  int reserved = 0;  // RSV1..3 as 4, 2, 1
  bool masked = true;
  int length_bytes = -1;       // -1: as few as can be; else 0, 2 or 8
  uint64_t said = UINT64_MAX;  // a length other than the payload's
};

inline std::string frame(int opcode, std::string_view payload, FrameOptions options = {}) {
  const uint64_t size = options.said != UINT64_MAX ? options.said : payload.size();
  int width = options.length_bytes;
  if (width < 0) width = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  std::string bytes(1, static_cast<char>((options.last ? 0x80 : 0) | options.reserved << 4 | opcode));
  const int mask_bit = options.masked ? 0x80 : 0;
  bytes += static_cast<char>(mask_bit | (width == 0 ? static_cast<int>(size) : width == 2 ? 126 : 127));
  for (int i = width - 1; i >= 0; --i) bytes += static_cast<char>(size >> 8 * i);
  if (!options.masked) return bytes.append(payload);
  constexpr char kMask[] = {'\x12', '\x34', '\x56', '\x78'};
  bytes.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) bytes += static_cast<char>(payload[i] ^ kMask[i % 4]);
  return bytes;
}

inline std::string text(std::string_view payload, FrameOptions options = {}) {
  return frame(1, payload, options);
}
inline std::string binary(std::string_view payload, FrameOptions options = {}) {
  return frame(2, payload, options);
}
inline std::string more(std::string_view payload, FrameOptions options = {}) {
  return frame(0, payload, options);
}
inline std::string ping(std::string_view payload, FrameOptions options = {}) {
  return frame(9, payload, options);
}
inline std::string pong(std::string_view payload, FrameOptions options = {}) {
  return frame(10, payload, options);
}
inline constexpr FrameOptions kFirst{.last = false};

inline std::string code_bytes(uint16_t code) {
  return {static_cast<char>(code >> 8), static_cast<char>(code & 0xff)};
}
inline std::string close_frame(uint16_t code, std::string_view reason = {}, FrameOptions options = {}) {
  return frame(8, code_bytes(code).append(reason), options);
}

// As a client packs a message (RFC 7692, section 7.2.1).
inline std::string packed(std::string_view message) {
  const auto deflater = coding::make_raw_deflater(15, 6);
  std::string out(message.size() + 1024, '\0');
  out.resize(deflater->pack(message, out).value());
  return out;
}

// "Text(hello) Ping() Close(1000 bye) Failed(1002)"; long payloads by their size and first byte.
inline std::string describe(websocket::MessageReader::Event event, const websocket::MessageReader& reader) {
  using Event = websocket::MessageReader::Event;
  std::string payload(reader.payload());
  if (payload.size() > 40) payload = std::to_string(payload.size()) + "x" + payload.substr(0, 1);
  switch (event) {
    case Event::Text:
      return "Text(" + payload + ")";
    case Event::Binary:
      return "Binary(" + payload + ")";
    case Event::Ping:
      return "Ping(" + payload + ")";
    case Event::Pong:
      return "Pong(" + payload + ")";
    case Event::Close:
      return "Close(" + std::to_string(reader.code()) + (payload.empty() ? "" : " " + payload) + ")";
    case Event::Failed:
      return "Failed(" + std::to_string(reader.code()) + ")";
    case Event::More:
      break;
  }
  return "More";
}

// What a reader makes of `bytes`, which come in pieces of `piece`. The bytes are gone by the time that the next come.
inline std::string read_in_pieces(const websocket::ReaderLimits& limits, std::string_view bytes,
                                  size_t piece) {
  BlockPool memory{1024, 0};
  websocket::MessageReader reader(memory, limits);
  std::string seen;
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string come(bytes.substr(at, piece));
    for (size_t used = 0;;) {
      const auto event = reader.next(come, used);
      if (event == websocket::MessageReader::Event::More) break;
      seen += (seen.empty() ? "" : " ") + describe(event, reader);
      if (event == websocket::MessageReader::Event::Failed) return seen;
      reader.release();
    }
  }
  return seen;
}

}  // namespace leat::test

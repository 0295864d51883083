// Frames of WebSocket (RFC 6455, section 5): their heads, their masks, and the codes that connections are closed with.
//
// No I/O, and no memory of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::websocket {

enum class Opcode : uint8_t { Continuation = 0, Text = 1, Binary = 2, Close = 8, Ping = 9, Pong = 10 };

constexpr bool is_control(Opcode opcode) { return static_cast<uint8_t>(opcode) >= 8; }

// The payload of a control frame at most (section 5.5).
inline constexpr size_t kMostControl = 125;
// Head and mask at most.
inline constexpr size_t kMostHead = 14;

// Why a connection is closed (section 7.4.1).
namespace close_code {
inline constexpr uint16_t kNormal = 1000;
inline constexpr uint16_t kGoingAway = 1001;
inline constexpr uint16_t kProtocol = 1002;
inline constexpr uint16_t kUnsupported = 1003;
inline constexpr uint16_t kNone = 1005;      // never sent: a Close without a code
inline constexpr uint16_t kAbnormal = 1006;  // never sent: the connection ended without a Close
inline constexpr uint16_t kInvalid = 1007;
inline constexpr uint16_t kPolicy = 1008;
inline constexpr uint16_t kTooBig = 1009;
inline constexpr uint16_t kInternal = 1011;
inline constexpr uint16_t kTryLater = 1013;
}  // namespace close_code

// Whether a Close frame may carry it (sections 7.4.1 and 7.4.2, and IANA's registry).
constexpr bool is_close_code(uint32_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

struct FrameHead {
  Opcode opcode = Opcode::Continuation;
  bool last = true;         // FIN
  bool compressed = false;  // RSV1 (RFC 7692, section 6)
  bool masked = false;
  uint64_t size = 0;  // of the payload
  uint32_t mask = 0;  // as it lies in memory
};

// Writes a head without a mask, as servers send it, into kMostHead bytes. Its size.
size_t put_head(char* to, const FrameHead& head);

enum class HeadStep : uint8_t { More, Done, Wrong };
// Reads one from its first byte on; `used` is its size once it is Done. Wrong: it is none that there can be, whatever
// the connection has agreed on but extensions that use RSV2 or RSV3; `why` is a literal then.
HeadStep read_head(std::string_view bytes, FrameHead& head, size_t& used, std::string_view& why);

// Takes the mask off, or puts it on: `to` may be `from`. The mask for the byte that follows.
uint32_t apply_mask(char* to, const char* from, size_t size, uint32_t mask);

}  // namespace leat::websocket

// Frames: the names and numbers of HTTP/2's framing layer (RFC 9113, sections 4, 6 and 7; RFC 8441; RFC 9218), and
// the nine bytes that each frame begins with.
//
// What stands here knows no connection: a header is a value, and so is what is wrong with one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace leat::http2 {

// What a client begins with (RFC 9113, section 3.4).
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

enum class FrameType : uint8_t {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  GoAway = 7,
  WindowUpdate = 8,
  Continuation = 9,
  PriorityUpdate = 16
};

namespace flag {
inline constexpr uint8_t kEndStream = 0x1;  // DATA, HEADERS
inline constexpr uint8_t kAck = 0x1;        // SETTINGS, PING
inline constexpr uint8_t kEndHeaders = 0x4;
inline constexpr uint8_t kPadded = 0x8;
inline constexpr uint8_t kPriority = 0x20;
}  // namespace flag

// Why a stream or a connection ends (RFC 9113, section 7).
enum class Code : uint32_t {
  NoError = 0,
  ProtocolError = 1,
  InternalError = 2,
  FlowControlError = 3,
  SettingsTimeout = 4,
  StreamClosed = 5,
  FrameSizeError = 6,
  RefusedStream = 7,
  Cancel = 8,
  CompressionError = 9,
  ConnectError = 10,
  EnhanceYourCalm = 11,
  InadequateSecurity = 12,
  Http11Required = 13
};

// RFC 9113, section 6.5.2; RFC 8441, section 3; RFC 9218, section 2.1.
enum class Setting : uint16_t {
  HeaderTableSize = 1,
  EnablePush = 2,
  MaxConcurrentStreams = 3,
  InitialWindowSize = 4,
  MaxFrameSize = 5,
  MaxHeaderListSize = 6,
  EnableConnectProtocol = 8,
  NoRfc7540Priorities = 9
};

inline constexpr size_t kFrameHeader = 9;
// The payload that each end takes unless it says more. More of it would let one answer hold up all others for longer.
inline constexpr uint32_t kMostPayload = 16'384;
inline constexpr uint32_t kLargestPayload = 0xff'ffff;
inline constexpr int32_t kFirstWindow = 65'535;
inline constexpr int32_t kLargestWindow = INT32_MAX;
inline constexpr uint32_t kLargestStream = 0x7fff'ffff;

struct FrameHeader {
  uint32_t size = 0;  // of the payload
  uint8_t type = 0;   // a FrameType, or one that is not known
  uint8_t flags = 0;
  uint32_t stream = 0;

  [[nodiscard]] bool is(FrameType other) const { return type == static_cast<uint8_t>(other); }
  [[nodiscard]] bool has(uint8_t bit) const { return (flags & bit) != 0; }
};

inline uint16_t read_16(const char* at) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(at);
  return static_cast<uint16_t>(bytes[0] << 8 | bytes[1]);
}
inline uint32_t read_32(const char* at) { return uint32_t{read_16(at)} << 16 | read_16(at + 2); }

inline char* put_16(char* at, uint16_t value) {
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value);
  return at + 2;
}
inline char* put_32(char* at, uint32_t value) {
  return put_16(put_16(at, static_cast<uint16_t>(value >> 16)), static_cast<uint16_t>(value));
}

// `at`: nine bytes. The reserved bit of the stream's number is not looked at (section 4.1).
inline FrameHeader read_frame_header(const char* at) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(at);
  return {.size = uint32_t{bytes[0]} << 16 | uint32_t{bytes[1]} << 8 | bytes[2],
          .type = bytes[3],
          .flags = bytes[4],
          .stream = read_32(at + 5) & kLargestStream};
}

// Behind the nine bytes.
inline char* put_frame_header(char* at, size_t size, FrameType type, uint8_t flags, uint32_t stream) {
  at[0] = static_cast<char>(size >> 16);
  at = put_16(at + 1, static_cast<uint16_t>(size));
  *at++ = static_cast<char>(type);
  *at++ = static_cast<char>(flags);
  return put_32(at, stream);
}

}  // namespace leat::http2

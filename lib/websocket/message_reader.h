// MessageReader: messages out of frames (RFC 6455, sections 5 and 6), and out of compressed ones (RFC 7692).
//
// Bytes come in pieces of any size; each call of next() goes as far as the next thing that somebody has to know: a message, a
// control frame, or that what came is none. A message that came in one frame and one piece is unmasked into the thread's
// workspace, and nothing is kept; others are collected in memory that the worker's pool counts, as they come and not as they
// were announced. Texts are judged as they come.
//
// The same reader serves both ends: a server's peers mask their frames, a client's do not (section 5.1).
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/block_pool.h"
#include "base/counted_text.h"
#include "base/utf8.h"
#include "websocket/frame.h"

namespace leat::websocket {

struct ReaderLimits {
  uint64_t message_bytes = uint64_t{1} << 20;  // unpacked, too
  uint64_t frame_bytes = uint64_t{1} << 20;
  bool masked = true;       // frames have to be, or must not be
  bool compressed = false;  // permessage-deflate was agreed on
};

class MessageReader {
 public:
  // Failed: the connection has to be closed with code(), and nothing is read any more.
  enum class Event : uint8_t { More, Text, Binary, Ping, Pong, Close, Failed };

  MessageReader(BlockPool& memory, const ReaderLimits& limits) : memory_(memory), limits_(limits) {}

  // Takes what `in` has from `used` on, as far as the next event; `used` is moved on. More: all of it was taken.
  Event next(std::string_view in, size_t& used);
  // Of the last event, until release() or the next call of a reader on this thread: a message, what a Ping or Pong carries,
  // the reason of a Close.
  [[nodiscard]] std::string_view payload() const { return payload_; }
  // Gives up what a large message has taken.
  void release() {
    payload_ = {};
    if (!in_message_) message_.clear();
    if (!in_payload_) control_.reset();
  }
  // Of a Close, kNone where it had none; or of what failed, with why, a literal.
  [[nodiscard]] uint16_t code() const { return code_; }
  [[nodiscard]] std::string_view why() const { return why_; }
  // Whether a message or frame has begun, and its rest is still to come.
  [[nodiscard]] bool within() const { return in_payload_ || head_size_ != 0 || in_message_; }
  // Memory beside itself, in bytes.
  [[nodiscard]] size_t footprint() const { return message_.size(); }

 private:
  Event take_head(std::string_view in, size_t& used);
  Event begin_frame();
  Event take_control(std::string_view in, size_t& used);
  Event take_data(std::string_view in, size_t& used);
  Event end_control();
  Event end_message(std::string_view whole);
  Event read_close();
  Event unpack(std::string_view packed);
  Event fail(uint16_t code, std::string_view why);

  BlockPool& memory_;
  const ReaderLimits limits_;
  CountedText message_;  // that has begun
  std::string_view payload_, why_;
  FrameHead frame_;
  uint64_t left_ = 0;  // of the frame
  Utf8Reader text_;
  uint32_t fragments_ = 0;
  uint16_t code_ = 0;
  Opcode opcode_ = Opcode::Text;  // of the message
  bool compressed_ = false;       // likewise
  bool in_message_ = false;
  bool in_payload_ = false;
  bool failed_ = false;
  uint8_t head_size_ = 0;
  uint8_t control_size_ = 0;
  char head_[kMostHead];
  std::unique_ptr<char[]> control_;  // the payload of a control frame that does not come at once
};

}  // namespace leat::websocket

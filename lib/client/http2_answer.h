// Http2Answer: collects one answer as HTTP/2 brings it, into an arena and within an upstream's limits (RFC 9113, section 8.1).
//
// Fields come block by block as HPACK has read them, the body in pieces. Interim answers (1xx) are read over. What is no answer, or one
// beyond the limits, ends the request that asked for it; the connection goes on, and the rest of what comes for it is dropped.
//
// Thread: its worker's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "client/fetch.h"
#include "client/upstream.h"
#include "http2/field_table.h"

namespace leat::client {

class Http2Answer {
 public:
  // Makes ready for the answer to one request. `head_request`: it has no body, whatever it announces.
  void reset(Arena& arena, const UpstreamOptions& limits, bool head_request);

  // --- What comes. Nothing is to be given to one that is Done or Failed.

  void begin_block();
  // The next field, in order. Whether it may stand in a message, as far as it alone says.
  bool field(const http2::TableField& field);
  // `ends`: nothing follows.
  void end_block(bool ends);
  void data(std::string_view bytes, bool ends);

  enum class State : uint8_t { Head, Body, Done, Failed };
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool begun() const { return begun_; }  // anything was received
  // Of Head and more: the last block was that of an interim answer.
  [[nodiscard]] bool was_interim() const { return interim_; }
  // After Failed.
  [[nodiscard]] FetchStatus failure() const { return failure_; }
  [[nodiscard]] std::string_view message() const { return message_; }
  // After Done.
  [[nodiscard]] uint16_t code() const { return code_; }
  [[nodiscard]] std::span<const Field> fields() const { return {fields_, field_count_}; }
  [[nodiscard]] std::string_view body() const { return {body_, body_size_}; }

 private:
  void fail(FetchStatus status, std::string_view message);
  void take_status(std::string_view value);
  void take(const http2::TableField& field);
  void end();
  [[nodiscard]] bool has_no_body() const { return head_request_ || code_ == 204 || code_ == 304; }

  Arena* arena_ = nullptr;
  const UpstreamOptions* limits_ = nullptr;
  State state_ = State::Head;
  bool head_request_ = false;
  bool begun_ = false;
  bool interim_ = false;
  bool fields_begun_ = false;  // of this block: the pseudo-fields are over
  uint16_t code_ = 0;          // 0: none has come in this block
  std::optional<uint64_t> length_;
  uint32_t field_count_ = 0;
  uint32_t field_room_ = 0;
  size_t head_size_ = 0;
  Field* fields_ = nullptr;
  char* body_ = nullptr;
  size_t body_size_ = 0;
  size_t body_room_ = 0;
  FetchStatus failure_ = FetchStatus::Pending;
  std::string_view message_;
};

}  // namespace leat::client

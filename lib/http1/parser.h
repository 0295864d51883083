// Parser: request bytes to heads and body pieces, with llhttp as the judge.
//
// One parser follows one message; it lies in the arena of the message's exchange. It stops after each thing
// worth telling (a complete head, a piece of body, the end), so that its owner runs at its own pace: nothing is
// called back. llhttp decides what is well-formed. What it lets through and a server must refuse (libraries
// change; RFC 9110 and 9112 do not) is refused here: no HTTP/0.9, no missing or second Host, no
// Transfer-Encoding in HTTP/1.0, no coding but chunked, no other protocols and their methods, and limits.
// What it refuses and a server should take is little, and read here: later versions of HTTP/1, tabs where
// they are white space, and the chunks of a body (http1/chunk_reader.h). Connection is read here, too, as
// llhttp takes Proxy-Connection for it.
//
// The head is fed line by line so that header lines known from earlier requests can be left out
// (http1/known_lines.h, http1/known_runs.h). Results are offsets into the head, so the owner may move the
// bytes between calls.
//
// Answers of other servers are read by client/response_parser.h; nobody else uses llhttp.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "http/head.h"
#include "http/limits.h"
#include "http/refusal.h"
#include "http1/chunk_reader.h"
#include "http1/known_lines.h"

namespace leat::http1 {

class Parser {
 public:
  Parser() = default;
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

  // Makes ready for a new message. `lines` may be nullptr: then llhttp sees every line.
  void reset(Arena& arena, const http::Limits& limits, KnownLines* lines);

  // The head was judged by limits that are these.
  [[nodiscard]] bool judged_by(const http::Limits& limits) const {
    return request_line_bytes_ == limits.request_line_bytes && header_bytes_ == limits.header_bytes &&
           header_count_ == limits.header_count;
  }

  enum class Step : uint8_t { More, Head, Body, End, Refused };

  // `text` is the message so far, from its first byte (contiguous, possibly moved since the last call).
  // More: call again with more bytes. Head: head() is set, its bytes copied into the arena; head().size bytes
  // of `text` are used. Refused: refusal() says why.
  Step parse_head(std::string_view text);
  [[nodiscard]] const http::Head& head() const { return head_; }

  // The bytes after the head, each exactly once. `used` is set to how many bytes of `text` were taken.
  // Body: piece() is a view into `text`. End: the message is complete. More: all was taken.
  Step parse_body(std::string_view text, size_t& used);
  [[nodiscard]] std::string_view piece() const { return piece_; }
  // Trailer fields, after End; offsets into trailer_bytes(). Framing fields among them are left out
  // (RFC 9110, section 6.5.1).
  [[nodiscard]] std::span<const http::HeaderSlot> trailers() const { return {slots_, slot_count_}; }
  [[nodiscard]] std::string_view trailer_bytes() const { return {trailer_bytes_, trailer_size_}; }

  [[nodiscard]] http::Refusal refusal() const { return refusal_; }

 private:
  friend struct ParserCallbacks;
  enum class Part : uint8_t { RequestLine, Headers, Body };

  Step refuse(uint16_t status, std::string_view detail);
  Step refuse_llhttp();
  [[nodiscard]] bool stopped_at_bare_newline() const;
  bool show(std::string_view text, uint32_t at);
  bool feed(const char* base, size_t end);
  [[gnu::cold]] bool feed_tabs(const char* base, size_t end);
  bool take_known_run(std::string_view text);
  bool take_known_lines(std::string_view text);
  bool add_slot();
  bool grow_slots();
  bool within_count();
  Step check_protocol(std::string_view line);
  Step finish_head(std::string_view text);
  Step check_fields();
  Step check_target();
  void show_target_as_host();
  [[nodiscard]] uint32_t line_end(uint32_t at) const;
  void offer_lines() const;
  void offer_run() const;
  Step judge_body(std::string_view text, size_t& used);
  void finish_trailers();
  bool append_trailer(const char* at, size_t size, http::Span http::HeaderSlot::* span);

  llhttp_t llhttp_;
  Arena* arena_ = nullptr;
  // As they were when the head began: a reload may bring others.
  uint32_t request_line_bytes_ = 0, header_bytes_ = 0, header_count_ = 0;
  KnownLines* lines_ = nullptr;
  const KnownLine* hint_ = nullptr;  // the known line before
  uint32_t run_lines_ = 0;           // how many were taken as one run
  uint32_t hosts_ = 0;               // how many of the lines are Host

  const char* base_ = nullptr;  // the text being shown, for offsets
  size_t base_size_ = 0;
  uint32_t base_at_ = 0;       // its offset in the head
  uint32_t fed_ = 0;           // bytes of the head that are behind us
  uint32_t scanned_ = 0;       // bytes of the head searched for a line's end
  uint32_t request_line_ = 0;  // its length with the line ending
  Part part_ = Part::RequestLine;
  bool in_value_ = false;  // the last span was a value: a name begins a new field
  bool head_complete_ = false;
  bool message_complete_ = false;
  bool absolute_target_ = false;
  bool in_trailers_ = false;  // of a chunked body
  ChunkReader chunks_;

  http::Head head_;
  http::HeaderSlot* slots_ = nullptr;
  uint32_t slot_count_ = 0;
  uint32_t slot_room_ = 0;
  std::string_view piece_;
  char* trailer_bytes_ = nullptr;
  uint32_t trailer_size_ = 0;
  uint32_t trailer_room_ = 0;
  http::Refusal refusal_;
};

}  // namespace leat::http1

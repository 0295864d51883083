// ResponseParser: the bytes of an upstream's answer to a status, fields and a body, with llhttp as the judge.
//
// All that it finds is copied into the arena of the exchange that asked. Interim answers (1xx) are read over.
// The upstream may be broken or hostile: an answer whose end is not certain makes the connection unfit for
// another.
#pragma once

#include <llhttp.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "client/fetch.h"
#include "client/upstream.h"

namespace leat::client {

class ResponseParser {
 public:
  ResponseParser() = default;
  ResponseParser(const ResponseParser&) = delete;
  ResponseParser& operator=(const ResponseParser&) = delete;

  // Makes ready for the answer to one request. `head_request`: it has no body, whatever it announces.
  void reset(Arena& arena, const UpstreamOptions& limits, bool head_request);

  // Has the Link fields of early hints (103) added to `hints`, which outlives it. Otherwise what interim answers say is forgotten.
  void keep_hints(std::vector<std::string>& hints) { hints_ = &hints; }

  enum class Step : uint8_t { More, Done, Failed };
  // Takes bytes as they come; a view of them ends with the call. Done: what is left of `bytes` after used()
  // is none of this answer's.
  Step feed(std::string_view bytes);
  // The connection was closed by its peer: that may be how the answer ends.
  Step end();

  [[nodiscard]] bool begun() const { return begun_; }  // anything was received
  [[nodiscard]] size_t used() const { return used_; }  // of the last feed()
  // The connection may carry another request. After Done.
  [[nodiscard]] bool reusable() const { return reusable_; }
  // After Failed.
  [[nodiscard]] FetchStatus failure() const { return failure_; }
  [[nodiscard]] std::string_view message() const { return message_; }
  // After Done.
  [[nodiscard]] uint16_t code() const { return llhttp_.status_code; }
  [[nodiscard]] std::span<const Field> fields() const { return {fields_, field_count_}; }
  [[nodiscard]] std::string_view body() const { return {body_.bytes, body_.size}; }

 private:
  friend struct ResponseCallbacks;
  // Bytes that grow in the arena.
  struct Text {
    char* bytes = nullptr;
    size_t size = 0;
    size_t room = 0;
  };
  struct Place {
    size_t name = 0, name_size = 0, value = 0, value_size = 0;
  };

  void begin_message();
  int fail(FetchStatus status, std::string_view message);
  bool append(Text& text, std::string_view bytes);
  bool add_place();
  void note_hints();
  Step judge(llhttp_errno_t error);
  Step finish();

  llhttp_t llhttp_;
  Arena* arena_ = nullptr;
  const UpstreamOptions* limits_ = nullptr;
  bool head_request_ = false;
  bool begun_ = false;
  bool complete_ = false;
  bool reusable_ = false;
  bool in_value_ = false;
  size_t used_ = 0;
  FetchStatus failure_ = FetchStatus::Pending;
  std::string_view message_;
  Text head_;
  Text body_;
  std::vector<std::string>* hints_ = nullptr;
  Place* places_ = nullptr;
  Field* fields_ = nullptr;
  uint32_t field_count_ = 0;
  uint32_t field_room_ = 0;
};

}  // namespace leat::client

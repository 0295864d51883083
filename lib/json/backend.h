// Backend: who puts the events of a json::Writer into text.
//
//   Direct     the writer itself, as the bytes go
//   RapidJson  RapidJSON's Writer, for those who trust a well-worn one more
//   Yyjson     yyjson's documents, built in the request's memory and then written
//
// and, never by default, two that write no JSON but what it means (binary_backend.cc):
//
//   Cbor, MessagePack
//
// The first three write the same bytes. Which of the last two of them are there is decided when Leat is built (meson's options
// json_rapidjson and json_yyjson), which one is used when it starts (json.backend).
//
// Thread: any. What is being written when the default changes is written as it was begun.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "json/format.h"
#include "json/text_buffer.h"

namespace leat::json {

enum class Backend : uint8_t { Auto, Direct, RapidJson, Yyjson, Cbor, MessagePack };

// Whether what it writes is no text.
constexpr bool is_binary(Backend backend) {
  return backend == Backend::Cbor || backend == Backend::MessagePack;
}

// Those of JSON that are built, the fastest first.
std::span<const Backend> built_backends();
[[nodiscard]] bool is_built(Backend backend);
// "direct", as the setting has it.
std::string_view backend_name(Backend backend);

// What Auto is; at first, and where Auto is set, the fastest. One that is built.
void set_default_backend(Backend backend);
[[nodiscard]] Backend default_backend();

// Takes events, of which json::Writer has seen to the order. Texts are any bytes, see write_string(). Lives
// in the arena of its writer and is never destroyed.
class EventBackend {
 public:
  virtual void begin_object() = 0;
  virtual void end_object() = 0;
  virtual void begin_array() = 0;
  virtual void end_array() = 0;
  // False: the arena is full.
  [[nodiscard]] virtual bool key(std::string_view name) = 0;
  [[nodiscard]] virtual bool string(std::string_view text) = 0;
  virtual void integer(int64_t number) = 0;
  virtual void unsigned_integer(uint64_t number) = 0;
  virtual void real(double number) = 0;  // finite, but in what replay() makes of a text
  virtual void boolean(bool truth) = 0;
  virtual void null() = 0;
  virtual void raw(std::string_view json) = 0;
  // False once the arena was full.
  [[nodiscard]] virtual bool complete() const = 0;
  // All events have come: their text. Nothing where the arena gets full.
  [[nodiscard]] virtual std::optional<std::string_view> finish() = 0;
  // One value comes that its writer has others write to the text itself. False: such events alone are taken.
  [[nodiscard]] virtual bool begin_whole() { return false; }

 protected:
  ~EventBackend() = default;
};

// For one that is built, or binary, and not Direct. `out` must outlive it; nullptr when its arena is full.
EventBackend* make_backend(Backend backend, TextBuffer& out);
EventBackend* make_rapidjson(TextBuffer& out);
EventBackend* make_yyjson(TextBuffer& out);
EventBackend* make_cbor(TextBuffer& out);
EventBackend* make_message_pack(TextBuffer& out);

// Whether libraries would write the text in another way, or not at all: with capital digits for U+000B, 0E,
// 0F and 1A to 1F, and what is not UTF-8.
[[nodiscard]] bool needs_help(std::string_view text);

}  // namespace leat::json

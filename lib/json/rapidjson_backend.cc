#include "json/rapidjson_backend.h"

#include <new>

#include "base/check.h"
#include "json/valid.h"
#include "plugin/sdk/plugin_text.hpp"

// What RapidJSON asserts is the order of events, which json::Writer has seen to; its default would abort.
// Under a namespace of our own, so that no other user's instances, with other assertions, are linked in their
// place.
#define RAPIDJSON_ASSERT(condition) (static_cast<void>(condition))
#define RAPIDJSON_NAMESPACE leat::json::rapid
#define RAPIDJSON_NAMESPACE_BEGIN namespace leat::json::rapid {
#define RAPIDJSON_NAMESPACE_END }
#include <rapidjson/writer.h>

namespace leat::json {

namespace {

// What RapidJSON asks of an output stream. When the arena is full, it swallows the rest and says so.
struct Stream {
  using Ch = char;
  void Put(char byte) {
    if (out.room(1))
      out.put(byte);
    else
      full = true;
  }
  void Flush() {}

  TextBuffer& out;
  bool full = false;
};

// The memory of RapidJSON's stack of levels, which it asks for once, at the first container. RapidJSON does
// not look for null, so there is none: the room is for as many levels as json::Writer lets through.
class Levels {
 public:
  static constexpr bool kNeedFree = false;
  void* Malloc(size_t size) { return Realloc(nullptr, 0, size); }
  void* Realloc(void*, size_t, size_t size) {
    ENSURE(size <= sizeof bytes_);
    return bytes_;
  }
  static void Free(void*) {}

  // Its Level is a size_t and a bool.
  static constexpr size_t kBytes = kMostDepth * 2 * sizeof(size_t);

 private:
  alignas(std::max_align_t) char bytes_[kBytes];
};

using RapidWriter = rapid::Writer<Stream, rapid::UTF8<>, rapid::UTF8<>, Levels>;

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const size_t size = encoding::utf8_sequence(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

// Whether RapidJSON would write a capital digit: for U+000B, 0E, 0F and 1A to 1F.
bool has_capital_code(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 && (c & 15) >= 10 && c != '\n' && c != '\f' && c != '\r')
      return true;
  return false;
}

}  // namespace

struct RapidJsonBackend::State {
  explicit State(TextBuffer& out) : stream{out}, writer(stream, &levels, kMostDepth), backend(*this) {}

  Stream stream;
  Levels levels;
  RapidWriter writer;
  RapidJsonBackend backend;
};

RapidJsonBackend* RapidJsonBackend::make(TextBuffer& out) {
  void* memory = out.arena().allocate(sizeof(State), alignof(State));
  return memory == nullptr ? nullptr : &(new (memory) State(out))->backend;
}

void RapidJsonBackend::begin_object() { state_.writer.StartObject(); }
void RapidJsonBackend::end_object() { state_.writer.EndObject(); }
void RapidJsonBackend::begin_array() { state_.writer.StartArray(); }
void RapidJsonBackend::end_array() { state_.writer.EndArray(); }
StringResult RapidJsonBackend::key(std::string_view name) { return write(name, true); }
StringResult RapidJsonBackend::string(std::string_view text) { return write(text, false); }
void RapidJsonBackend::integer(int64_t number) { state_.writer.Int64(number); }
void RapidJsonBackend::unsigned_integer(uint64_t number) { state_.writer.Uint64(number); }
void RapidJsonBackend::boolean(bool truth) { state_.writer.Bool(truth); }
void RapidJsonBackend::null() { state_.writer.Null(); }
void RapidJsonBackend::raw(std::string_view json) {
  state_.writer.RawValue(json.data(), json.size(), rapid::kObjectType);
}
void RapidJsonBackend::real(double number) {
  char text[kLongestReal];
  state_.writer.RawValue(text, write_real(text, number), rapid::kNumberType);
}
bool RapidJsonBackend::complete() const { return !state_.stream.full; }

StringResult RapidJsonBackend::write(std::string_view text, bool key) {
  if (!is_utf8(text)) return StringResult::NotUtf8;
  // RapidJSON counts in 32 bits, and asks for a pointer even to no bytes.
  if (has_capital_code(text) || text.size() > UINT32_MAX) {
    TextBuffer ready(state_.stream.out.arena());
    const StringResult result = write_string(ready, text, '"');
    if (result != StringResult::Fine) return result;
    // Without the byte after the closing quote.
    state_.writer.RawValue(ready.text().data(), ready.text().size() - 1, rapid::kStringType);
    return StringResult::Fine;
  }
  const char* bytes = text.empty() ? "" : text.data();
  const auto size = static_cast<rapid::SizeType>(text.size());
  if (key)
    state_.writer.Key(bytes, size);
  else
    state_.writer.String(bytes, size);
  return StringResult::Fine;
}

}  // namespace leat::json

// RapidJSON's Writer behind json::Writer, over the same arena.
//
// Containers, commas, integers, literals and most strings are RapidJSON's own. It gets ready-made text
// (RawValue) where its ways differ from ours: doubles, for which its algorithm does not always find the
// fewest digits, and strings that it would write otherwise or not at all (needs_help()).
#include <new>

#include "base/check.h"
#include "json/backend.h"
#include "json/valid.h"

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
  [[maybe_unused]] static constexpr bool kNeedFree = false;
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

class RapidJsonBackend final : public EventBackend {
 public:
  explicit RapidJsonBackend(TextBuffer& out) : stream_{out}, writer_(stream_, &levels_, kMostDepth) {}

  void begin_object() override { writer_.StartObject(); }
  void end_object() override { writer_.EndObject(); }
  void begin_array() override { writer_.StartArray(); }
  void end_array() override { writer_.EndArray(); }
  bool key(std::string_view name) override { return write(name, true); }
  bool string(std::string_view text) override { return write(text, false); }
  void integer(int64_t number) override { writer_.Int64(number); }
  void unsigned_integer(uint64_t number) override { writer_.Uint64(number); }
  void boolean(bool truth) override { writer_.Bool(truth); }
  void null() override { writer_.Null(); }
  void raw(std::string_view json) override { writer_.RawValue(json.data(), json.size(), rapid::kObjectType); }
  void real(double number) override {
    char text[kLongestReal];
    writer_.RawValue(text, write_real(text, number), rapid::kNumberType);
  }
  [[nodiscard]] bool complete() const override { return !stream_.full; }
  std::optional<std::string_view> finish() override { return stream_.out.text(); }

 private:
  bool write(std::string_view text, bool key) {
    // RapidJSON counts in 32 bits, and asks for a pointer even to no bytes.
    if (needs_help(text) || text.size() > UINT32_MAX) {
      TextBuffer ready(stream_.out.arena());
      if (!write_string(ready, text, '"')) return false;
      // Without the byte after the closing quote.
      writer_.RawValue(ready.text().data(), ready.text().size() - 1, rapid::kStringType);
      return true;
    }
    const char* bytes = text.empty() ? "" : text.data();
    const auto size = static_cast<rapid::SizeType>(text.size());
    if (key)
      writer_.Key(bytes, size);
    else
      writer_.String(bytes, size);
    return true;
  }

  Stream stream_;
  Levels levels_;
  RapidWriter writer_;
};

}  // namespace

EventBackend* make_rapidjson(TextBuffer& out) {
  void* memory = out.arena().allocate(sizeof(RapidJsonBackend), alignof(RapidJsonBackend));
  return memory == nullptr ? nullptr : new (memory) RapidJsonBackend(out);
}

}  // namespace leat::json

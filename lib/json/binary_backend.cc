// CBOR (RFC 8949) and MessagePack behind json::Writer: the same events, other bytes.
//
// Containers say how many they hold, of which their end alone knows. So a head of one byte is put at the beginning and
// written at the end; where it has to be longer, what has come so far moves on: 15 or 23 elements, and then 65,535. Rejected:
// CBOR's indefinite lengths, which are a byte more for each container, which not all readers take, and which MessagePack has
// not.
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "base/shared/plugin_binary.hpp"
#include "base/utf8.h"
#include "json/backend.h"
#include "json/replay.h"
#include "json/valid.h"

namespace leat::json {

namespace {

template <class Code>
class BinaryBackend final : public EventBackend {
 public:
  explicit BinaryBackend(TextBuffer& out) : out_(out) {}

  void begin_object() override { open(true); }
  void end_object() override { close(); }
  void begin_array() override { open(false); }
  void end_array() override { close(); }
  bool key(std::string_view name) override {
    count();
    return write_text(name);
  }
  bool string(std::string_view text) override {
    element();
    return write_text(text);
  }
  void integer(int64_t number) override {
    if (!begin_value()) return;
    out_.at = encoding::write_integer_as<Code>(out_.at, number);
  }
  void unsigned_integer(uint64_t number) override {
    if (begin_value()) out_.at = Code::natural(out_.at, number);
  }
  void real(double number) override {
    if (begin_value()) out_.at = Code::real(out_.at, number);
  }
  void boolean(bool truth) override { simple(truth ? Code::kTrue : Code::kFalse); }
  void null() override { simple(Code::kNull); }
  void raw(std::string_view json) override {
    if (!replay(json, *this)) full_ = true;
  }
  [[nodiscard]] bool begin_whole() override {
    element();
    return !full_;
  }
  [[nodiscard]] bool complete() const override { return !full_; }
  [[nodiscard]] std::optional<std::string_view> finish() override { return out_.text(); }

 private:
  // A container that is open: where its head lies, how many it has, and at how many that gets longer.
  struct Open {
    size_t head;
    uint32_t count;
    uint32_t longer_from;
    bool object;
  };

  [[nodiscard]] bool need(size_t size) {
    if (!full_ && out_.room(size)) [[likely]]
      return true;
    full_ = true;
    return false;
  }
  // One more in the innermost: a member, or an element.
  void count() {
    if (++open_.count == open_.longer_from) [[unlikely]]
      lengthen();
  }
  void element() {
    if (!open_.object) count();
  }
  [[nodiscard]] bool begin_value() {
    element();
    return need(encoding::kMostHead);
  }
  void simple(unsigned byte) {
    if (begin_value()) out_.put(static_cast<char>(byte));
  }
  void open(bool object) {
    element();
    if (!need(1)) return;
    outer_[depth_++] = std::exchange(
        open_,
        {.head = out_.text().size(), .count = 0, .longer_from = Code::longer_from(0), .object = object});
    ++out_.at;
  }
  void close() {
    if (full_) return;
    char* const head = out_.begin() + open_.head;
    open_.object ? Code::object(head, open_.count) : Code::array(head, open_.count);
    open_ = outer_[--depth_];
  }
  [[gnu::noinline]] void lengthen() {
    const size_t was = Code::head_size(open_.count - 1), is = Code::head_size(open_.count);
    if (!need(is - was)) return;
    char* const content = out_.begin() + open_.head + was;
    std::memmove(content + (is - was), content, static_cast<size_t>(out_.at - content));
    out_.at += is - was;
    open_.longer_from = Code::longer_from(open_.count);
  }
  [[nodiscard]] bool write_text(std::string_view text) {
    // What is not UTF-8 gets longer. A short one is not looked through for that twice.
    constexpr size_t kShort = 256;
    const size_t most = text.size() <= kShort || !is_utf8(text) ? 3 * text.size() : text.size();
    if (!need(encoding::kMostHead + most)) return false;
    out_.at = encoding::write_text_as<Code>(out_.at, text);
    return true;
  }

  TextBuffer& out_;
  // None at first, which counts as little as an object's values.
  Open open_{.head = 0, .count = 0, .longer_from = 0, .object = true};
  uint32_t depth_ = 0;
  bool full_ = false;
  std::array<Open, kMostDepth> outer_;  // those around it, of which the first `depth_` are written
};

template <class Code>
EventBackend* make(TextBuffer& out) {
  void* const memory = out.arena().allocate(sizeof(BinaryBackend<Code>), alignof(BinaryBackend<Code>));
  return memory == nullptr ? nullptr : new (memory) BinaryBackend<Code>(out);
}

}  // namespace

EventBackend* make_cbor(TextBuffer& out) { return make<encoding::Cbor>(out); }
EventBackend* make_message_pack(TextBuffer& out) { return make<encoding::MessagePack>(out); }

}  // namespace leat::json

// Writer: JSON text from events, straight into a request's arena.
//
//   json::Writer json(arena);
//   json.begin_object(); json.key("id"); json.integer(1); json.end_object();
//   if (auto text = json.finish()) exchange.send(*text);
//
// No tree and no heap: what is written is one run of arena memory, valid until the arena is reset. Nothing a
// caller does can yield invalid JSON or harm the daemon: an event that cannot come now, a number that JSON
// has no word for, raw text that is no JSON, too many levels or a full arena break the
// writer. finish() then answers nothing and error() says what was wrong first; events after that are ignored,
// so callers check once, at the end. Whether a member's name came before is not looked at: that would need
// memory of every name, and RFC 8259 allows it.
//
// The text is what Python's json.dumps(value, separators=(',', ':'), ensure_ascii=False) writes.
//
// The backends (backend.h), chosen at construction, write the same bytes, but for those that write CBOR and MessagePack in
// the place of text. Direct is in this header. Each
// value leaves a comma behind it, which the end of its container takes back: that way no event asks whether
// it is the first.
//
// Thread: its arena's.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.h"
#include "base/shared/plugin_number.hpp"
#include "json/backend.h"
#include "json/format.h"
#include "json/text_buffer.h"
#include "json/valid.h"

namespace leat::json {

class Writer {
 public:
  explicit Writer(Arena& arena, Backend backend = Backend::Auto) : out_(arena) {
    if (backend == Backend::Auto) backend = default_backend();
    if (backend != Backend::Direct) [[unlikely]]
      use(backend);
  }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // At most kMostDepth containers inside each other.
  void begin_object() { open('{', true); }
  void end_object() { close('}', true); }
  void begin_array() { open('[', false); }
  void end_array() { close(']', false); }
  // The name of the member whose value comes next.
  void key(std::string_view name) {
    if (expect_ != Expect::Key) [[unlikely]]
      return fail("a key outside an object, or one after another");
    expect_ = Expect::Member;
    if (other_ != nullptr) [[unlikely]]
      return settle(other_->key(name));
    settle(write_string(out_, name, ':'));
  }
  // UTF-8; each byte that is part of none becomes U+FFFD. Texts of clients are not always UTF-8, and a
  // request should not fail for that.
  void string(std::string_view text) {
    if (!take_value()) return;
    if (other_ != nullptr) [[unlikely]]
      return settle(other_->string(text));
    settle(write_string(out_, text, ','));
  }
  void integer(int64_t number) {
    if (!take_value()) return;
    if (other_ != nullptr) [[unlikely]]
      return other_->integer(number);
    digits(number);
  }
  void unsigned_integer(uint64_t number) {
    if (!take_value()) return;
    if (other_ != nullptr) [[unlikely]]
      return other_->unsigned_integer(number);
    digits(number);
  }
  // Finite numbers only. Whole ones end in ".0", so that a reader sees what they are.
  void real(double number);
  void boolean(bool truth) {
    if (!take_value()) return;
    if (other_ != nullptr) [[unlikely]]
      return other_->boolean(truth);
    literal(truth ? std::string_view("true,") : std::string_view("false,"));
  }
  void null() {
    if (!take_value()) return;
    if (other_ != nullptr) [[unlikely]]
      return other_->null();
    literal("null,");
  }
  // How many containers may yet be begun in each other.
  [[nodiscard]] uint32_t levels_left() const { return kMostDepth - depth_; }
  // Lends memory for one value that the caller writes itself, with no more levels than are left: `room` bytes
  // at the result, up to `end`. Nothing where no value may stand, or memory is out, or the backend is not
  // Direct: then nothing has happened, and in the last case events do. Between this and end_text() nothing
  // else may be called but more_room().
  [[nodiscard]] char* begin_text(size_t room, char*& end) {
    if (other_ != nullptr || !value_may_come() || !need(room + 1)) return nullptr;
    (void)take_value();
    end = out_.end() - 1;
    return out_.at;
  }
  // The same of a value in a binary form, which is that of events: what is_binary() says of the backend. The value ends with
  // end_text() as well.
  [[nodiscard]] char* begin_bytes(size_t room, char*& end) {
    if (other_ == nullptr || !value_may_come() || !other_->begin_whole() || !need(room)) return nullptr;
    (void)take_value();
    end = out_.end();
    return out_.at;
  }
  // The same memory, moved, with `room` bytes more from `at` on.
  [[nodiscard]] char* more_room(char* at, size_t room, char*& end) {
    out_.at = at;
    if (!need(room + 1)) return nullptr;
    end = out_.end() - 1;
    return out_.at;
  }
  // The value ends at `at`; it is JSON, as the caller vouches. Null: it failed, `why` says of what.
  void end_text(char* at, const char* why) {
    if (at == nullptr) return fail(why);
    out_.at = at;
    if (other_ == nullptr) out_.put(',');
  }
  // One value that is JSON already, written as it stands once it was found to be so (is_json_value()): the
  // one event that costs a pass over the text to judge it.
  void raw(std::string_view json);

  // The complete text; nothing when an event was wrong, a container is open, or there was no event.
  [[nodiscard]] std::optional<std::string_view> finish();
  // What was wrong first, a literal; nullptr while nothing is.
  [[nodiscard]] const char* error() const { return error_; }

 private:
  // What may come next: a value at the top, as a member, as an element; a key; or nothing at all.
  enum class Expect : uint8_t { Top, Member, Element, Key, Nothing };

  [[nodiscard]] bool value_may_come() const {
    return expect_ == Expect::Member || expect_ == Expect::Element || expect_ == Expect::Top;
  }
  // Takes the step that a value makes; false, and broken, where none may stand.
  [[nodiscard]] bool take_value() {
    if (expect_ == Expect::Member) {
      expect_ = Expect::Key;
      return true;
    }
    if (expect_ == Expect::Element) return true;
    if (expect_ == Expect::Top) {
      expect_ = Expect::Nothing;
      return true;
    }
    fail_value();
    return false;
  }
  void open(char bracket, bool object) {
    if (depth_ == kMostDepth) [[unlikely]]
      return fail("containers nested too deep");
    if (!take_value()) return;
    is_object_[depth_++] = object;
    expect_ = object ? Expect::Key : Expect::Element;
    if (other_ != nullptr) [[unlikely]]
      return object ? other_->begin_object() : other_->begin_array();
    if (need(1)) out_.put(bracket);
  }
  void close(char bracket, bool object) {
    if (expect_ != (object ? Expect::Key : Expect::Element)) [[unlikely]]
      return fail("an end that does not match what is open");
    --depth_;
    expect_ = depth_ == 0 ? Expect::Nothing : is_object_[depth_ - 1] ? Expect::Key : Expect::Element;
    if (other_ != nullptr) [[unlikely]]
      return object ? other_->end_object() : other_->end_array();
    if (!need(2)) return;
    if (out_.last() == ',') --out_.at;
    out_.put(bracket);
    out_.put(',');
  }
  template <class T>
  void digits(T number) {
    if (need(encoding::kLongestInteger + 1)) out_.at = encoding::write_element(out_.at, number);
  }
  void literal(std::string_view text) {
    if (need(text.size())) out_.put(text);
  }
  [[nodiscard]] bool need(size_t size) {
    if (out_.room(size)) [[likely]]
      return true;
    settle(false);
    return false;
  }
  void settle(bool had_memory) {
    if (!had_memory) [[unlikely]]
      fail("no memory left for this request");
  }
  void use(Backend backend);
  void fail_value();
  void fail(const char* why);

  TextBuffer out_;
  EventBackend* other_ = nullptr;
  const char* error_ = nullptr;
  uint32_t depth_ = 0;
  Expect expect_ = Expect::Top;
  std::array<bool, kMostDepth> is_object_;
};

}  // namespace leat::json

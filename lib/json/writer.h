// Writer: JSON text from events, straight into a request's arena.
//
//   json::Writer json(arena);
//   json.begin_object(); json.key("id"); json.integer(1); json.end_object();
//   if (auto text = json.finish()) exchange.send(*text);
//
// No tree and no heap: what is written is bytes in one run of arena memory, valid until the arena is reset.
// Nothing a caller does can yield invalid JSON or harm the daemon: a key outside an object, a number that
// JSON has no word for, ill-formed UTF-8, a full arena make the writer broken, finish() answers nothing and
// error() says what was wrong first. Events after that are ignored, so callers check once, at the end.
//
// The text is what Python's json.dumps(value, separators=(',', ':'), ensure_ascii=False) writes: shortest
// doubles that read back the same, always with a point or an exponent; no escape that RFC 8259 does not ask
// for.
//
// Thread: its arena's.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/arena.h"

namespace leat::json {

class Writer {
 public:
  // Deeper than any answer is meant to be, and than most readers accept.
  static constexpr uint32_t kMostDepth = 128;

  explicit Writer(Arena& arena) : arena_(arena) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void begin_object() { open('{', true); }
  void end_object() { close('}', true); }
  void begin_array() { open('[', false); }
  void end_array() { close(']', false); }
  // The name of the member whose value comes next. UTF-8.
  void key(std::string_view name) {
    if (expect_ != Expect::Key) return fail("a key that does not follow an object's beginning or a value in it");
    if (!room(1)) return;
    if (!first_) *at_++ = ',';
    first_ = false;
    quote(name);
    if (!room(1)) return;
    *at_++ = ':';
    expect_ = Expect::MemberValue;
  }
  void string(std::string_view text) {
    if (begin_value()) quote(text);
  }
  void integer(int64_t number) {
    if (!begin_value() || !room(21)) return;
    uint64_t magnitude = static_cast<uint64_t>(number);
    if (number < 0) {
      *at_++ = '-';
      magnitude = 0 - magnitude;
    }
    put_digits(magnitude);
  }
  void unsigned_integer(uint64_t number) {
    if (begin_value() && room(20)) put_digits(number);
  }
  // Finite numbers only: JSON has no word for the others.
  void real(double number);
  void boolean(bool truth) {
    if (begin_value()) put(truth ? std::string_view("true") : std::string_view("false"));
  }
  void null() {
    if (begin_value()) put("null");
  }
  // A value that is JSON already. It is believed: the caller vouches for it.
  void raw(std::string_view json) {
    if (begin_value()) put(json);
  }

  // The complete text, or nothing when an event was wrong, a container is open, or there was no event.
  [[nodiscard]] std::optional<std::string_view> finish();
  // What was wrong first; nullptr while nothing is. A literal.
  [[nodiscard]] const char* error() const { return error_; }

 private:
  // What may come next.
  enum class Expect : uint8_t { Value, Key, MemberValue, Element, Nothing };

  bool begin_value() {
    switch (expect_) {
      case Expect::Element:
        if (!room(1)) return false;
        if (!first_) *at_++ = ',';
        first_ = false;
        return true;
      case Expect::MemberValue: expect_ = Expect::Key; return true;
      case Expect::Value: expect_ = Expect::Nothing; return true;
      default: fail("a value where none may stand"); return false;
    }
  }
  void open(char bracket, bool object) {
    if (depth_ == kMostDepth) return fail("containers nested too deep");
    if (!begin_value() || !room(1)) return;
    *at_++ = bracket;
    is_object_[depth_++] = object;
    expect_ = object ? Expect::Key : Expect::Element;
    first_ = true;
  }
  void close(char bracket, bool object) {
    if (depth_ == 0 || is_object_[depth_ - 1] != object || expect_ == Expect::MemberValue)
      return fail("an end that does not match what is open");
    if (expect_ != (object ? Expect::Key : Expect::Element) || !room(1)) return;
    *at_++ = bracket;
    --depth_;
    expect_ = depth_ == 0 ? Expect::Nothing : is_object_[depth_ - 1] ? Expect::Key : Expect::Element;
    first_ = false;
  }
  // At least `size` bytes free at at_; false, and broken, when the arena is full.
  bool room(size_t size) { return static_cast<size_t>(end_ - at_) >= size || grow(size); }
  void put(std::string_view text) {
    if (!room(text.size())) return;
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  bool grow(size_t size);
  void quote(std::string_view text);
  void put_digits(uint64_t number);
  void fail(const char* why);

  Arena& arena_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
  const char* error_ = nullptr;
  uint32_t depth_ = 0;
  Expect expect_ = Expect::Value;
  bool first_ = true;  // nothing was written yet in the innermost container
  std::array<bool, kMostDepth> is_object_;
};

}  // namespace leat::json

// JsonReader: a JSON text, value by value, for plugins that cannot use the C++ wrapper's reader of structs.
// Both stand on the wrapper's Scanner, so that they refuse the same texts at the same byte in the same words.
//
// The first thing that is wrong stays: in the text, with the calls, or a lack of memory. Every later call
// does nothing and answers what ends a loop, so that callers check once, at the end; the interface's own
// promises are told in sdk/plugin.h. What a reader keeps lies in the arena, and it is never destroyed.
//
// Private to the plugin host. Thread: its arena's.
#pragma once

#include <cstdint>
#include <new>
#include <span>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/shared/plugin_scan.hpp"
#include "plugin/sdk/plugin.h"

namespace leat::plugin {

// Hidden, as what it stands on is.
class [[gnu::visibility("hidden")]] JsonReader : private Scanner {
 public:
  static constexpr uint32_t kMostNames = 64;
  using Scanner::Error;
  using Scanner::kMostDepth;

  // `text` must outlive it.
  JsonReader(Arena& arena, std::string_view text) : Scanner(text), arena_(arena) { skip_space(); }

  enum class State : uint8_t { Fine, BadText, BadType, Misused, NoMemory };
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] const Arena& arena() const { return arena_; }
  // What is wrong with the text (BadText, BadType); views of the arena.
  [[nodiscard]] size_t offset() const { return offset_; }
  [[nodiscard]] std::string_view message() const { return message_; }
  [[nodiscard]] std::string_view pointer() const { return pointer_; }
  [[nodiscard]] Error error() const { return {offset_, std::string(message_), std::string(pointer_)}; }
  // What was wrong with the calls (Misused), a literal.
  [[nodiscard]] const char* misuse() const { return misuse_; }

  // The text is one of another type, whatever is in it.
  void set_bad_type();

  [[nodiscard]] uint32_t kind() const;
  bool object(std::span<const leat_str> names, uint64_t required);
  int32_t member();
  // Null data() where no member was come to.
  [[nodiscard]] std::string_view name() const;
  bool array();
  bool element();
  void leave();
  bool boolean();
  int64_t integer(int64_t least, int64_t most);
  uint64_t unsigned_integer(uint64_t least, uint64_t most);
  double real();
  std::string_view string();
  std::string_view raw();
  bool null();
  void reject(std::string_view message);
  void finish();

 private:
  // An object or array that was entered.
  struct Frame {
    bool is_object = false;
    bool first = true;
    size_t begin = 0;  // where it stands in the text
    std::span<const leat_str> names;
    uint64_t required = 0, seen = 0;
    Place place{};  // of the member or element that was come to last
    Frame* outer = nullptr;
    Frame* inner = nullptr;  // made before, to be used again
  };
  // What may be asked for: a value, a step to the next one, or the end.
  enum class Next : uint8_t { Value, Step, End };

  template <class T, class Call>
  T ask(T otherwise, Call call);
  template <class T, class Take>
  T take(Take take);
  void keep(const Error& error);
  void misused(const char* why);
  bool value_comes();
  bool step(bool is_object);
  void enter(Frame begun);
  void left();
  int32_t next_member();
  bool next_element();
  int32_t number_of(std::string_view name, size_t begin);
  std::string_view kept(std::string_view text);
  [[nodiscard]] Next after_value() const { return frame_ == nullptr ? Next::End : Next::Step; }

  Arena& arena_;
  Frame* frame_ = nullptr;   // the innermost that was entered
  Frame* frames_ = nullptr;  // the outermost that was ever made
  Next next_ = Next::Value;
  State state_ = State::Fine;
  size_t value_at_ = 0;  // where the value stands that was asked for last
  size_t offset_ = 0;
  std::string_view message_, pointer_;
  const char* misuse_ = nullptr;
};

}  // namespace leat::plugin

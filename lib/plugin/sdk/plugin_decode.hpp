// JSON texts into structs that LEAT_JSON declares: strict, in one pass, without a tree.
//
// A text is RFC 8259's grammar and no more, in UTF-8, and each value must be of its member's type: what does
// not fit is an Error with the offset of the byte where it was seen and the place of the value as a JSON
// pointer (RFC 6901). Members may come in any order, none twice; those that the struct lacks are read over,
// and those that it has must be there unless they are optional. Numbers must fit: whole ones into their type,
// others into a double.
//
// Members can be: bool, numbers, std::string, std::string_view, std::optional of one, std::vector and
// std::array of one, and structs of LEAT_JSON. A std::string_view is a part of the text where nothing in it
// is escaped, else memory that the decoder's owner lends.
#ifndef LEAT_PLUGIN_DECODE_HPP
#define LEAT_PLUGIN_DECODE_HPP

#include <array>
#include <bitset>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

namespace detail {

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <class T>
inline constexpr bool is_array = false;
template <class T, size_t N>
inline constexpr bool is_array<std::array<T, N>> = true;
template <class T>
inline constexpr bool is_optional_member = false;
template <class T>
inline constexpr bool is_optional_member<std::optional<T>> = true;

}  // namespace detail

class Decoder {
 public:
  // Deeper texts are refused: each level takes some of the thread's stack.
  static constexpr size_t kMostDepth = 64;
  // Members of a struct, as many as LEAT_JSON takes.
  static constexpr size_t kMostMembers = 80;

  struct Error {
    size_t offset;        // in the text
    std::string message;  // "must be a whole number from 0 to 255"
    std::string pointer;  // "/users/3/age"; empty for the whole text
  };
  // Lends `size` bytes for a text without its escapes; throws where there are none.
  using Lend = char* (*)(void* owner, size_t size);

  Decoder(std::string_view text, Lend lend, void* owner) : text_(text), lend_(lend), owner_(owner) {}

  // Reads the whole text. Throws an Error; `value` holds some of it then.
  template <class T>
  void read(T& value) {
    skip_space();
    take(value);
    skip_space();
    if (at_ != text_.size()) fail("must end after its value");
  }

  // --- For LEAT_JSON.

  using Seen = std::bitset<kMostMembers>;

  // Calls `member(name, seen)` for each member, at its value; it answers false for one it does not know.
  template <class Member>
  Seen object(Member&& member) {
    Seen seen;
    expect('{', "must be an object");
    const Level level(*this);
    skip_space();
    if (skip('}')) return seen;
    for (;;) {
      skip_space();
      const size_t begin = at_;
      if (peek() != '"') fail("must have a name in quotes here");
      std::string storage;
      const std::string_view name = take_string(storage);
      skip_space();
      expect(':', "must have a colon after a member's name");
      skip_space();
      const Place place(*this, name);
      name_at_ = begin;
      if (!member(name, seen)) skip_value();
      skip_space();
      if (skip('}')) return seen;
      expect(',', "must have a comma or a closing brace after a member");
    }
  }
  template <class T>
  void member(Seen& seen, size_t number, T& value) {
    if (seen[number]) {
      at_ = name_at_;
      fail("must not appear twice");
    }
    seen[number] = true;
    take(value);
  }
  template <class T>
  void need(const Seen& seen, size_t number, std::string_view name, const T&) {
    if (seen[number] || detail::is_optional_member<T>) return;
    const Place place(*this, name);
    fail("is missing");
  }

 private:
  // Where the value lies that is being read: on the stack, for when it has to be told.
  struct Place {
    Place(Decoder& decoder, std::string_view member) : owner(decoder), outer(decoder.place_), name(member) {
      decoder.place_ = this;
    }
    Place(Decoder& decoder, size_t element)
        : owner(decoder), outer(decoder.place_), index(element), is_element(true) {
      decoder.place_ = this;
    }
    ~Place() { owner.place_ = outer; }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Decoder& owner;
    Place* outer;
    std::string_view name;
    size_t index = 0;
    bool is_element = false;
  };
  struct Level {
    explicit Level(Decoder& decoder) : owner(decoder) {
      if (++owner.depth_ > kMostDepth) owner.fail("is nested too deep");
    }
    ~Level() { --owner.depth_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;
    Decoder& owner;
  };

  [[noreturn]] void fail(std::string message) const {
    std::vector<std::string> steps;
    for (const Place* each = place_; each != nullptr; each = each->outer) {
      if (each->is_element) {
        steps.push_back(std::to_string(each->index));
        continue;
      }
      std::string step;
      for (const char c : each->name)
        step += c == '~' ? std::string("~0") : c == '/' ? std::string("~1") : std::string(1, c);
      steps.push_back(std::move(step));
    }
    std::string pointer;
    for (size_t i = steps.size(); i > 0; --i) pointer += "/" + steps[i - 1];
    throw Error{at_, std::move(message), std::move(pointer)};
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool skip(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c, const char* otherwise) {
    if (!skip(c)) fail(otherwise);
  }
  void skip_space() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\r' || text_[at_] == '\n'))
      ++at_;
  }
  bool skip_word(std::string_view word) {
    if (!text_.substr(at_).starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  template <class T>
  void take(T& value) {
    if constexpr (detail::is_optional_member<T>) {
      if (skip_word("null")) {
        value.reset();
      } else {
        take(value.emplace());
      }
    } else if constexpr (std::is_same_v<T, bool>) {
      if (skip_word("true")) {
        value = true;
      } else if (skip_word("false")) {
        value = false;
      } else {
        fail("must be true or false");
      }
    } else if constexpr (std::is_integral_v<T>) {
      take_integer(value);
    } else if constexpr (std::is_floating_point_v<T>) {
      const std::string_view number = take_number("must be a number");
      const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
      (void)end;
      if (error != std::errc{}) fail_back(number.size(), "must be a number that fits");
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (peek() != '"') fail("must be a text");
      std::string storage;
      const std::string_view found = take_string(storage);
      if (storage.empty())
        value = found;
      else
        value = std::move(storage);
    } else if constexpr (std::is_same_v<T, std::string_view>) {
      if (peek() != '"') fail("must be a text");
      std::string storage;
      value = take_string(storage);
      if (!storage.empty()) {
        char* const kept = lend_(owner_, storage.size());
        std::memcpy(kept, storage.data(), storage.size());
        value = {kept, storage.size()};
      }
    } else if constexpr (detail::is_vector<T>) {
      value.clear();
      elements([&](size_t) { take(value.emplace_back()); });
    } else if constexpr (detail::is_array<T>) {
      const size_t count = elements([&](size_t index) {
        if (index >= value.size()) fail("is one too many");
        take(value[index]);
      });
      if (count != value.size()) fail("must have " + std::to_string(value.size()) + " elements");
    } else {
      leat_decode(*this, value);
    }
  }

  template <class Element>
  size_t elements(Element&& element) {
    expect('[', "must be an array");
    const Level level(*this);
    skip_space();
    if (skip(']')) return 0;
    for (size_t index = 0;;) {
      skip_space();
      {
        const Place place(*this, index);
        element(index);
      }
      ++index;
      skip_space();
      if (skip(']')) return index;
      expect(',', "must have a comma or a closing bracket after an element");
    }
  }

  template <class T>
  void take_integer(T& value) {
    const auto wanted = [] {
      return "must be a whole number from " + std::to_string(std::numeric_limits<T>::min()) + " to " +
             std::to_string(std::numeric_limits<T>::max());
    };
    if (peek() != '-' && (peek() < '0' || peek() > '9')) fail(wanted());
    const std::string_view number = take_number("");
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || end != number.data() + number.size()) fail_back(number.size(), wanted());
  }
  // The number that begins here, by the grammar.
  std::string_view take_number(const char* otherwise) {
    const size_t begin = at_;
    const auto digits = [this] {
      const size_t first = at_;
      while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
      return at_ != first;
    };
    skip('-');
    if (begin == at_ && (peek() < '0' || peek() > '9')) fail(otherwise);
    if (!skip('0') && !digits()) fail("must have a digit here");
    if (skip('.') && !digits()) fail("must have a digit after the point");
    if (skip('e') || skip('E')) {
      if (!skip('+')) skip('-');
      if (!digits()) fail("must have a digit in the exponent");
    }
    return text_.substr(begin, at_ - begin);
  }
  [[noreturn]] void fail_back(size_t bytes, std::string message) {
    at_ -= bytes;
    fail(std::move(message));
  }

  // A part of the text, or `storage`, which is empty then, where something is escaped.
  std::string_view take_string(std::string& storage) {
    expect('"', "must be a text");
    size_t begin = at_;
    for (;;) {
      if (at_ == text_.size()) fail("must have its closing quote");
      const auto byte = static_cast<unsigned char>(text_[at_]);
      if (byte == '"') break;
      if (byte < 0x20) fail("must not have a control character that is not escaped");
      if (byte == '\\') {
        storage.append(text_, begin, at_ - begin);
        take_escape(storage);
        begin = at_;
        continue;
      }
      const size_t size = byte < 0x80 ? 1 : encoding::utf8_sequence(text_.substr(at_));
      if (size == 0) fail("must be UTF-8");
      at_ += size;
    }
    const std::string_view plain = text_.substr(begin, at_ - begin);
    ++at_;
    if (storage.empty()) return plain;
    return storage.append(plain);
  }
  void take_escape(std::string& into) {
    constexpr std::string_view kLetters = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
    ++at_;
    if (skip('u')) {
      uint32_t code = take_hex();
      if (code >= 0xdc00 && code < 0xe000) fail("must not have half a surrogate pair");
      if (code >= 0xd800 && code < 0xdc00) {
        if (!skip('\\') || !skip('u')) fail("must not have half a surrogate pair");
        const uint32_t low = take_hex();
        if (low < 0xdc00 || low >= 0xe000) fail("must not have half a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      }
      append_utf8(into, code);
      return;
    }
    const size_t letter = at_ < text_.size() ? kLetters.find(text_[at_]) : std::string_view::npos;
    if (letter == std::string_view::npos) fail("must not have an escape that JSON does not know");
    into += kMeant[letter];
    ++at_;
  }
  uint32_t take_hex() {
    uint32_t code = 0;
    const std::string_view digits = text_.substr(at_, 4);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() != 4 || error != std::errc{} || end != digits.data() + 4 || digits[0] == '-')
      fail("must have four hexadecimal digits here");
    at_ += 4;
    return code;
  }
  static void append_utf8(std::string& into, uint32_t code) {
    const auto tail = [&](unsigned shift) { into += static_cast<char>(0x80 | (code >> shift & 63)); };
    if (code < 0x80) {
      into += static_cast<char>(code);
    } else if (code < 0x800) {
      into += static_cast<char>(0xc0 | code >> 6);
      tail(0);
    } else if (code < 0x10000) {
      into += static_cast<char>(0xe0 | code >> 12);
      tail(6), tail(0);
    } else {
      into += static_cast<char>(0xf0 | code >> 18);
      tail(12), tail(6), tail(0);
    }
  }

  // A value of whatever kind, which must be well-formed all the same.
  void skip_value() {
    std::string storage;
    switch (peek()) {
      case '"':
        take_string(storage);
        return;
      case '{':
        object([](std::string_view, Seen&) { return false; });
        return;
      case '[':
        elements([this](size_t) { skip_value(); });
        return;
      default:
        if (skip_word("true") || skip_word("false") || skip_word("null")) return;
        take_number("must be a value");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t name_at_ = 0;
  size_t depth_ = 0;
  Place* place_ = nullptr;
  Lend lend_;
  void* owner_;
};

}  // namespace v1
}  // namespace leat

#endif

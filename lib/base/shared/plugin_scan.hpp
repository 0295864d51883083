// The tokens of a JSON text that somebody else wrote, strictly: what the reader of structs
// (plugin_decode.hpp), the host's reader for other languages (leat.json_reader/1) and the rules of a body's
// members stand on, so that all refuse the same texts, at the same byte, in the same words.
//
// A text is RFC 8259's grammar and no more, in UTF-8, with kMostDepth containers in each other at most. What
// does not fit is thrown as an Error with the offset of the byte where it was seen and the place of the value
// as a JSON pointer (RFC 6901). An Error reads on from "The body ": "must be a text".
#ifndef LEAT_PLUGIN_SCAN_HPP
#define LEAT_PLUGIN_SCAN_HPP

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin_form.hpp"
#include "plugin_text.hpp"

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {

class Scanner {
 public:
  // Deeper texts are refused: each level takes some of the thread's stack.
  static constexpr size_t kMostDepth = 64;

  struct Error {
    size_t offset;        // in the text
    std::string message;  // "must be a whole number from 0 to 255"
    std::string pointer;  // "/users/3/age"; empty for the whole text
  };

  // Where a value lies: in a member of an object, or an element of an array, within another place.
  struct Place {
    Place* outer;
    std::string_view name;
    size_t index = 0;
    bool is_element = false;
  };

  explicit Scanner(std::string_view text) : text_(text) {}
  Scanner(const Scanner&) = delete;
  Scanner& operator=(const Scanner&) = delete;

 protected:
  // The value that is read lies in there, for as long as this lives.
  class Within {
   public:
    Within(Scanner& scanner, std::string_view member)
        : owner_(scanner), place_{.outer = scanner.place_, .name = member} {
      scanner.place_ = &place_;
    }
    Within(Scanner& scanner, size_t element)
        : owner_(scanner), place_{.outer = scanner.place_, .name = {}, .index = element, .is_element = true} {
      scanner.place_ = &place_;
    }
    ~Within() { owner_.place_ = place_.outer; }
    Within(const Within&) = delete;
    Within& operator=(const Within&) = delete;

   private:
    Scanner& owner_;
    Place place_;
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
  [[noreturn]] void fail_at(size_t offset, std::string message) {
    at_ = offset;
    fail(std::move(message));
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
  // The text is at its end, but for white space.
  void expect_end() {
    skip_space();
    if (at_ != text_.size()) fail("must end after its value");
  }

  // --- Steps through containers; white space is skipped by each.

  void go_down() {
    if (depth_ == kMostDepth) fail("is nested too deep");
    ++depth_;
  }
  void begin_object() {
    expect('{', "must be an object");
    go_down();
  }
  void begin_array() {
    expect('[', "must be an array");
    go_down();
  }
  void end_container() { --depth_; }
  // Whether the object ends here, else the next member's name is to come; what else is there is told of the
  // member before.
  bool object_ends(bool first) {
    skip_space();
    if (skip('}')) return true;
    if (!first) expect(',', "must have a comma or a closing brace after a member");
    return false;
  }
  bool array_ends(bool first) {
    skip_space();
    if (skip(']')) return true;
    if (!first) expect(',', "must have a comma or a closing bracket after an element");
    return false;
  }
  // A member's name, up to its value; `begin` is where the name stands.
  std::string_view take_name(std::string& storage, size_t& begin) {
    skip_space();
    begin = at_;
    if (peek() != '"') fail("must have a name in quotes here");
    const std::string_view name = take_string(storage);
    skip_space();
    expect(':', "must have a colon after a member's name");
    skip_space();
    return name;
  }

  // --- Values

  bool take_boolean() {
    if (skip_word("true")) return true;
    if (!skip_word("false")) fail("must be true or false");
    return false;
  }
  // Of the type T, or within narrower bounds.
  template <class T>
  T take_integer(T least, T most) {
    const auto wanted = [&] {
      return "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most);
    };
    if (peek() != '-' && (peek() < '0' || peek() > '9')) fail(wanted());
    const size_t begin = at_;
    const std::string_view number = take_number("");
    T value{};
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || end != number.data() + number.size() || value < least || value > most)
      fail_at(begin, wanted());
    return value;
  }
  template <class T>
  T take_real() {
    const size_t begin = at_;
    const std::string_view number = take_number("must be a number");
    T value{};
    if (encoding::read_real(number, value).ec != std::errc{}) fail_at(begin, "must be a number that fits");
    return value;
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

  // A value of whatever kind, which must be well-formed all the same.
  void skip_value() {
    std::string storage;
    switch (peek()) {
      case '"':
        take_string(storage);
        return;
      case '{':
        return skip_object();
      case '[':
        return skip_array();
      default:
        if (skip_word("true") || skip_word("false") || skip_word("null")) return;
        take_number("must be a value");
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  size_t depth_ = 0;
  Place* place_ = nullptr;

 private:
  void skip_object() {
    begin_object();
    for (bool more = !object_ends(true); more;) {
      std::string storage;
      size_t begin = 0;
      const Within place(*this, take_name(storage, begin));
      skip_value();
      more = !object_ends(false);
    }
    end_container();
  }
  void skip_array() {
    begin_array();
    for (size_t index = 0; !array_ends(index == 0); ++index) {
      skip_space();
      const Within place(*this, index);
      skip_value();
    }
    end_container();
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
};

namespace detail {

// How a request is answered whose body is not what it should be: 415 for its type, 400 for what is in it.
inline constexpr std::string_view kNotJson = "The body must be application/json.";

// application/json, or one of the types that end in +json (RFC 6839, section 3.1).
constexpr bool says_json(std::string_view type) {
  constexpr std::string_view kSuffix = "+json";
  type = encoding::without_blanks(type.substr(0, type.find(';')));
  if (encoding::same_field_name(type, "application/json")) return true;
  return type.size() >= kSuffix.size() &&
         encoding::same_field_name(type.substr(type.size() - kSuffix.size()), kSuffix);
}
// "The body's `/users/3/age` must be true or false."
inline std::string problem_detail(const Scanner::Error& error) {
  const std::string where = error.pointer.empty() ? "The body " : "The body's `" + error.pointer + "` ";
  return where + error.message + ".";
}
// The same for programs, as members of the problem.
inline std::string problem_members(const Scanner::Error& error) {
  std::string pointer(error.pointer.size() * encoding::kMostEscaped, '\0');
  char* const end = encoding::write_escaped(pointer.data(), error.pointer);
  pointer.resize(static_cast<size_t>(end - pointer.data()));
  return "\"offset\":" + std::to_string(error.offset) + ",\"pointer\":\"" + pointer + "\"";
}

}  // namespace detail

}  // namespace v1
}  // namespace leat

#endif

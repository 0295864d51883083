#include "json/valid.h"

#include <algorithm>
#include <array>

#include "base/shared/plugin_text.hpp"

namespace leat::json {

namespace {

// Takes tokens off the front of a text; each function answers whether there was one.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : left_(text) {}

  [[nodiscard]] bool at_end() const { return left_.empty(); }
  [[nodiscard]] char peek() const { return left_.empty() ? '\0' : left_.front(); }
  void skip_space() {
    const size_t size = left_.find_first_not_of(" \t\r\n");
    left_.remove_prefix(std::min(size, left_.size()));
  }
  bool take(char c) {
    if (peek() != c || left_.empty()) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    if (!left_.starts_with(word)) return false;
    left_.remove_prefix(word.size());
    return true;
  }
  bool take_string() {
    if (!take('"')) return false;
    while (!take('"')) {
      if (take('\\')) {
        if (!take_escape()) return false;
        continue;
      }
      const size_t size = encoding::utf8_sequence(left_);
      if (size == 0 || static_cast<unsigned char>(left_.front()) < 0x20) return false;
      left_.remove_prefix(size);
    }
    return true;
  }
  bool take_number() {
    take('-');
    if (!take('0') && !take_digits()) return false;
    if (take('.') && !take_digits()) return false;
    if (!take('e') && !take('E')) return true;
    if (!take('+')) take('-');
    return take_digits();
  }

 private:
  bool take_digits() {
    const size_t size = std::min(left_.find_first_not_of("0123456789"), left_.size());
    left_.remove_prefix(size);
    return size != 0;
  }
  bool take_escape() {
    if (!take('u')) {
      if (left_.empty() || std::string_view("\"\\/bfnrt").find(left_.front()) == std::string_view::npos)
        return false;
      left_.remove_prefix(1);
      return true;
    }
    if (left_.size() < 4 ||
        left_.substr(0, 4).find_first_not_of("0123456789abcdefABCDEF") != std::string_view::npos)
      return false;
    left_.remove_prefix(4);
    return true;
  }

  std::string_view left_;
};

bool take_scalar(Scanner& scanner) {
  switch (scanner.peek()) {
    case '"':
      return scanner.take_string();
    case 't':
      return scanner.take_word("true");
    case 'f':
      return scanner.take_word("false");
    case 'n':
      return scanner.take_word("null");
    default:
      return scanner.take_number();
  }
}

bool take_key(Scanner& scanner) {
  scanner.skip_space();
  if (!scanner.take_string()) return false;
  scanner.skip_space();
  return scanner.take(':');
}

}  // namespace

bool is_json_value(std::string_view text, uint32_t most_depth) {
  Scanner scanner(text);
  std::array<bool, kMostDepth> is_object;
  most_depth = std::min(most_depth, kMostDepth);
  uint32_t depth = 0;
  while (true) {
    scanner.skip_space();
    const bool object = scanner.take('{');
    if (object || scanner.take('[')) {
      if (depth == most_depth) return false;
      is_object[depth++] = object;
      scanner.skip_space();
      if (scanner.peek() != (object ? '}' : ']')) {
        if (object && !take_key(scanner)) return false;
        continue;
      }
    } else if (!take_scalar(scanner)) {
      return false;
    }
    // After a value, or an empty container's beginning: what ends here, and whether another value follows.
    scanner.skip_space();
    while (depth != 0 && scanner.take(is_object[depth - 1] ? '}' : ']')) {
      --depth;
      scanner.skip_space();
    }
    if (depth == 0) return scanner.at_end();
    if (!scanner.take(',')) return false;
    if (is_object[depth - 1] && !take_key(scanner)) return false;
  }
}

}  // namespace leat::json

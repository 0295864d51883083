// Small operations on ASCII text that more than one module needs.
#pragma once

#include <charconv>
#include <concepts>
#include <optional>
#include <string_view>

namespace leat {

constexpr char ascii_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

constexpr bool equal_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  return true;
}

// A space or tab: the white space of RFC 9110, section 5.6.3.
constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }

// What a hexadecimal digit stands for; -1: it is none.
constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Without the spaces and tabs at both ends (the OWS of RFC 9110, section 5.6.3).
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A media type without its parameters: "text/html" of "text/html; charset=utf-8".
constexpr std::string_view essence_of(std::string_view content_type) {
  return trim(content_type.substr(0, content_type.find(';')));
}

// The first `most` bytes of UTF-8, or a few less where that would cut a character in two.
constexpr std::string_view text_prefix(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  for (int i = 0; i < 3 && most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80; ++i) --most;
  return text.substr(0, most);
}

// The whole of `text` as a decimal number; nothing else, no sign for an unsigned type, no overflow.
template <class T>
  requires(std::integral<T> || std::floating_point<T>)
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// A token of RFC 9110, section 5.6.2: what a field name and a method are made of.
constexpr bool is_token_char(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

constexpr bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (!is_token_char(c)) return false;
  return true;
}

// A field value that is safe to write: no control character but the tab (RFC 9110, section 5.5). With a line
// break a header could smuggle a second one, and what other programs make of the rest nobody knows.
constexpr bool is_field_value(std::string_view text) {
  for (const char c : text)
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f') return false;
  return true;
}

}  // namespace leat

// Texts in application/x-www-form-urlencoded (WHATWG URL, section 5.1), as queries and forms are: '&' between
// pairs, '=' between a name and its value, '+' for a space, percent escapes. And Cookie fields, which are
// pairs as well, and the little that all header fields have in common.
//
// The one place that says how they are taken apart, for the daemon as for the wrapper of plugins. It
// allocates nothing and needs nothing but the standard library.
#ifndef LEAT_PLUGIN_FORM_HPP
#define LEAT_PLUGIN_FORM_HPP

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace leat {
inline namespace [[gnu::visibility("hidden")]] v1 {
namespace encoding {

// What is wrong with a text that decode_form() finds malformed, to follow "the parameter `x` ".
inline constexpr std::string_view kBadEscape = "has a `%` that two hexadecimal digits do not follow";

// The value of a hexadecimal digit; -1 for what is none.
constexpr int form_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Takes one character, decoded, off the front of `text`, which is not empty. A malformed escape is taken as
// it stands, and noted.
constexpr char take_form_byte(std::string_view& text, bool& malformed) {
  const char c = text.front();
  if (c == '%') {
    const int high = text.size() > 2 ? form_digit(text[1]) : -1;
    const int low = text.size() > 2 ? form_digit(text[2]) : -1;
    if (high >= 0 && low >= 0) {
      text.remove_prefix(3);
      return static_cast<char>(high << 4 | low);
    }
    malformed = true;
  }
  text.remove_prefix(1);
  return c == '+' ? ' ' : c;
}

constexpr bool needs_form_decoding(std::string_view text) {
  return text.find_first_of("%+") != std::string_view::npos;
}

// `text` decoded to `to`, which has room for as many bytes; how many it has become.
constexpr size_t decode_form(char* to, std::string_view text, bool& malformed) {
  size_t size = 0;
  while (!text.empty()) to[size++] = take_form_byte(text, malformed);
  return size;
}

// Cuts the text before the first `separator` off the front of `text`, with the separator; all of it where
// there is none.
constexpr std::string_view cut(std::string_view& text, char separator) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view head = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return head;
}

// A pair as it stands; without '=' its value is empty.
struct FormPair {
  std::string_view name, value;
};

// Takes the next pair off the front of `text`. False: there is none. Empty ones, as in "a=1&&b=2", do not
// count.
constexpr bool take_form_pair(std::string_view& text, FormPair& pair) {
  while (!text.empty()) {
    std::string_view value = cut(text, '&');
    if (value.empty()) continue;
    pair.name = cut(value, '=');
    pair.value = value;
    return true;
  }
  return false;
}

// `text` without the spaces and tabs around it.
constexpr std::string_view without_blanks(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// --- Header fields, and what stands in them.

// ASCII letters of either case are the same, as in the names of fields.
constexpr bool same_field_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; };
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

// Whether the value of a Content-Type field is of that type, whatever its parameters are (RFC 9110, section
// 8.3.1).
constexpr bool is_media_type(std::string_view value, std::string_view type) {
  return same_field_name(without_blanks(value.substr(0, value.find(';'))), type);
}

// What a token is made of (RFC 9110, section 5.6.2).
constexpr bool is_token_byte(char c) {
  constexpr std::string_view kSeparators = "\"(),/:;<=>?@[\\]{}";
  return c > ' ' && c < 0x7f && kSeparators.find(c) == std::string_view::npos;
}
template <class Allowed>
constexpr bool has_only(std::string_view text, Allowed&& allowed) {
  for (const char c : text)
    if (!allowed(c)) return false;
  return true;
}

// Takes the next cookie off the front of a Cookie field (RFC 6265, section 4.2.1), without the quotes around
// its value; nothing is decoded, and what has no '=' is none. False: there is none.
constexpr bool take_cookie(std::string_view& field, FormPair& cookie) {
  while (!field.empty()) {
    std::string_view value = cut(field, ';');
    if (value.find('=') == std::string_view::npos) continue;
    cookie.name = without_blanks(cut(value, '='));
    value = without_blanks(value);
    const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
    cookie.value = quoted ? value.substr(1, value.size() - 2) : value;
    return true;
  }
  return false;
}

}  // namespace encoding
}  // namespace v1
}  // namespace leat

#endif

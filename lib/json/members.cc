#include "json/members.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "json/valid.h"

namespace leat::json {

namespace {

constexpr std::string_view kSpace = " \t\r\n";

void skip_space(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpace), text.size()));
}

// Takes the value in front of a text that is well-formed.
std::string_view take_value(std::string_view& text) {
  skip_space(text);
  size_t depth = 0, at = 0;
  bool in_string = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      in_string = c != '"';
      if (in_string || depth != 0) continue;
      ++at;
      break;
    }
    if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) break;  // of what is around it
      if (--depth != 0) continue;
      ++at;
      break;
    } else if (depth == 0 && (c == ',' || c == ':' || kSpace.contains(c))) {
      break;
    }
  }
  const std::string_view value = text.substr(0, at);
  text.remove_prefix(at);
  skip_space(text);
  return value;
}

// What is between the brackets of a well-formed container; nothing for what is none.
std::optional<std::string_view> inside(std::string_view text, char opening, uint32_t most_depth) {
  skip_space(text);
  if (!text.starts_with(opening) || !is_json_value(text, most_depth)) return std::nullopt;
  text = text.substr(1, text.find_last_of("}]") - 1);
  skip_space(text);
  return text;
}

// The number of four hexadecimal digits; they are there.
uint32_t take_unit(std::string_view& text) {
  uint32_t unit = 0;
  for (int i = 0; i < 4; ++i)
    unit = unit << 4 | static_cast<uint32_t>(hex_digit(text[static_cast<size_t>(i)]));
  text.remove_prefix(4);
  return unit;
}

void put_utf8(std::string& text, uint32_t point) {
  const auto rest = [&](int shift) { text += static_cast<char>(0x80 | ((point >> shift) & 0x3f)); };
  if (point < 0x80) {
    text += static_cast<char>(point);
  } else if (point < 0x800) {
    text += static_cast<char>(0xc0 | point >> 6);
    rest(0);
  } else if (point < 0x10000) {
    text += static_cast<char>(0xe0 | point >> 12);
    rest(6), rest(0);
  } else {
    text += static_cast<char>(0xf0 | point >> 18);
    rest(12), rest(6), rest(0);
  }
}

// Behind "\u". False: half of a pair, which is taken.
bool take_escaped_point(std::string_view& text, std::string& into) {
  const uint32_t first = take_unit(text);
  if (first < 0xd800 || first > 0xdfff) {
    put_utf8(into, first);
    return true;
  }
  if (first > 0xdbff || !text.starts_with("\\u")) return false;
  std::string_view behind = text.substr(2);
  const uint32_t second = take_unit(behind);
  if (second < 0xdc00 || second > 0xdfff) return false;
  text = behind;
  put_utf8(into, 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00));
  return true;
}

// What stands between the quotes of a string, into `text`. False: it has halves of pairs, which are U+FFFD in it.
bool unescape_into(std::string_view value, std::string& text) {
  bool whole = true;
  while (!value.empty()) {
    const size_t plain = std::min(value.find('\\'), value.size());
    text += value.substr(0, plain);
    value.remove_prefix(plain);
    if (value.empty()) break;
    const char escaped = value[1];
    value.remove_prefix(2);
    if (escaped == 'u') {
      if (take_escaped_point(value, text)) continue;
      put_utf8(text, 0xfffd);
      whole = false;
      continue;
    }
    constexpr std::string_view kLetters = "bfnrt", kMeant = "\b\f\n\r\t";
    const size_t letter = kLetters.find(escaped);
    text += letter == std::string_view::npos ? escaped : kMeant[letter];
  }
  return whole;
}

}  // namespace

std::optional<std::vector<Member>> read_object(std::string_view text, uint32_t most_depth) {
  auto rest = inside(text, '{', most_depth);
  if (!rest) return std::nullopt;
  std::vector<Member> members;
  while (!rest->empty()) {
    auto name = read_string(take_value(*rest));
    if (!name) return std::nullopt;
    rest->remove_prefix(1);  // the colon
    const std::string_view value = take_value(*rest);
    members.push_back({std::move(*name), value});
    if (!rest->empty()) rest->remove_prefix(1);  // the comma
  }
  // By their order, since nobody is trusted yet who has made up so many names.
  std::vector<std::string_view> names;
  names.reserve(members.size());
  for (const Member& member : members) names.push_back(member.name);
  std::ranges::sort(names);
  if (std::ranges::adjacent_find(names) != names.end()) return std::nullopt;
  return members;
}

std::optional<std::vector<std::string_view>> read_array(std::string_view text, uint32_t most_depth) {
  auto rest = inside(text, '[', most_depth);
  if (!rest) return std::nullopt;
  std::vector<std::string_view> elements;
  while (!rest->empty()) {
    elements.push_back(take_value(*rest));
    if (!rest->empty()) rest->remove_prefix(1);
  }
  return elements;
}

std::optional<std::string> read_string(std::string_view value) {
  if (!value.starts_with('"') || !is_json_value(value, 1) || !value.ends_with('"')) return std::nullopt;
  std::string text;
  if (!unescape_into(value.substr(1, value.size() - 2), text)) return std::nullopt;
  return text;
}

std::string unescape(std::string_view inside) {
  std::string text;
  (void)unescape_into(inside, text);
  return text;
}

std::optional<double> read_number(std::string_view value) {
  if (value.empty() || !(is_digit(value.front()) || value.front() == '-') || !is_json_value(value, 1))
    return std::nullopt;
  return parse_number<double>(value);
}

std::string_view find_member(const std::vector<Member>& members, std::string_view name) {
  const auto found = std::ranges::find(members, name, &Member::name);
  return found == members.end() ? std::string_view() : found->value;
}

}  // namespace leat::json

#include "config/toml_scalar.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>

namespace leat::config {

namespace {

constexpr std::string_view kDigits = "0123456789";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::unexpected<TomlComplaint> refuse(std::string message, std::string hint = {}) {
  return std::unexpected(TomlComplaint{std::move(message), std::move(hint)});
}

// "dddd-dd-dd" for a pattern "0000-00-00": digits stand for digits, all else for itself.
bool has_shape(std::string_view text, std::string_view shape) {
  return text.size() == shape.size() && std::ranges::equal(text, shape, [](char c, char wanted) {
           return wanted == '0' ? is_digit(c) : c == wanted;
         });
}

bool is_time(std::string_view text) {
  if (text.size() < 8 || !has_shape(text.substr(0, 8), "00:00:00")) return false;
  text.remove_prefix(8);
  if (text.empty()) return true;
  return text.size() > 1 && text[0] == '.' && text.find_first_not_of(kDigits, 1) == std::string_view::npos;
}

bool is_date_or_time(std::string_view text) {
  if (is_time(text)) return true;
  if (!is_toml_date(text)) return false;
  if (text.size() == 10) return true;
  if (!std::string_view("Tt ").contains(text[10])) return false;
  text.remove_prefix(11);
  if (text.ends_with('Z') || text.ends_with('z')) return is_time(text.substr(0, text.size() - 1));
  const size_t offset = text.find_last_of("+-");
  if (offset == std::string_view::npos) return is_time(text);
  return is_time(text.substr(0, offset)) && has_shape(text.substr(offset + 1), "00:00");
}

// `text` without its underscores, each of which stands between two digits; empty where one does not.
std::string without_underscores(std::string_view text, std::string_view digits) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || i + 1 == text.size() || !digits.contains(text[i - 1]) ||
               !digits.contains(text[i + 1])) {
      return {};
    }
  }
  return out;
}

std::unexpected<TomlComplaint> out_of_bounds(std::string_view word) {
  return refuse(fmt::format("`{}` is beyond what a number can be", word));
}

// Of a whole number in another base than ten.
std::expected<TomlScalar, TomlComplaint> parse_based(std::string_view word, int base,
                                                     std::string_view digits) {
  const std::string text = without_underscores(word.substr(2), digits);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (error == std::errc::result_out_of_range) return out_of_bounds(word);
  if (text.empty() || text[0] == '-' || error != std::errc() || end != text.data() + text.size())
    return refuse(fmt::format("`{}` is not a number", word),
                  fmt::format("after `{}` come digits from {} to {}", word.substr(0, 2), digits.front(),
                              base == 16 ? "f" : std::string(1, digits.back())));
  return number;
}

std::expected<TomlScalar, TomlComplaint> parse_number(std::string_view word) {
  const std::string text = without_underscores(word, kDigits);
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  const size_t whole = std::min(rest.find_first_not_of(kDigits), rest.size());
  const auto no_number = [&] {
    // "10s" and "64KiB" are what most of those are that begin like one.
    const bool quantity = !text.empty() && whole > 0 && !rest.substr(whole).contains('.');
    return refuse(fmt::format("`{}` is not a number", word),
                  quantity ? fmt::format("text and quantities with a unit stand in quotes: \"{}\"", word)
                           : "text stands in quotes");
  };
  if (whole == 0) return no_number();
  std::string_view after = rest.substr(whole);
  const auto digits_of = [&] {
    const size_t count = std::min(after.find_first_not_of(kDigits), after.size());
    after.remove_prefix(count);
    return count;
  };
  bool real = false;
  if (after.starts_with('.')) {
    real = true;
    after.remove_prefix(1);
    if (digits_of() == 0) return no_number();
  }
  if (after.starts_with('e') || after.starts_with('E')) {
    real = true;
    after.remove_prefix(1);
    if (after.starts_with('+') || after.starts_with('-')) after.remove_prefix(1);
    if (digits_of() == 0) return no_number();
  }
  if (!after.empty()) return no_number();
  if (whole > 1 && rest[0] == '0')
    return refuse(fmt::format("`{}` begins with a zero", word), "octal numbers are written 0o660");
  const std::string_view signless = text.starts_with('+') ? std::string_view(text).substr(1) : text;
  const char* end = signless.data() + signless.size();
  if (real) {
    double number = 0;
    if (std::from_chars(signless.data(), end, number).ec != std::errc()) return out_of_bounds(word);
    return number;
  }
  int64_t number = 0;
  if (std::from_chars(signless.data(), end, number).ec != std::errc()) return out_of_bounds(word);
  return number;
}

}  // namespace

bool is_toml_date(std::string_view word) {
  return word.size() >= 10 && has_shape(word.substr(0, 10), "0000-00-00");
}

std::expected<TomlScalar, TomlComplaint> parse_toml_scalar(std::string_view word) {
  if (word == "true") return true;
  if (word == "false") return false;
  const std::string_view unsigned_word =
      word.starts_with('+') || word.starts_with('-') ? word.substr(1) : word;
  const double sign = word.starts_with('-') ? -1 : 1;
  if (unsigned_word == "inf") return sign * std::numeric_limits<double>::infinity();
  if (unsigned_word == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (word.starts_with("0x")) return parse_based(word, 16, "0123456789abcdefABCDEF");
  if (word.starts_with("0o")) return parse_based(word, 8, "01234567");
  if (word.starts_with("0b")) return parse_based(word, 2, "01");
  if (is_date_or_time(word)) return TomlDate();
  if (!unsigned_word.empty() && is_digit(unsigned_word[0])) return parse_number(word);
  std::string lower(word);
  std::ranges::transform(lower, lower.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  for (const std::string_view each : {"true", "yes", "on", "false", "no", "off"})
    if (lower == each)
      return refuse(fmt::format("`{}` is not a value", word),
                    "write `true` or `false`, or put text in quotes");
  return refuse(fmt::format("`{}` is not a value", word), word.starts_with("${")
                                                              ? fmt::format("put it in quotes: \"{}\"", word)
                                                              : "text stands in quotes");
}

}  // namespace leat::config

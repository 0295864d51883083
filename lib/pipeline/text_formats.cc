#include "pipeline/text_formats.h"

#include <algorithm>
#include <utility>

#include "base/text.h"

namespace leat::pipeline {

namespace {

bool is_format_digit(char c) { return c >= '0' && c <= '9'; }
bool is_format_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Takes `size` digits off the front of `text`; -1, and nothing is taken, where it does not begin with them.
int take_digits(std::string_view& text, size_t size) {
  if (text.size() < size || !std::ranges::all_of(text.substr(0, size), is_format_digit)) return -1;
  int number = 0;
  for (const char c : text.substr(0, size)) number = number * 10 + (c - '0');
  text.remove_prefix(size);
  return number;
}
bool take_one_of(std::string_view& text, std::string_view these) {
  if (text.empty() || !these.contains(text.front())) return false;
  text.remove_prefix(1);
  return true;
}

int days_of(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return kDays[month - 1] + (month == 2 && leap ? 1 : 0);
}

bool is_host_label(std::string_view label) {
  const auto inner = [](char c) { return is_format_letter(c) || is_format_digit(c) || c == '-'; };
  return !label.empty() && label.size() <= 63 && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, inner);
}

}  // namespace

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : hex_digit(text[i]) < 0) return false;
  }
  return true;
}

bool is_date_time(std::string_view text) {
  const int year = take_digits(text, 4);
  if (year < 0 || !take_one_of(text, "-")) return false;
  const int month = take_digits(text, 2);
  if (month < 1 || month > 12 || !take_one_of(text, "-")) return false;
  const int day = take_digits(text, 2);
  if (day < 1 || day > days_of(year, month) || !take_one_of(text, "Tt")) return false;
  const int hour = take_digits(text, 2);
  if (hour < 0 || hour > 23 || !take_one_of(text, ":")) return false;
  const int minute = take_digits(text, 2);
  if (minute < 0 || minute > 59 || !take_one_of(text, ":")) return false;
  const int second = take_digits(text, 2);
  if (second < 0 || second > 60) return false;
  if (take_one_of(text, ".")) {
    if (take_digits(text, 1) < 0) return false;
    while (take_digits(text, 1) >= 0) {
    }
  }
  int offset_minutes = 0;
  if (!take_one_of(text, "Zz")) {
    const bool behind = text.starts_with('-');
    if (!take_one_of(text, "+-")) return false;
    const int hours = take_digits(text, 2);
    if (hours < 0 || hours > 23 || !take_one_of(text, ":")) return false;
    const int minutes = take_digits(text, 2);
    if (minutes < 0 || minutes > 59) return false;
    offset_minutes = (hours * 60 + minutes) * (behind ? -1 : 1);
  }
  if (!text.empty()) return false;
  // Leap seconds are at 23:59:60 UTC.
  constexpr int kDayMinutes = 24 * 60;
  const int utc = (hour * 60 + minute - offset_minutes + 2 * kDayMinutes) % kDayMinutes;
  return second < 60 || utc == kDayMinutes - 1;
}

bool is_email(std::string_view text) {
  constexpr std::string_view kOthers = ".!#$%&'*+/=?^_`{|}~-";
  const size_t at = text.find('@');
  if (text.size() > 254 || at == 0 || at == std::string_view::npos) return false;
  const auto local = [&](char c) { return is_format_letter(c) || is_format_digit(c) || kOthers.contains(c); };
  if (!std::ranges::all_of(text.substr(0, at), local)) return false;
  for (std::string_view host = text.substr(at + 1);;) {
    const size_t dot = host.find('.');
    if (!is_host_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_uri(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || colon == 0 || !is_format_letter(text.front())) return false;
  const auto in_scheme = [](char c) {
    return is_format_letter(c) || is_format_digit(c) || c == '+' || c == '-' || c == '.';
  };
  if (!std::ranges::all_of(text.substr(0, colon), in_scheme)) return false;
  constexpr std::string_view kOthers = "-._~:/?#[]@!$&'()*+,;=";
  bool fragment = false;
  for (size_t i = colon + 1; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%') {
      if (i + 2 >= text.size() || hex_digit(text[i + 1]) < 0 || hex_digit(text[i + 2]) < 0) return false;
      i += 2;
      continue;
    }
    if (c == '#' && std::exchange(fragment, true)) return false;
    if (!is_format_letter(c) && !is_format_digit(c) && !kOthers.contains(c)) return false;
  }
  return text.size() > colon + 1;
}

}  // namespace leat::pipeline

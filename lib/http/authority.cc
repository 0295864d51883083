#include "http/authority.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace leat::http {

namespace {

constexpr bool is_hex(char c) { return hex_digit(c) >= 0; }

bool is_port(std::string_view text) {
  if (text.empty()) return true;
  return text.size() <= 5 && std::ranges::all_of(text, is_digit) && parse_number<uint16_t>(text).has_value();
}

// reg-name, of which IPv4address is a case.
bool is_name(std::string_view text) {
  constexpr std::string_view kPlain = "-._~!$&'()*+;=";
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char lower = ascii_lower(c);
    if ((lower >= 'a' && lower <= 'z') || is_digit(c) || kPlain.find(c) != std::string_view::npos) continue;
    if (c != '%' || text.size() - i < 3 || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    i += 2;
  }
  return !text.empty();
}

// Four numbers up to 255, without zeros before them.
bool is_ipv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    const size_t size = std::min(text.find('.'), text.size());
    const std::string_view number = text.substr(0, size);
    if (number.size() > 3 || !parse_number<uint8_t>(number) || (number.size() > 1 && number[0] == '0'))
      return false;
    if (size == text.size()) return part == 3;
    text.remove_prefix(size + 1);
  }
  return false;
}

// Eight groups of up to four digits; once, `::` stands for one group at least of zeros; the last two may be
// an IPv4 address.
bool is_ipv6(std::string_view text) {
  size_t groups = 0;
  bool shortened = false;
  if (text.starts_with("::")) {
    shortened = true;
    text.remove_prefix(2);
  }
  while (!text.empty()) {
    const size_t size = std::min(text.find(':'), text.size());
    const std::string_view group = text.substr(0, size);
    if (size == text.size() && is_ipv4(group)) {
      groups += 2;
      break;
    }
    if (group.empty() || group.size() > 4 || !std::ranges::all_of(group, is_hex)) return false;
    ++groups;
    text.remove_prefix(size);
    if (text.empty()) break;
    text.remove_prefix(1);
    if (text.empty()) return false;  // a colon at the end that is not half of `::`
    if (!text.starts_with(':')) continue;
    if (shortened) return false;
    shortened = true;
    text.remove_prefix(1);
  }
  return shortened ? groups < 8 : groups == 8;
}

}  // namespace

bool is_authority(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos || !is_ipv6(text.substr(1, end - 1))) return false;
    const std::string_view rest = text.substr(end + 1);
    return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
  }
  const size_t colon = text.find(':');
  if (!is_name(text.substr(0, colon))) return false;
  return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

}  // namespace leat::http

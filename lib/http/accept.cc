#include "http/accept.h"

#include <algorithm>
#include <optional>

#include "base/text.h"

namespace leat::http {

namespace {

// What a list has before `separator`, which is none in a quoted string; the rest stays.
std::string_view take_part(std::string_view& list, char separator) {
  bool quoted = false;
  size_t at = 0;
  for (; at < list.size(); ++at) {
    if (quoted && list[at] == '\\') {
      ++at;
    } else if (list[at] == '"') {
      quoted = !quoted;
    } else if (list[at] == separator && !quoted) {
      break;
    }
  }
  at = std::min(at, list.size());
  const std::string_view part = trim(list.substr(0, at));
  list.remove_prefix(std::min(at + 1, list.size()));
  return part;
}

// How well a range fits a type: 3 for itself, 2 for text/*, 1 for */*, 0 for not at all.
unsigned fit(std::string_view range, std::string_view type) {
  if (equal_ignoring_case(range, type)) return 3;
  if (range == "*/*") return 1;
  const std::string_view family = type.substr(0, type.find('/') + 1);
  return range.size() == family.size() + 1 && range.ends_with('*') &&
                 equal_ignoring_case(range.substr(0, family.size()), family)
             ? 2
             : 0;
}

}  // namespace

std::optional<uint32_t> read_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  uint32_t weight = text[0] == '1' ? 1000 : 0;
  uint32_t unit = 100;
  for (const char c : text.substr(std::min<size_t>(text.size(), 2))) {
    if (!is_digit(c)) return std::nullopt;
    weight += static_cast<uint32_t>(c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

uint32_t acceptance(std::string_view accept, std::string_view type) {
  if (trim(accept).empty()) return 1000;
  unsigned best = 0;
  uint32_t wanted = 0;
  while (!accept.empty()) {
    std::string_view item = take_part(accept, ',');
    const unsigned fits = fit(take_part(item, ';'), type);
    uint32_t weight = 1000;
    bool good = true;
    while (!item.empty() && good) {
      const std::string_view parameter = take_part(item, ';');
      const auto q = parameter.size() > 2 && ascii_lower(parameter[0]) == 'q' && parameter[1] == '='
                         ? read_weight(parameter.substr(2))
                         : std::nullopt;
      good = q.has_value();
      weight = q.value_or(0);
    }
    if (!good || fits <= best) continue;
    best = fits;
    wanted = weight;
  }
  return wanted;
}

}  // namespace leat::http

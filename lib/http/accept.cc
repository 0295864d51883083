#include "http/accept.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "http/list.h"
#include "http/message.h"

namespace leat::http {

namespace {

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

// "text/html;q=0.5"; good where it has no parameters but that one.
struct AcceptItem {
  explicit AcceptItem(std::string_view item) {
    for_each_item(
        item,
        [this](std::string_view part) {
          if (range.empty()) {
            range = part;
            return;
          }
          const auto q = part.size() > 2 && ascii_lower(part[0]) == 'q' && part[1] == '='
                             ? read_weight(part.substr(2))
                             : std::nullopt;
          good = good && q.has_value();
          weight = q.value_or(0);
        },
        Backslash::Hides, ';');
  }
  std::string_view range;
  uint32_t weight = 1000;
  bool good = true;
};

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
  for_each_item(accept, [&](std::string_view item) {
    const AcceptItem read(item);
    const unsigned fits = fit(read.range, type);
    if (!read.good || fits <= best) return;
    best = fits;
    wanted = read.weight;
  });
  return wanted;
}

std::optional<uint32_t> named_acceptance(std::string_view accept, std::string_view type) {
  std::optional<uint32_t> wanted;
  for_each_item(accept, [&](std::string_view item) {
    const AcceptItem read(item);
    if (read.good && !wanted && equal_ignoring_case(read.range, type)) wanted = read.weight;
  });
  return wanted;
}

bool say_varies_by_accept(Response& response) {
  bool said = false;
  for (const Response::Field& field : response.fields()) {
    if (!equal_ignoring_case(field.name, "Vary")) continue;
    for_each_item(field.value, [&](std::string_view item) {
      said = said || item == "*" || equal_ignoring_case(item, "Accept");
    });
  }
  return said || response.add("Vary", "Accept");
}

}  // namespace leat::http

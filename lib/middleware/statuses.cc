#include "middleware/statuses.h"

#include <fmt/core.h>

#include "base/text.h"

namespace leat::middleware {

std::optional<Statuses> read_statuses(std::string_view text) {
  Statuses set;
  const auto number = [](std::string_view digits) -> std::optional<unsigned> {
    const auto read = parse_number<unsigned>(digits);
    return digits.size() == 3 && read && *read >= 100 ? read : std::nullopt;
  };
  std::optional<unsigned> first = number(text.substr(0, 3));
  std::optional<unsigned> last = first;
  if (text.size() == 3 && text.ends_with("xx") && text[0] >= '1' && text[0] <= '9') {
    first = static_cast<unsigned>(text[0] - '0') * 100;
    last = *first + 99;
  } else if (text.size() == 7 && text[3] == '-') {
    last = number(text.substr(4));
  } else if (text.size() != 3) {
    return std::nullopt;
  }
  if (!first || !last || *last < *first) return std::nullopt;
  for (unsigned status = *first; status <= *last; ++status) set.set(status);
  return set;
}

std::string check_status(std::string_view, std::string_view text) {
  if (read_statuses(text)) return {};
  return fmt::format("`{}` is no status, as `404`, `5xx` or `500-503` are", text);
}

}  // namespace leat::middleware

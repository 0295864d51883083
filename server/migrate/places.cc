#include "server/migrate/places.h"

#include <fmt/core.h>

#include "pipeline/pattern.h"

namespace leat::server::migrate {

std::string route_text(std::string_view path) {
  std::string own;
  for (const char c : path) {
    if (std::string_view("{}*?% ").contains(c) || (c >= 0 && c <= ' ') || c == 0x7f)
      own += fmt::format("%{:02X}", static_cast<unsigned>(c));
    else
      own += c;
  }
  return own;
}

std::string pattern_text(const RoutePlace& place) {
  if (place.key == "path") return place.value;
  return place.value == "/" ? "/{rest...}" : place.value + "{/rest...}";
}

std::optional<RoutePlace> route_place(std::string_view path, bool exact) {
  if (!path.starts_with('/')) return std::nullopt;
  const std::string own = route_text(path);
  const bool prefix = !exact && (own == "/" || !own.ends_with('/'));
  RoutePlace place{prefix ? "prefix" : "path", exact || prefix ? own : own + "{rest...}"};
  if (!pipeline::Pattern::parse(pattern_text(place))) return std::nullopt;
  return place;
}

}  // namespace leat::server::migrate

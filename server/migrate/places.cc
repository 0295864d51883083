#include "server/migrate/places.h"

#include <fmt/core.h>

#include "base/text.h"
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
  place.goes_on = prefix && own != "/";
  if (!pipeline::Pattern::parse(pattern_text(place))) return std::nullopt;
  return place;
}

bool is_within(const RoutePlace& inner, const RoutePlace& outer) {
  constexpr std::string_view kRest = "{rest...}";
  if (inner.value == outer.value && inner.key == outer.key) return true;
  if (outer.key == "prefix")
    return outer.value == "/" || inner.value == outer.value || inner.value.starts_with(outer.value + "/");
  return outer.value.ends_with("/{rest...}") &&
         inner.value.starts_with(outer.value.substr(0, outer.value.size() - kRest.size()));
}

namespace {

bool take(std::string_view& text, std::string_view begin) {
  if (!text.starts_with(begin)) return false;
  text.remove_prefix(begin.size());
  return true;
}

// A character that stands for itself. 0 for what is none, as a dot that is not escaped: it stands for any.
char take_literal(std::string_view& text) {
  char c = text.front();
  text.remove_prefix(1);
  if (c != '\\') return std::string_view("^$[]|()?*+{}.").contains(c) ? '\0' : c;
  if (text.empty()) return '\0';
  c = text.front();
  text.remove_prefix(1);
  return (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z') || is_digit(c) ? '\0' : c;
}

}  // namespace

std::optional<ExpressionPlace> place_of_expression(std::string_view expression) {
  if (!expression.starts_with("^/")) return std::nullopt;
  expression.remove_prefix(1);
  const bool ends = expression.ends_with('$') && !expression.ends_with("\\$");
  if (ends) expression.remove_suffix(1);
  ExpressionPlace found;
  std::string own;
  bool rest = false, whole = true;
  size_t segments = 0;
  while (!expression.empty() && !rest) {
    const bool begins = own.ends_with('/');
    if (begins && (expression == "(.*)" || expression == ".*")) {
      if (expression.front() == '(') found.groups.emplace_back("rest");
      rest = true;
    } else if (const bool group = take(expression, "([^/]+)"); group || take(expression, "[^/]+")) {
      if (!begins || (!expression.empty() && expression.front() != '/')) return std::nullopt;
      const std::string name = fmt::format("part{}", ++segments);
      if (group) found.groups.push_back(name);
      own += "{" + name + "}";
      whole = false;
    } else {
      const char c = take_literal(expression);
      if (c == '\0') return std::nullopt;
      own += route_text(std::string_view(&c, 1));
    }
  }
  const bool folder = own.ends_with('/');
  if (ends && !rest) {
    found.place = {"path", own};
  } else if (rest || (folder && own != "/")) {
    found.place = {"path", own + "{rest...}"};
  } else {
    found.place = whole ? RoutePlace{"prefix", own} : RoutePlace{"path", own + "{/rest...}"};
    // A segment takes all up to a slash: what goes on is part of it.
    found.place.goes_on = own != "/" && !own.ends_with('}');
  }
  if (!pipeline::Pattern::parse(pattern_text(found.place))) return std::nullopt;
  return found;
}

}  // namespace leat::server::migrate

#include "server/migrate/paths.h"

#include <fmt/core.h>

#include "pipeline/router.h"

namespace leat::server::migrate {

std::optional<std::vector<std::string>> route_paths(std::string_view path, bool exact) {
  if (!path.starts_with('/')) return std::nullopt;
  std::string own;
  for (const char c : path) {
    // What means something in a route's path, or cannot be in one.
    if (std::string_view("{}*?% ").contains(c) || (c >= 0 && c <= ' ') || c == 0x7f)
      own += fmt::format("%{:02X}", static_cast<unsigned>(c));
    else
      own += c;
  }
  std::vector<std::string> paths;
  if (exact || !own.ends_with('/')) paths.push_back(own);
  if (!exact) paths.push_back(own + (own.ends_with('/') ? "{path...}" : "/{path...}"));
  for (const std::string& each : paths)
    if (!pipeline::Pattern::parse(each)) return std::nullopt;
  return paths;
}

}  // namespace leat::server::migrate

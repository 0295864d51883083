// Paths of other servers as those of routes.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace leat::server::migrate {

// Of `path` itself (`exact`), or of it and all below it; of one that ends in a slash, of what is below it. Nothing where a
// route's path cannot be like it.
std::optional<std::vector<std::string>> route_paths(std::string_view path, bool exact);

}  // namespace leat::server::migrate

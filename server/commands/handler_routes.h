// The configuration that a plugin gets where its author has written none: a route for each of its handlers.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace leat::server {

// `text` in quotes, as TOML writes it.
std::string toml_text(std::string_view text);

// Tables [[route]]: "/" and its name for each of the handlers of the plugin named `plugin`; all methods that
// carry or fetch something.
std::string handler_routes(std::span<const std::string> handlers, std::string_view plugin);

}  // namespace leat::server

#include "server/commands/handler_routes.h"

#include <fmt/core.h>

namespace leat::server {

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string handler_routes(std::span<const std::string> handlers, std::string_view plugin) {
  std::string text;
  for (const std::string& name : handlers)
    text += fmt::format(
        "[[route]]\npath = {}\nmethods = [\"GET\", \"POST\", \"PUT\", \"PATCH\", \"DELETE\"]\nhandler = {}\n",
        toml_text("/" + name), toml_text(fmt::format("{}:{}", plugin, name)));
  return text;
}

}  // namespace leat::server

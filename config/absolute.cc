// Paths of a configuration that do not depend on where the process stands: a plugin may change that.
#include <filesystem>

#include "config/config.h"

namespace leat::config {

namespace {

namespace fs = std::filesystem;

// What the address of a unix socket has room for.
constexpr size_t kMostSocketPath = 107;

std::string absolute(const std::string& path, const fs::path& folder) {
  return path.empty() ? path : (folder / path).lexically_normal().string();
}

// One that would become too long stays, and is good as long as nobody changes the folder.
void make_absolute_socket(std::string& path, const fs::path& folder) {
  if (std::string whole = absolute(path, folder); whole.size() <= kMostSocketPath) path = std::move(whole);
}

// The file of an access log, which is its own option.
void make_absolute_log(pipeline::MiddlewareSpec& spec, const std::string& folder) {
  const Value* const file = spec.kind == "access_log" ? spec.options.find("file") : nullptr;
  if (file == nullptr || file->string() == nullptr) return;
  Value::Table options = *spec.options.table();
  for (auto& [name, value] : options) {
    if (name != "file") continue;
    Value whole(absolute(*value.string(), folder), value.place, value.key_place);
    whole.origin = value.origin;
    value = std::move(whole);
  }
  spec.options = Value(std::move(options), spec.options.place, spec.options.key_place);
}

}  // namespace

void make_absolute(Config& config, const std::string& folder) {
  Settings& settings = config.settings;
  settings.log.file = absolute(settings.log.file, folder);
  make_absolute_socket(settings.admin_socket, folder);
  for (net::Address& address : settings.listen)
    if (address.kind == net::Address::Kind::Unix) make_absolute_socket(address.host, folder);
  for (ListenerDecl& each : settings.listeners)
    if (each.address.kind == net::Address::Kind::Unix) make_absolute_socket(each.address.host, folder);
  for (std::string& path : settings.plugin_path) path = absolute(path, folder);
  for (pipeline::MiddlewareSpec& spec : config.middleware) make_absolute_log(spec, folder);
  for (RouteDecl& route : config.routes)
    for (pipeline::MiddlewareSpec& spec : route.spec.middleware) make_absolute_log(spec, folder);
  for (PluginDecl& plugin : config.plugins)
    if (plugin.file.contains('/')) plugin.file = absolute(plugin.file, folder);
}

}  // namespace leat::config

// Paths of a configuration that do not depend on where the process stands: a plugin may change that.
#include <algorithm>
#include <filesystem>

#include "config/config.h"
#include "config/tls.h"
#include "middleware/kinds.h"

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

// The files that options name.
void make_absolute_options(pipeline::MiddlewareSpec& spec, const std::string& folder) {
  const auto kinds = middleware::kinds();
  const auto kind = std::ranges::find(kinds, spec.kind, &pipeline::MiddlewareKind::name);
  if (kind == kinds.end() || spec.options.table() == nullptr) return;
  const auto is_path = [&](const Value::Entry& option) {
    const schema::Row* const row = schema::find(kind->options, option.first);
    return row != nullptr && row->path && option.second.string() != nullptr;
  };
  if (std::ranges::none_of(*spec.options.table(), is_path)) return;
  Value::Table options = *spec.options.table();
  for (Value::Entry& option : options) {
    if (!is_path(option)) continue;
    Value& value = option.second;
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
  for (ListenerDecl& each : settings.listeners)
    for (std::string* const path : {&each.client_ca, &each.client_crl})
      if (!is_pem(*path)) *path = absolute(*path, folder);
  for (TlsDecl& each : config.tls)
    for (std::string* const path : {&each.certificate, &each.key})
      if (!is_pem(*path)) *path = absolute(*path, folder);
  for (TlsDecl& each : config.tls) each.ocsp_response = absolute(each.ocsp_response, folder);
  for (std::string& path : settings.plugin_path) path = absolute(path, folder);
  for (std::string& path : settings.tls_ticket_key_files) path = absolute(path, folder);
  for (pipeline::MiddlewareSpec& spec : config.middleware) make_absolute_options(spec, folder);
  for (RouteDecl& route : config.routes)
    for (pipeline::MiddlewareSpec& spec : route.spec.middleware) make_absolute_options(spec, folder);
  for (PluginDecl& plugin : config.plugins)
    if (plugin.file.contains('/')) plugin.file = absolute(plugin.file, folder);
}

}  // namespace leat::config

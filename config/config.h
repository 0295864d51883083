// Config: a configuration that has been read and found good, as data.
//
//   files -> toml.cc (Values with places) -> loader.cc -> settings.cc and declarations.cc -> Config
//
// Nothing here does anything: server/assemble.cc makes plugins, the site and workers from it. Each setting
// is a member of its module's own options struct, where its default is, and one row in settings.cc; modules
// of lib/ know nothing of TOML.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/value.h"
#include "cache/policy.h"
#include "config/secrets.h"
#include "handlers/answer.h"
#include "http/forwarding.h"
#include "json/backend.h"
#include "net/listener.h"
#include "pipeline/site.h"
#include "plugin/host.h"
#include "plugin/options.h"
#include "transport/tls/options.h"
#include "transport/tls/server.h"
#include "worker/options.h"

namespace leat::config {

// What a route's handler has for its plugin where it is the daemon's own: "leat:metrics".
inline constexpr std::string_view kOwnHandlers = "leat";

class Files;

// A listening socket that is declared by itself, with what it has in place of what the settings say.
struct ListenerDecl {
  net::Address address;
  std::optional<int> backlog;
  std::optional<bool> defer_accept;      // TCP
  std::optional<uint32_t> mode;          // of a unix socket's file
  std::optional<uint32_t> owner, group;  // likewise, by number
  std::vector<std::string> protocols;
  bool proxy_protocol = false;
  std::optional<std::vector<AddressRange>> trusted_proxies;
  bool tls = false;
  // Clients are asked for a certificate; paths, or PEM. Without authorities they are not.
  std::string client_ca, client_crl;
  tls::ClientTrust::Demand client_certificate = tls::ClientTrust::Demand::Required;
  uint32_t redirect_to_https = 0;  // the port of what is answered here with a redirect; 0: it is not
  // What TLS is spoken with; null until the certificates are read (config/tls.h).
  std::shared_ptr<const tls::Server> tls_server;
  Place place;  // of `address`
  Place tls_place, redirect_place, client_ca_place, client_crl_place;
};

// A server's settings and their defaults: what is the daemon's own, and the options of the modules. Times are
// in milliseconds, sizes in bytes.
struct Settings {
  std::vector<net::Address> listen = {{.kind = net::Address::Kind::Ipv4, .host = "127.0.0.1", .port = 8080}};
  std::vector<Place> listen_places;     // where each of them stands; none for the default
  std::vector<ListenerDecl> listeners;  // besides those
  net::ListenOptions sockets;
  uint32_t workers = 0;  // 0: one for each usable CPU
  bool pin_workers = true;
  std::vector<std::string> plugin_path;  // searched before the installed folder
  std::string admin_socket;  // empty: in the runtime folder that the service manager gives, or none
  http::ProxyTrust trust;
  uint32_t handshake_timeout_ms = 10'000;
  uint32_t handover_timeout_ms = 1'000;
  uint32_t load_timeout_ms = 30'000;
  uint64_t drain_delay_ms = 0;
  pipeline::TrailingSlash trailing_slash = pipeline::TrailingSlash::Exact;
  pipeline::FormLimits form_limits;
  tls::Options tls;
  std::vector<std::string> tls_ticket_key_files;              // none: the daemon makes its keys
  uint64_t tls_warning_ms = uint64_t{14} * 24 * 3600 * 1000;  // before a certificate expires
  uint64_t max_per_address = 0;  // connections, of all workers; 0: three quarters of all there may be

  struct Supervision {
    bool on = true;
    uint32_t crash_limit = 3;
    uint64_t crash_window_ms = 60'000;
    uint64_t restart_delay_ms = 10'000;  // the longest
  } supervision;

  std::vector<std::string> secret;  // names of settings that hold one
  worker::WorkerOptions worker;     // of each
  plugin::SharedOptions shared;
  json::Backend json_backend = json::Backend::Auto;
  log::Options log;
};

struct PluginDecl {
  std::string name;
  std::string file;
  Value config;  // a table, as the plugin reads it
  // Which plugin is to provide a service to this one, where several do: {"users/1", "directory"}.
  struct Choice {
    std::string service, provider;
    Place place;
  };
  std::vector<Choice> services;
  uint32_t concurrency = 0;  // requests that its handlers have at the same time; 0: any number
  Place place;
};

// A certificate for some names.
struct TlsDecl {
  std::vector<std::string> names;  // none: those that it is for itself
  std::string certificate, key;    // paths, or PEM; without a key, it is with the certificate
  std::string ocsp_response;       // a path; empty: none
  bool is_default = false;
  bool secret_key = false;  // the key is the text of a secret
  Place place, key_place, names_place, ocsp_place;
};

struct HostDecl {
  pipeline::HostSpec spec;  // without its listeners, and what becomes of slashes
  std::vector<net::Address> listeners;
  std::optional<pipeline::TrailingSlash> trailing_slash;  // none: Settings::trailing_slash
  Place listeners_place;
};

struct RedirectDecl {
  std::string target;  // as pipeline::Target reads it
  uint16_t status = 307;
  Place place;
};

struct RouteDecl {
  pipeline::RouteSpec spec;  // without a handler; where it has one, that stays
  // "demo" of "demo:json", and "json"; empty for a route without a handler.
  [[nodiscard]] std::string_view plugin() const {
    return std::string_view(spec.handler_name).substr(0, plugin_size);
  }
  [[nodiscard]] std::string_view handler() const {
    return plugin_size == 0 ? std::string_view()
                            : std::string_view(spec.handler_name).substr(plugin_size + 1);
  }
  size_t plugin_size = 0;  // in spec.handler_name, before a colon
  Place handler_place;
  std::unique_ptr<RedirectDecl> redirect;         // in place of a handler
  std::unique_ptr<handlers::FixedAnswer> answer;  // likewise
  std::vector<pipeline::ParameterSpec> parameters;
  std::unique_ptr<Value> parameter_tables;  // as they are written
  std::unique_ptr<cache::Policy> cache;     // its responses are stored
  uint32_t concurrency = 0;                 // requests that its handler has at the same time; 0: any number
  plugin::Executor executor = plugin::Executor::Worker;
  std::vector<std::string>
      allow;  // ranges of addresses, or "all": who may see what the daemon's own handler shows
};

struct Config {
  Settings settings;
  std::vector<PluginDecl> plugins;
  std::vector<pipeline::MiddlewareSpec> middleware;  // those of hosts and groups as well
  std::vector<TlsDecl> tls;
  std::vector<HostDecl> hosts;
  std::vector<uint32_t>
      shared_limits;  // requests that the handlers of a host's or a group's routes have at the same time
  // Of which there may be a great many: who takes them lets go of each as it takes it.
  std::list<RouteDecl> routes;

  std::vector<std::string> files;                     // in the order of reading
  std::map<std::string, Place, std::less<>> said_at;  // values of settings, by path, where they are set
  Secrets secrets;
  bool incomplete = false;  // a draft of which not all could be read: what seems to be missing may be there
};

// What the command line says against the file; as typed, each as a setting's value.
struct Overrides {
  std::vector<std::string> listen;  // replaces the file's list when not empty
  std::optional<std::string> workers;
  std::optional<std::string> engine;
  std::optional<std::string> log_level;
};

struct LoadResult {
  std::optional<Config> config;  // absent when any diagnostic is an error
  Diagnostics diagnostics;       // in the order of files and lines
};

// Reads `path` and what it includes. Writes nothing anywhere. `files` (file.h; may be null) are filled with
// what was read, or, where they were filled before, are read in its place. `draft` (may be null) gets what
// could be read of a configuration that is wrong: for others to find more mistakes in, and for nothing else.
LoadResult load(const std::string& path, const Overrides& overrides = {}, Files* files = nullptr,
                Config* draft = nullptr);

// What is said of a configuration as people are to see it: in the order of its files and lines, once, without
// what follows from another mistake, and without secrets.
void tidy(Diagnostics& diagnostics, const Config& config);

// Makes the paths in `config` that are not absolute ones below `folder`, where the process began.
void make_absolute(Config& config, const std::string& folder);

// Every socket that is listened on, with all that is said of it: those of server.listen, then the declared.
struct ListeningSocket {
  net::Address address;
  net::ListenOptions options;
  worker::ListenerOptions connections;
  Place place;
};
std::vector<ListeningSocket> listening_sockets(const Settings& settings);

// Puts what is running in place of those of `next` that only a start can take up, as their rows say. Returns the names of
// those that had changed: "server.workers".
std::vector<std::string> keep_fixed(Settings& next, const Settings& running);

}  // namespace leat::config

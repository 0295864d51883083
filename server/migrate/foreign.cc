#include "server/migrate/foreign.h"

#include <algorithm>
#include <span>

namespace leat::server::migrate {

namespace {

constexpr std::string_view kNoPassing =
    "Leat passes no requests on by itself: a plugin does, with leat.client, or the proxy in front";
constexpr std::string_view kNoFiles = "Leat serves no files by itself: a plugin does, or the proxy in front";
constexpr std::string_view kNoVariables = "there are no variables to make";
constexpr std::string_view kHttpAlone = "Leat speaks HTTP alone";

constexpr Foreign kNginxForeign[] = {
    {"include", "other files are not read: migrate it by itself, or put it in its place"},
    {"ssl", kTlsIsLeft},
    {"ssl_client_certificate", "`client_ca` of the [[listener]] names the authorities of clients"},
    {"ssl_trusted_certificate", "`client_ca` of the [[listener]] names the authorities of clients"},
    {"ssl_verify_client", "`client_certificate` of the [[listener]] says whether clients have to show one"},
    {"ssl_crl", "`client_crl` of the [[listener]] is the list of what is revoked"},
    {"ssl_session_ticket_key", "`server.tls_ticket_key_files` names such files"},
    {"ssl_stapling_file", "`ocsp_response` of the [[tls]] names it"},
    {"ssl_",
     "what TLS is spoken with are settings, server.tls_ciphers and the like, whose defaults suit most"},
    {"proxy_pass", kNoPassing},
    {"fastcgi_pass", kNoPassing},
    {"uwsgi_pass", kNoPassing},
    {"scgi_pass", kNoPassing},
    {"grpc_pass", kNoPassing},
    {"memcached_pass", kNoPassing},
    {"upstream", kNoPassing},
    {"proxy_", kNoPassing},
    {"fastcgi_", kNoPassing},
    {"uwsgi_", kNoPassing},
    {"root", kNoFiles},
    {"alias", kNoFiles},
    {"index", kNoFiles},
    {"try_files", kNoFiles},
    {"autoindex", kNoFiles},
    {"gzip_static", kNoFiles},
    {"if", "Leat has no conditions: routes have `when`, and middleware has some of its own"},
    {"map", kNoVariables},
    {"geo", kNoVariables},
    {"set", kNoVariables},
    {"split_clients", kNoVariables},
    {"auth_request_set", "middleware `forward_auth` gives fields of its answer on: see its `request_set`"},
    {"stream", kHttpAlone},
    {"mail", kHttpAlone},
    {"load_module", "modules of nginx are no plugins of Leat's"},
    {"limit_rate", "Leat sends as fast as a client reads"},
    {"limit_rate_after", "Leat sends as fast as a client reads"},
    {"satisfy", "a request has to pass all middleware of its route"},
    {"internal", "each route is for clients: give it middleware `access`"},
    {"sub_filter", "answers are not searched and replaced: middleware of a plugin does"},
    {"resolver", "names are resolved when the configuration is loaded, and later, by the system"},
};

// For nginx itself, or what Leat does anyway.
constexpr std::string_view kNginxOfNoUse[] = {"user",
                                              "pid",
                                              "http2",
                                              "sendfile",
                                              "tcp_nopush",
                                              "tcp_nodelay",
                                              "default_type",
                                              "server_tokens",
                                              "use",
                                              "multi_accept",
                                              "types",
                                              "charset",
                                              "daemon",
                                              "master_process",
                                              "worker_rlimit_nofile",
                                              "types_hash_max_size",
                                              "server_names_hash_bucket_size",
                                              "log_not_found",
                                              "limit_req_status",
                                              "limit_req_log_level",
                                              "reset_timedout_connection",
                                              "worker_cpu_affinity",
                                              "aio",
                                              "directio",
                                              "proxy_http_version",
                                              "real_ip_recursive",
                                              "gzip_disable",
                                              "gzip_vary",
                                              "gzip_proxied",
                                              "gzip_buffers",
                                              "gzip_http_version",
                                              "client_header_buffer_size",
                                              "client_body_buffer_size",
                                              "client_body_temp_path",
                                              "keepalive_disable",
                                              "lingering_close",
                                              "lingering_time",
                                              "lingering_timeout",
                                              "limit_conn_status",
                                              "limit_conn_log_level",
                                              "server_name_in_redirect",
                                              "port_in_redirect",
                                              "absolute_redirect",
                                              "variables_hash_max_size",
                                              "variables_hash_bucket_size",
                                              "map_hash_bucket_size",
                                              "open_file_cache",
                                              "open_file_cache_valid",
                                              "open_file_cache_min_uses",
                                              "open_file_cache_errors",
                                              "msie_padding",
                                              "etag",
                                              "if_modified_since",
                                              "merge_slashes",
                                              "worker_shutdown_timeout",
                                              "thread_pool",
                                              "proxy_intercept_errors"};

constexpr Foreign kCaddyForeign[] = {
    {"reverse_proxy", kNoPassing, true},
    {"php_fastcgi", kNoPassing, true},
    {"file_server", kNoFiles, true},
    {"root", kNoFiles},
    {"try_files", kNoFiles},
    {"templates", kNoFiles},
    {"tls", kTlsIsLeft},
    {"import", "other files and snippets with arguments are not read: put what they say in its place"},
    {"uri", "Leat changes no paths: a route takes the one that clients ask for"},
    {"method", "Leat changes no methods"},
    {"map", kNoVariables},
    {"vars", kNoVariables},
    {"intercept", "middleware `error_pages` with `handlers = true` has pages for what handlers answer"},
    {"abort", "middleware `access` answers 403"},
};
constexpr std::string_view kCaddyOfNoUse[] = {"order",      "email",          "admin",     "debug",
                                              "auto_https", "https_port",     "http_port", "skip_log",
                                              "log_skip",   "persist_config", "acme_ca",   "local_certs"};

std::optional<Foreign> find_foreign(std::string_view name, std::span<const Foreign> foreign,
                                    std::span<const std::string_view> of_no_use) {
  if (std::ranges::contains(of_no_use, name)) return Foreign{name, {}};
  const auto found = std::ranges::find_if(foreign, [&](const Foreign& each) {
    return each.name == name || (each.name.ends_with('_') && name.starts_with(each.name));
  });
  return found == foreign.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

std::optional<Foreign> foreign_to_nginx(std::string_view name) {
  return find_foreign(name, kNginxForeign, kNginxOfNoUse);
}
std::optional<Foreign> foreign_to_caddy(std::string_view name) {
  return find_foreign(name, kCaddyForeign, kCaddyOfNoUse);
}

}  // namespace leat::server::migrate

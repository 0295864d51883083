#include "server/migrate/nginx_foreign.h"

#include <algorithm>

namespace leat::server::migrate {

namespace {

constexpr std::string_view kTlsInFront =
    "Leat speaks no TLS yet: leave it to nginx, HAProxy or Caddy in front";
constexpr std::string_view kNoPassing =
    "Leat passes no requests on by itself: a plugin does, with leat.client, or nginx stays in front";
constexpr std::string_view kNoFiles =
    "Leat serves no files by itself: a plugin does, or nginx stays in front";
constexpr std::string_view kNoInclude =
    "other files are not read: migrate it by itself, or put it in its place";

// What has no counterpart, and why.
struct Foreign {
  std::string_view name;  // one that ends in an underscore stands for all that begin with it
  std::string_view why;
};
constexpr Foreign kForeign[] = {
    {"include", kNoInclude},
    {"ssl", kTlsInFront},
    {"ssl_", kTlsInFront},
    {"http2", "Leat speaks HTTP/1.1 with whoever stands in front"},
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

    {"if", "Leat has no conditions: middleware has some of its own"},
    {"map", "there are no variables to make"},
    {"geo", "there are no variables to make"},
    {"set", "there are no variables to make"},
    {"stream", "Leat speaks HTTP alone"},
    {"mail", "Leat speaks HTTP alone"},
    {"load_module", "modules of nginx are no plugins of Leat's"},
    {"limit_conn",
     "middleware `concurrency` bounds how many requests of a client or another key are under way"},
    {"expires", "middleware `headers` sets Cache-Control, and a handler knows better"},
    {"error_page", "middleware `error_pages` has pages for errors, with their text"},
};

// What is for nginx itself, or what Leat does anyway: nothing is lost without it.
constexpr std::string_view kOfNoUse[] = {"user",
                                         "pid",
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
                                         "gzip_http_version"};

}  // namespace

std::optional<std::string_view> nginx_foreign(std::string_view name) {
  if (std::ranges::contains(kOfNoUse, name)) return std::string_view();
  const auto* const found = std::ranges::find_if(kForeign, [&](const Foreign& each) {
    return each.name == name || (each.name.ends_with('_') && name.starts_with(each.name));
  });
  return found == std::end(kForeign) ? std::nullopt : std::optional(found->why);
}

}  // namespace leat::server::migrate

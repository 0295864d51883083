#include "config/foreign_keys.h"

#include <algorithm>
#include <initializer_list>

namespace leat::config {

namespace {

using Words = std::initializer_list<std::string_view>;

constexpr Words kAddress = {"address",   "addr", "bind", "host", "hostname",
                            "interface", "ip",   "port", "ports"};
constexpr Words kTls = {"acme", "cert", "certificate", "https", "ssl", "tls"};

bool is_tls(std::string_view key) {
  return std::ranges::contains(kTls, key) || key.starts_with("tls_") || key.starts_with("ssl_");
}

constexpr const char* kWhereTlsIs =
    "certificates are named in a [[tls]] of their own, and a [[listener]] with `tls = true` speaks it";

}  // namespace

std::string hint_for_server_key(std::string_view key) {
  if (is_tls(key)) return kWhereTlsIs;
  if (std::ranges::contains(kAddress, key))
    return R"(address and port are one text: `listen = ["127.0.0.1:8080"]` under [server])";
  return {};
}

std::string hint_for_listener_key(std::string_view key) {
  if (is_tls(key)) return kWhereTlsIs;
  if (std::ranges::contains(kAddress, key) || key == "listen")
    return R"(address and port are one text: `address = "127.0.0.1:8080"`)";
  return {};
}

std::string hint_for_route_key(std::string_view key) {
  if (is_tls(key)) return kWhereTlsIs;
  if (std::ranges::contains(Words{"domain", "host", "hostname", "server_name"}, key))
    return "the routes of a host stand in it: [[host]], and [[host.route]] for each";
  if (std::ranges::contains(Words{"location", "pattern", "uri", "url"}, key)) return "did you mean `path`?";
  return {};
}

}  // namespace leat::config

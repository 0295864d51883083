// What has no counterpart in Leat, of nginx and of Caddy, and why.
#pragma once

#include <optional>
#include <string_view>

namespace leat::server::migrate {

inline constexpr std::string_view kTlsIsLeft =
    "a [[tls]] names the certificate, and a [[listener]] with `tls = true` speaks it";

struct Foreign {
  std::string_view name;  // one that ends in an underscore stands for all that begin with it
  std::string_view why;   // empty: nothing is lost without it
  bool answers = false;   // it is what answers the requests that come to it
};

// Nothing for what is not known.
std::optional<Foreign> foreign_to_nginx(std::string_view name);
std::optional<Foreign> foreign_to_caddy(std::string_view name);

}  // namespace leat::server::migrate

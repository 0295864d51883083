// What a Caddyfile says once for all of a server's, and the addresses of its sites.
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/host_address.h"
#include "base/units.h"
#include "net/listener.h"
#include "pipeline/condition.h"
#include "server/migrate/caddy_carrier.h"
#include "server/migrate/caddy_values.h"
#include "server/migrate/foreign.h"
#include "server/migrate/nginx_values.h"

namespace leat::server::migrate {

void CaddyCarrier::carry_options(const Directive& options) {
  for (const Directive& each : options.block) {
    if (const auto foreign = foreign_to_caddy(each.name()); foreign && foreign->why.empty()) continue;
    if (each.name() == "servers")
      carry_servers(each);
    else if (each.name() == "grace_period")
      carry_time(each, each.word(0), "server", "drain_timeout");
    else if (each.name() == "log")
      carry_own_log(each);
    else
      target_.leave(each, "there is nothing like it in Leat");
  }
}

void CaddyCarrier::carry_servers(const Directive& servers) {
  for (const Directive& each : servers.block) {
    if (each.name() == "trusted_proxies") {
      carry_trusted(each);
    } else if (each.name() == "timeouts") {
      for (const Directive& timeout : each.block) carry_timeout(timeout);
    } else {
      target_.leave(each, "there is nothing like it in Leat");
    }
  }
}

void CaddyCarrier::carry_trusted(const Directive& directive) {
  if (directive.word(0) != "static") return target_.leave(directive, "proxies are named by their addresses");
  for (size_t i = 1; i < directive.count(); ++i) {
    if (directive.word(i) == "private_ranges") {
      for (const std::string_view range : kPrivateRanges)
        target_.add("server", "trusted_proxies", std::string(range));
    } else if (AddressRange::parse(directive.word(i))) {
      target_.add("server", "trusted_proxies", std::string(directive.word(i)));
    } else {
      target_.leave(directive, "names of proxies are not looked up: write their addresses");
    }
  }
}

void CaddyCarrier::carry_timeout(const Directive& directive) {
  struct Named {
    std::string_view caddy, leat;
  };
  constexpr Named kNames[] = {{"read_header", "head_timeout"},
                              {"read_body", "body_timeout"},
                              {"idle", "idle_timeout"},
                              {"write", "send_timeout"}};
  const auto* const named = std::ranges::find(kNames, directive.name(), &Named::caddy);
  if (named == std::end(kNames)) return target_.leave(directive, "there is nothing like it in Leat");
  carry_time(directive, directive.word(0), "limits", named->leat);
}

void CaddyCarrier::carry_time(const Directive& directive, std::string_view word, std::string_view table,
                              std::string_view key) {
  const auto ms = nginx_time(word);
  constexpr uint64_t kHour = 3'600'000;
  if (!ms || *ms == 0 || *ms > kHour)
    return target_.leave(directive, fmt::format("{}.{} is 1ms to 1h", table, key));
  target_.set(table, key, text(duration_text(*ms)), directive);
}

void CaddyCarrier::carry_own_log(const Directive& directive) {
  for (const Directive& each : directive.block) {
    const std::string level = each.name() == "level" ? lower_case(each.word(0)) : "";
    if (std::ranges::contains(std::array<std::string_view, 4>{"debug", "info", "warn", "error"}, level))
      target_.set("log", "level", text(level), each);
    else if (each.name() == "format" && (each.word(0) == "json" || each.word(0) == "console"))
      target_.set("log", "format", text(each.word(0) == "json" ? "json" : "text"), each);
    else if (each.name() == "output" && each.word(0) == "file" && each.word(1).starts_with('/'))
      target_.set("log", "file", text(each.word(1)), each);
    else if (each.name() != "output" || each.word(0) != "stderr")
      target_.leave(each, "the log goes to stderr or into a file with an absolute path, as text or JSON");
  }
}

CaddyAddress CaddyCarrier::read_address(std::string_view address) {
  CaddyAddress read;
  while (address.ends_with(',')) address.remove_suffix(1);
  read.plain = address.starts_with("http://");
  if (const size_t scheme = address.find("://"); scheme != std::string_view::npos)
    address.remove_prefix(scheme + 3);
  const size_t path = address.find('/');
  read.has_path = path != std::string_view::npos;
  address = address.substr(0, path);
  const size_t colon = address.rfind(':');
  const bool has_port = colon != std::string_view::npos && !address.ends_with(']');
  read.name = lower_case(has_port ? address.substr(0, colon) : address);
  const std::string_view port = has_port ? address.substr(colon + 1) : read.plain ? "80" : "";
  read.has_port = !port.empty();
  if (std::string own = fmt::format("*:{}", port); read.has_port && net::Address::parse(own))
    read.listened = std::move(own);
  return read;
}

std::vector<std::string> CaddyCarrier::listeners_of(const Directive& site) const {
  std::vector<std::string> own;
  for (const std::string& word : site.words) {
    const CaddyAddress address = read_address(word);
    const std::string tls = address.plain ? std::string() : tls_address(address);
    const std::string& at = by_tls_.contains(tls) ? tls : address.listened;
    // What stands in front may send it to any.
    if (at.empty() && !address.name.empty()) return {};
    if (!at.empty() && !std::ranges::contains(own, at)) own.push_back(at);
  }
  return own.size() == listened_.size() ? std::vector<std::string>() : own;
}

// `certified`: its site has a certificate. `whys`: what is to be said of it, once.
void CaddyCarrier::carry_address(const CaddyAddress& address, bool certified, std::vector<std::string>& names,
                                 std::vector<std::string_view>& whys) {
  const auto say = [&](std::string_view why) {
    if (!std::ranges::contains(whys, why)) whys.push_back(why);
  };
  if (address.has_path) say("a path belongs to a route");
  const std::string tls = address.plain ? std::string() : tls_address(address);
  if (!tls.empty() && by_tls_.contains(tls)) {
    if (spoken_.insert(tls).second) target_.add_listener({{"address", text(tls)}, {"tls", "true"}});
  }
  if (!address.name.empty() && !address.plain && !certified) say(kTlsIsLeft);
  if (!address.name.empty() && address.name != "localhost") {
    if (!pipeline::HostPattern::parse(address.name))
      say("a host has whole names, or all below one: *.example.org");
    else if (!std::ranges::contains(names, address.name))
      names.push_back(address.name);
  }
  if (!address.has_port) return;
  if (address.listened.empty()) return say("this is no address that Leat can listen on");
  if (!by_tls_.contains(address.listened)) target_.add("server", "listen", address.listened);
}

bool CaddyCarrier::is_certificate(const Directive& directive) {
  return directive.name() == "tls" && directive.word(0).starts_with('/') &&
         directive.word(1).starts_with('/');
}

const Directive* CaddyCarrier::certificate_of(const Directive& site) {
  const auto found = std::ranges::find_if(site.block, is_certificate);
  return found == site.block.end() ? nullptr : &*found;
}

std::string CaddyCarrier::tls_address(const CaddyAddress& address) {
  return address.has_port ? address.listened : "*:443";
}

void CaddyCarrier::add_certificate(const Directive& site, const std::vector<std::string>& names) {
  const Directive* const files = certificate_of(site);
  if (files == nullptr) return;
  std::vector<std::string> own;
  for (const std::string& each : names)
    if (certified_.insert(each).second) own.push_back(each);
  if (own.empty() && !names.empty()) return;
  Keys keys = {{"certificate", text(files->word(0))}, {"key", text(files->word(1))}};
  if (!own.empty()) keys.emplace_back("names", list(own));
  target_.add_certificate(std::move(keys));
  if (files->count() > 2 || files->braces)
    target_.leave(
        *files,
        "what TLS is spoken with are settings, server.tls_ciphers and the like, whose defaults suit most");
}

}  // namespace leat::server::migrate

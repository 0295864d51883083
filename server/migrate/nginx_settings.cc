// What a configuration of nginx says once for all of a server's: addresses, limits, proxies and logs.
#include <fmt/core.h>

#include <algorithm>
#include <expected>
#include <utility>

#include "base/host_address.h"
#include "base/text.h"
#include "base/units.h"
#include "net/listener.h"
#include "server/migrate/foreign.h"
#include "server/migrate/nginx_carrier.h"
#include "server/migrate/nginx_values.h"

namespace leat::server::migrate {

namespace {

// What `listen` says, or why it cannot be.
struct Listening {
  std::string address;
  bool proxies = false, tls = false;
};
std::expected<Listening, std::string_view> listening(const Directive& directive, bool trusts,
                                                     bool certified) {
  bool proxies = false, tls = false;
  for (size_t i = 1; i < directive.count(); ++i) {
    const std::string_view word = directive.word(i);
    if (word == "quic") return std::unexpected("HTTP/3 is not spoken");
    tls = tls || word == "ssl";
    proxies = proxies || word == "proxy_protocol";
  }
  if (tls && !certified) return std::unexpected(kTlsIsLeft);
  if (proxies && !trusts)
    return std::unexpected(
        "a [[listener]] with `proxy_protocol = true` is it, and `trusted_proxies`, which says who may "
        "connect");
  std::string address = nginx_address(directive.word(0));
  if (!net::Address::parse(address)) return std::unexpected("this is no address that Leat can listen on");
  // All addresses are those of IPv6 as well.
  if (address.starts_with("[::]:")) address = fmt::format("*:{}", address.substr(5));
  return Listening{std::move(address), proxies, tls};
}

bool is_certificate_path(std::string_view path) { return path.starts_with('/') && !path.contains('$'); }

// Where what is sent to `address` comes in, of those that are listened on: there, or at all addresses with its port. Empty:
// it is all of them, and one is listened on already.
std::string comes_in(const std::vector<std::string>& listened, const std::string& address) {
  if (address.starts_with("unix:") || std::ranges::contains(listened, address)) return address;
  const std::string all = fmt::format("*:{}", address.substr(address.rfind(':') + 1));
  if (std::ranges::contains(listened, all)) return all;
  const bool part = address == all && std::ranges::any_of(listened, [&](const std::string& each) {
                      return !each.starts_with("unix:") && each.ends_with(all.substr(1));
                    });
  return part ? std::string() : address;
}

}  // namespace

// A certificate with its key, on one level, anywhere.
bool NginxCarrier::has_certificate(const std::vector<Directive>& directives) {
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(directives, [&](const Directive& each) {
      return each.name() == name && is_certificate_path(each.word(0));
    });
  };
  return (has("ssl_certificate") && has("ssl_certificate_key")) ||
         std::ranges::any_of(directives, [](const Directive& each) { return has_certificate(each.block); });
}

void NginxCarrier::gather_listening(const Directive& server) {
  std::vector<std::string> own;
  for (const Directive& each : server.block)
    if (each.name() == "listen")
      if (const auto said = listening(each, true, certified_))
        if (std::string at = comes_in(arriving_, said->address); !at.empty()) {
          if (!std::ranges::contains(arriving_, at)) arriving_.push_back(at);
          if (!std::ranges::contains(own, at)) own.push_back(std::move(at));
        }
  if (!own.empty()) arriving_by_.emplace(&server, std::move(own));
}

void NginxCarrier::carry_listen(const Directive& directive, NginxLevel& level) {
  const auto said = listening(directive, trusts_, certified_);
  if (!said) return target_.leave(directive, said.error());
  const std::string at = comes_in(listened_, said->address);
  if (at.empty())
    return target_.leave(directive,
                         "another address with this port is listened on already, which is part of it");
  if (at != said->address) {
    const bool own =
        level.server != nullptr && std::ranges::any_of(level.server->block, [&](const Directive& each) {
          if (each.name() != "listen") return false;
          const auto beside = listening(each, trusts_, certified_);
          return beside && beside->address == at;
        });
    if (!own)
      target_.leave(directive,
                    fmt::format("it is part of {}, and what is for one of them is for both here", at));
    return;
  }
  if (std::ranges::contains(listened_, at)) {
    if (said->tls != std::ranges::contains(listened_by_tls_, at))
      target_.leave(directive,
                    "a listener speaks TLS with all or with nobody, and another server has said which");
    return;
  }
  listened_.push_back(at);
  if (said->tls) listened_by_tls_.push_back(at);
  if (!said->proxies && !said->tls) return target_.add("server", "listen", at);
  Keys keys = {{"address", text(at)}};
  if (said->tls) keys.emplace_back("tls", "true");
  if (said->proxies) keys.emplace_back("proxy_protocol", "true");
  target_.add_listener(std::move(keys));
}

void NginxCarrier::carry_certificate(const Directive& directive, NginxLevel& level) {
  if (!is_certificate_path(directive.word(0)))
    return target_.leave(directive, "a [[tls]] names files that lie still, by their whole paths");
  (directive.name() == "ssl_certificate" ? level.certificates : level.keys).push_back(&directive);
}

// Of a server that has read all it says. Where it names none, those around it are its own.
void NginxCarrier::add_certificates(const NginxLevel& level) {
  const Directive& server = *level.server;
  const auto speaks = [](const Directive& each) {
    return each.name() == "listen" && std::ranges::contains(each.words, "ssl");
  };
  const NginxLevel* const from =
      nearest(level, [](const NginxLevel& at) { return !at.certificates.empty() || !at.keys.empty(); });
  if (from == nullptr || std::ranges::none_of(server.block, speaks)) return;
  // Its own, also where it goes on with another server's host.
  const std::vector<std::string> all = names_of(server, nullptr);
  std::vector<std::string> names;
  for (const std::string& each : all)
    if (certified_names_.insert(each).second) names.push_back(each);
  if (names.empty() && !all.empty())
    return target_.leave(*(from->certificates.empty() ? from->keys : from->certificates).front(),
                         "another server has its names already, and a name has one certificate of a kind");
  const bool first = std::ranges::any_of(server.block, [&](const Directive& each) {
    return speaks(each) && std::ranges::contains(each.words, "default_server");
  });
  const bool is_default = first && !std::exchange(default_certified_, default_certified_ || first);
  for (size_t i = 0; i < std::max(from->certificates.size(), from->keys.size()); ++i) {
    if (i >= from->certificates.size() || i >= from->keys.size()) {
      target_.leave(*(i < from->keys.size() ? from->keys : from->certificates)[i],
                    "a [[tls]] has a certificate and its key");
      continue;
    }
    Keys keys = {{"certificate", text(from->certificates[i]->word(0))},
                 {"key", text(from->keys[i]->word(0))}};
    if (!names.empty()) keys.emplace_back("names", list(names));
    if (is_default) keys.emplace_back("default", "true");
    target_.add_certificate(std::move(keys));
  }
}

void NginxCarrier::carry_versions(const Directive& directive, NginxLevel&) {
  bool older = false, former = false, newest = false;
  for (size_t i = 0; i < directive.count(); ++i) {
    former = former || directive.word(i) == "TLSv1.2";
    newest = newest || directive.word(i) == "TLSv1.3";
    older = older || (directive.word(i) != "TLSv1.2" && directive.word(i) != "TLSv1.3");
  }
  if (!newest)
    return target_.leave(directive, "TLS 1.3 is spoken in any case: server.tls_min_version is the oldest");
  target_.set("server", "tls_min_version", text(former ? "1.2" : "1.3"), directive);
  if (older) target_.leave(directive, "older versions than TLS 1.2 are not spoken");
}

void NginxCarrier::carry_trusted(const Directive& directive, NginxLevel&) {
  const std::string said(directive.word(0) == "unix:" ? "unix" : directive.word(0));
  if (!AddressRange::parse(said))
    return target_.leave(directive, "names of proxies are not looked up: write their addresses");
  target_.add("server", "trusted_proxies", said);
}

void NginxCarrier::carry_real_ip_header(const Directive& directive, NginxLevel&) {
  if (equal_ignoring_case(directive.word(0), "X-Forwarded-For"))
    return target_.add("server", "proxy_fields", "x-forwarded-for");
  // What the header of such a listener says is who it is, anyway.
  if (equal_ignoring_case(directive.word(0), "proxy_protocol")) return;
  target_.leave(directive, "Leat believes X-Forwarded-For or Forwarded: see server.proxy_fields");
}

void NginxCarrier::carry_workers(const Directive& directive, NginxLevel&) {
  const auto count = parse_number<int64_t>(directive.word(0));
  if (directive.word(0) != "auto" && (!count || *count < 1 || *count > 1024))
    return target_.leave(directive, "server.workers is a number up to 1024, or auto");
  target_.set("server", "workers", count ? std::to_string(*count) : text("auto"), directive);
}

void NginxCarrier::carry_connections(const Directive& directive, NginxLevel&) {
  const auto count = parse_number<int64_t>(directive.word(0));
  if (!count || *count < 1 || *count > 1'000'000)
    return target_.leave(directive, "limits.connections is a number up to a million");
  target_.set("limits", "connections", std::to_string(*count), directive);
}

void NginxCarrier::carry_keepalive_requests(const Directive& directive, NginxLevel&) {
  const auto count = parse_number<int64_t>(directive.word(0));
  if (!count || *count < 1)
    return target_.leave(directive, "limits.requests_per_connection is a number from 1 on");
  target_.set("limits", "requests_per_connection", std::to_string(*count), directive);
}

void NginxCarrier::carry_body(const Directive& directive, NginxLevel& level) {
  const auto bytes = nginx_size(directive.word(0));
  if (!bytes) return target_.leave(directive, "this is no size, or a larger one than Leat takes");
  if (*bytes == 0)
    return target_.leave(directive, "a body has a limit: limits.body, or body_limit of a route");
  if (level.outside == nullptr)
    target_.set("limits", "body", text(size_text(*bytes)), directive);
  else
    level.body = text(size_text(*bytes));
}

void NginxCarrier::carry_head(const Directive& directive, NginxLevel&) {
  const auto number = parse_number<uint64_t>(directive.word(0));
  const auto bytes = nginx_size(directive.word(1));
  constexpr uint64_t kMostLine = uint64_t{64} << 10, kMostHead = uint64_t{1} << 20;
  if (!number || !bytes || *number == 0 || *number > 1000 || *bytes < 256 || *bytes > kMostLine ||
      *number * *bytes > kMostHead)
    return target_.leave(directive, "limits.request_line is 64B to 64KiB, limits.headers 256B to 1MiB");
  target_.set("limits", "request_line", text(size_text(*bytes)), directive);
  target_.set("limits", "headers", text(size_text(*number * *bytes)), directive);
}

void NginxCarrier::carry_timeout(const Directive& directive, NginxLevel&) {
  struct Named {
    std::string_view nginx, leat;
  };
  constexpr Named kNames[] = {{"client_header_timeout", "head_timeout"},
                              {"client_body_timeout", "body_timeout"},
                              {"keepalive_timeout", "idle_timeout"},
                              {"send_timeout", "send_timeout"}};
  const auto* const named = std::ranges::find(kNames, directive.name(), &Named::nginx);
  const auto ms = nginx_time(directive.word(0));
  constexpr uint64_t kHour = 3'600'000;
  if (!ms || *ms == 0 || *ms > kHour)
    return target_.leave(directive, fmt::format("limits.{} is 1ms to 1h", named->leat));
  target_.set("limits", named->leat, text(duration_text(*ms)), directive);
}

void NginxCarrier::carry_access_log(const Directive& directive, NginxLevel& level) {
  level.logs = true;
  const std::string_view where = directive.word(0);
  if (where == "off") return;
  Keys options;
  if (where.starts_with("syslog:")) {
    options.emplace_back("to", text("syslog"));
  } else if (where == "/dev/stdout" || where == "/dev/stderr") {
    options.emplace_back("to", text("stderr"));
  } else if (!where.starts_with('/') || where.contains('$')) {
    return target_.leave(directive, "a log has one absolute path");
  } else {
    options.emplace_back("file", text(where));
  }
  const std::string_view format = directive.word(1);
  if (format.empty() || format == "combined" || format.contains('=')) {
    options.emplace_back("format", text("combined"));
  } else if (const auto found = formats_.find(format); found != formats_.end()) {
    const auto told = nginx_log_format(*found->second);
    if (!told) target_.leave(*found->second, fmt::format("{}; the log is `combined` for now", told.error()));
    options.emplace_back("format", text(told.value_or("combined")));
  } else {
    return target_.leave(directive, "there is no log_format of this name");
  }
  level.access_logs.push_back({"access_log", std::move(options)});
}

void NginxCarrier::carry_error_log(const Directive& directive, NginxLevel&) {
  const std::string_view where = directive.word(0), level = directive.word(1);
  if (where.starts_with('/') && !where.starts_with("/dev/"))
    target_.set("log", "file", text(where), directive);
  else if (where != "stderr" && !where.starts_with("/dev/"))
    return target_.leave(directive, "the log goes to stderr or into a file with an absolute path");
  if (level.empty()) return;
  const std::string_view own = level == "debug"                       ? "debug"
                               : level == "info" || level == "notice" ? "info"
                               : level == "warn"                      ? "warn"
                                                                      : "error";
  target_.set("log", "level", text(own), directive);
}

}  // namespace leat::server::migrate

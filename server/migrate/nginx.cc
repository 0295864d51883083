#include "server/migrate/nginx.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/host_address.h"
#include "base/text.h"
#include "base/units.h"
#include "net/listener.h"
#include "pipeline/condition.h"
#include "server/migrate/nginx_answers.h"
#include "server/migrate/nginx_foreign.h"
#include "server/migrate/nginx_values.h"
#include "server/migrate/places.h"

namespace leat::server::migrate {

namespace {

constexpr std::string_view kNoTls = "Leat speaks no TLS yet: leave it to nginx, HAProxy or Caddy in front";

// What stands on one level and holds for those in it that say nothing else.
struct NginxLevel {
  const NginxLevel* outside = nullptr;
  std::optional<std::string> body;
  std::vector<Instance> access_logs;
  bool logs = false;  // access_log stands here, and be it `off`
  std::vector<std::string> rules;
  std::string otherwise;
  std::vector<Instance> rates;
  std::vector<std::string> always, on_success, to_handlers;  // fields
  std::optional<bool> packs;                                 // gzip
  std::vector<std::string> packed;                           // gzip_types
  std::optional<std::string> least_packed, pack_level;       // gzip_min_length, gzip_comp_level
  std::optional<std::string> realm, passwords;  // auth_basic, auth_basic_user_file; `off` is a realm
  std::vector<std::string> names;               // of a server
  std::optional<RoutePlace> place;              // of a location
  Keys answers;
  bool returned = false;
};

class NginxCarrier {
 public:
  explicit NginxCarrier(Target& target) : target_(target) {}

  void run(const std::vector<Directive>& directives) {
    gather(directives);
    NginxLevel main;
    for (const Directive& each : directives) carry(each, main);
  }

 private:
  // What may be used before it stands there.
  void gather(const std::vector<Directive>& directives) {
    for (const Directive& each : directives) {
      if (each.name() == "limit_req_zone") zones_.try_emplace(zone_name(each), &each);
      if (each.name() == "log_format" && each.count() > 1)
        formats_.try_emplace(std::string(each.word(0)), &each);
      gather(each.block);
    }
  }
  static std::string zone_name(const Directive& zone) {
    const std::string_view said = parameter(zone, "zone=");
    return std::string(said.substr(0, said.find(':')));
  }
  // What follows `begin` in one of the words.
  static std::string_view parameter(const Directive& directive, std::string_view begin) {
    for (size_t i = 0; i < directive.count(); ++i)
      if (directive.word(i).starts_with(begin)) return directive.word(i).substr(begin.size());
    return {};
  }

  using Carry = void (NginxCarrier::*)(const Directive&, NginxLevel&);
  struct Known {
    std::string_view name;
    Carry carry;
  };
  static constexpr auto known() {
    using C = NginxCarrier;
    return std::to_array<Known>({
        {"http", &C::carry_all},
        {"events", &C::carry_all},
        {"server", &C::carry_server},
        {"location", &C::carry_location},
        {"listen", &C::carry_listen},
        {"server_name", &C::carry_nothing},
        {"return", &C::carry_return},
        {"rewrite", &C::carry_rewrite},
        {"stub_status", &C::carry_stub_status},
        {"worker_processes", &C::carry_workers},
        {"worker_connections", &C::carry_connections},
        {"client_max_body_size", &C::carry_body},
        {"client_header_timeout", &C::carry_timeout},
        {"client_body_timeout", &C::carry_timeout},
        {"keepalive_timeout", &C::carry_timeout},
        {"send_timeout", &C::carry_timeout},
        {"keepalive_requests", &C::carry_keepalive_requests},
        {"allow", &C::carry_rule},
        {"deny", &C::carry_rule},
        {"limit_req", &C::carry_rate},
        {"limit_req_zone", &C::carry_nothing},
        {"log_format", &C::carry_nothing},
        {"access_log", &C::carry_access_log},
        {"error_log", &C::carry_error_log},
        {"add_header", &C::carry_answer_field},
        {"proxy_set_header", &C::carry_request_field},
        {"gzip", &C::carry_packing},
        {"gzip_types", &C::carry_packing},
        {"gzip_min_length", &C::carry_packing},
        {"gzip_comp_level", &C::carry_packing},
        {"auth_basic", &C::carry_passwords},
        {"auth_basic_user_file", &C::carry_passwords},
        {"set_real_ip_from", &C::carry_trusted},
        {"real_ip_header", &C::carry_real_ip_header},
    });
  }

  void carry(const Directive& directive, NginxLevel& level) {
    for (const Known& each : known())
      if (each.name == directive.name()) return (this->*each.carry)(directive, level);
    const auto why = nginx_foreign(directive.name());
    if (!why) return target_.leave(directive, "there is nothing like it in Leat");
    if (!why->empty()) target_.leave(directive, *why);
  }
  void carry_nothing(const Directive&, NginxLevel&) {}
  void carry_all(const Directive& directive, NginxLevel& level) {
    for (const Directive& each : directive.block) carry(each, level);
  }

  // --- Servers and locations

  static bool makes_route(const Directive& directive) {
    return directive.name() == "location" || directive.name() == "return" || directive.name() == "rewrite";
  }

  // All but what makes routes comes first: it holds for them wherever it stands.
  void carry_server(const Directive& server, NginxLevel& outside) {
    NginxLevel level{.outside = &outside};
    level.names = begin_host(server);
    for (const Directive& each : server.block)
      if (!makes_route(each)) carry(each, level);
    size_t routes = 0;
    for (const Directive& each : server.block)
      if (makes_route(each)) {
        carry(each, level);
        ++routes;
      }
    if (routes == 0) add_route(level, {"prefix", "/"}, {});
  }

  // Names that a host cannot have are told.
  std::vector<std::string> begin_host(const Directive& server) {
    std::vector<std::string> names;
    std::vector<std::pair<const Directive*, std::string_view>> others;
    for (const Directive& each : server.block)
      for (size_t i = 0; each.name() == "server_name" && i < each.count(); ++i) {
        std::string name(each.word(i));
        if (name == "_" || name.empty()) continue;
        if (name.starts_with('.')) {
          names.push_back(name.substr(1));
          name.insert(0, 1, '*');
        }
        std::ranges::transform(name, name.begin(), ascii_lower);
        if (!pipeline::HostPattern::parse(name))
          others.emplace_back(&each, "a host has whole names, or all below one: *.example.org");
        else if (!std::ranges::contains(names, name))
          names.push_back(std::move(name));
      }
    // A name is one host's: that of the first server which has it.
    for (const std::string& name : names)
      if (const auto found = hosts_.find(name); found != hosts_.end()) {
        target_.begin_host(found->second);
        for (const auto& [directive, why] : others) target_.leave(*directive, why);
        target_.remark(fmt::format("--- goes on with the server at line {}", server.line));
        return found->second;
      }
    for (const std::string& name : names) hosts_.try_emplace(name, names);
    target_.begin_host(names);
    target_.remark(fmt::format("--- the server at line {}", server.line));
    for (const auto& [directive, why] : others) target_.leave(*directive, why);
    return names;
  }

  void add_route(const NginxLevel& level, RoutePlace place, Keys answers) {
    Route route = route_of(level);
    route.places.push_back(std::move(place));
    route.answers = std::move(answers);
    target_.add_route(std::move(route));
  }

  void carry_location(const Directive& location, NginxLevel& outside) {
    if (location.count() == 0) return target_.leave(location, "a location has a path");
    const bool exact = location.word(0) == "=";
    const bool modified = exact || location.word(0) == "^~";
    const std::string_view path = location.word(modified ? 1 : 0);
    if (path.starts_with('~'))
      return target_.leave_all(location,
                               "Leat has no regular expressions for paths: write routes with {name} for it");
    if (path.starts_with('@')) return target_.leave_all(location, "Leat has no named locations");
    const auto place = route_place(path, exact);
    if (!place) return target_.leave_all(location, "a route's path cannot be written like this");
    NginxLevel level{.outside = &outside};
    level.place = place;
    for (const Directive& each : location.block)
      if (!makes_route(each)) carry(each, level);
    for (const Directive& each : location.block)
      if (makes_route(each) && each.name() != "location") carry(each, level);
    // Where a return stands, nothing else answers.
    if (!level.returned) add_route(level, *place, std::move(level.answers));
    for (const Directive& each : location.block)
      if (each.name() == "location") carry_location(each, level);
  }
  void carry_stub_status(const Directive& directive, NginxLevel& level) {
    if (!level.place) return target_.leave(directive, "it belongs into a location");
    level.answers = {{"handler", text("leat:metrics")}};
  }
  void carry_return(const Directive& directive, NginxLevel& level) {
    const NginxLevel* named = nearest(level, [](const NginxLevel& each) { return !each.names.empty(); });
    if (leads_to_https(directive.word(directive.count() > 1 ? 1 : 0),
                       named != nullptr ? named->names : std::vector<std::string>()))
      return target_.leave(directive, "whoever speaks TLS in front of Leat sends clients there");
    const RoutePlace place = level.place.value_or(RoutePlace{"prefix", "/"});
    auto answers = nginx_return(directive, place);
    if (!answers) return target_.leave(directive, answers.error());
    add_route(level, place, *std::move(answers));
    level.returned = true;
  }
  void carry_rewrite(const Directive& directive, NginxLevel& level) {
    auto rewritten = nginx_rewrite(directive);
    if (!rewritten) return target_.leave(directive, rewritten.error());
    add_route(level, std::move(rewritten->place), std::move(rewritten->answers));
  }
  // Of a block that is not looked into.
  // The nearest level that says it.
  template <class Says>
  static const NginxLevel* nearest(const NginxLevel& level, Says says) {
    for (const NginxLevel* at = &level; at != nullptr; at = at->outside)
      if (says(*at)) return at;
    return nullptr;
  }

  static Route route_of(const NginxLevel& level) {
    Route route;
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.logs; }))
      std::ranges::copy(at->access_logs, std::back_inserter(route.instances));
    if (const auto* at = nearest(
            level, [](const NginxLevel& each) { return !each.rules.empty() || !each.otherwise.empty(); })) {
      Keys options = {{"default", text(at->otherwise.empty() ? "allow" : at->otherwise)}};
      std::string rules;
      for (const std::string& each : at->rules) rules += each + ", ";
      if (!at->rules.empty()) options.emplace_back("rules", "[" + rules + "]");
      route.instances.push_back({"access", std::move(options)});
    }
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.rates.empty(); }))
      std::ranges::copy(at->rates, std::back_inserter(route.instances));
    if (const auto* at = nearest(
            level, [](const NginxLevel& each) { return !each.always.empty() || !each.on_success.empty(); })) {
      if (!at->always.empty()) route.instances.push_back({"headers", {{"answer_add", list(at->always)}}});
      if (!at->on_success.empty())
        route.instances.push_back(
            {"headers",
             {{"answer_add", list(at->on_success)},
              {"if_status", list({"200", "201", "204", "206", "301-304", "307", "308"})}}});
    }
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.to_handlers.empty(); }))
      route.instances.push_back({"headers", {{"request_set", list(at->to_handlers)}}});
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.packs.has_value(); });
        at != nullptr && *at->packs)
      route.instances.push_back({"compress", packing_of(level)});
    const auto* realm = nearest(level, [](const NginxLevel& each) { return each.realm.has_value(); });
    const auto* passwords = nearest(level, [](const NginxLevel& each) { return each.passwords.has_value(); });
    if (realm != nullptr && passwords != nullptr && *realm->realm != "off")
      route.instances.push_back(
          {"basic_auth", {{"file", text(*passwords->passwords)}, {"realm", text(*realm->realm)}}});
    // What all servers have is a setting.
    const auto* at = nearest(level, [](const NginxLevel& each) { return each.body.has_value(); });
    if (at != nullptr && at->outside != nullptr && *at->body != text("0B"))
      route.keys.emplace_back("body_limit", *at->body);
    return route;
  }

  static Keys packing_of(const NginxLevel& level) {
    Keys options;
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return !each.packed.empty(); }))
      options.emplace_back("types", list(at->packed));
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.least_packed.has_value(); }))
      options.emplace_back("least", *at->least_packed);
    if (const auto* at = nearest(level, [](const NginxLevel& each) { return each.pack_level.has_value(); }))
      options.emplace_back("gzip_level", *at->pack_level);
    return options;
  }

  // --- Where

  void carry_listen(const Directive& directive, NginxLevel&) {
    for (size_t i = 1; i < directive.count(); ++i) {
      const std::string_view word = directive.word(i);
      if (word == "ssl" || word == "quic") return target_.leave(directive, kNoTls);
      if (word == "proxy_protocol")
        return target_.leave(directive,
                             "a [[listener]] with `proxy_protocol = true` and `trusted_proxies` is it");
    }
    std::string address = nginx_address(directive.word(0));
    const auto parsed = net::Address::parse(address);
    if (!parsed) return target_.leave(directive, "this is no address that Leat can listen on");
    // All addresses are those of IPv6 as well.
    const std::string_view port = std::string_view(address).substr(address.rfind(':') + 1);
    if (address.starts_with("[::]:")) address = fmt::format("*:{}", port);
    const std::string all = fmt::format("*:{}", port);
    if (parsed->kind != net::Address::Kind::Unix) {
      if (address != all && std::ranges::contains(listened_, all)) return;
      if (address == all && std::ranges::any_of(listened_, [&](const std::string& each) {
            return each != all && each.ends_with(all.substr(1));
          }))
        return target_.leave(directive,
                             "another address with this port is listened on already, which is part of it");
    }
    listened_.push_back(address);
    target_.add("server", "listen", address);
  }

  void carry_trusted(const Directive& directive, NginxLevel&) {
    const std::string said(directive.word(0) == "unix:" ? "unix" : directive.word(0));
    if (!AddressRange::parse(said))
      return target_.leave(directive, "names of proxies are not looked up: write their addresses");
    target_.add("server", "trusted_proxies", said);
  }
  void carry_real_ip_header(const Directive& directive, NginxLevel&) {
    if (equal_ignoring_case(directive.word(0), "X-Forwarded-For"))
      return target_.add("server", "proxy_fields", "x-forwarded-for");
    target_.leave(directive, equal_ignoring_case(directive.word(0), "proxy_protocol")
                                 ? "a [[listener]] with `proxy_protocol = true` is it"
                                 : "Leat believes X-Forwarded-For or Forwarded: see server.proxy_fields");
  }

  // --- How much

  void carry_workers(const Directive& directive, NginxLevel&) {
    const auto count = parse_number<int64_t>(directive.word(0));
    if (directive.word(0) != "auto" && (!count || *count < 1 || *count > 1024))
      return target_.leave(directive, "server.workers is a number up to 1024, or auto");
    target_.set("server", "workers", count ? std::to_string(*count) : text("auto"), directive);
  }
  void carry_connections(const Directive& directive, NginxLevel&) {
    const auto count = parse_number<int64_t>(directive.word(0));
    if (!count || *count < 1 || *count > 1'000'000)
      return target_.leave(directive, "limits.connections is a number up to a million");
    target_.set("limits", "connections", std::to_string(*count), directive);
  }
  void carry_keepalive_requests(const Directive& directive, NginxLevel&) {
    const auto count = parse_number<int64_t>(directive.word(0));
    if (!count || *count < 1)
      return target_.leave(directive, "limits.requests_per_connection is a number from 1 on");
    target_.set("limits", "requests_per_connection", std::to_string(*count), directive);
  }
  void carry_body(const Directive& directive, NginxLevel& level) {
    const auto bytes = nginx_size(directive.word(0));
    if (!bytes) return target_.leave(directive, "this is no size, or a larger one than Leat takes");
    if (*bytes == 0)
      return target_.leave(directive, "a body has a limit: limits.body, or body_limit of a route");
    if (level.outside == nullptr)
      target_.set("limits", "body", text(size_text(*bytes)), directive);
    else
      level.body = text(size_text(*bytes));
  }
  void carry_timeout(const Directive& directive, NginxLevel&) {
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

  // --- Who, and how often

  void carry_rule(const Directive& directive, NginxLevel& level) {
    // What stands behind one for all says nothing.
    if (!level.otherwise.empty()) return;
    if (directive.word(0) == "all") {
      level.otherwise = directive.name();
      return;
    }
    const std::string who(directive.word(0) == "unix:" ? "unix" : directive.word(0));
    if (!AddressRange::parse(who))
      return target_.leave(directive, "names are not looked up: write addresses");
    level.rules.push_back(fmt::format("{{action = {}, client = {}}}", text(directive.name()), list({who})));
  }

  void carry_rate(const Directive& directive, NginxLevel& level) {
    const auto zone = zones_.find(parameter(directive, "zone="));
    if (zone == zones_.end()) return target_.leave(directive, "there is no limit_req_zone of this name");
    const Directive& told = *zone->second;
    const auto rate = nginx_rate(parameter(told, "rate="));
    const auto key = nginx_rate_key(told.word(0));
    if (!rate) return target_.leave(told, "this is no rate");
    if (!key) return target_.leave(told, "Leat counts by client, host, or a header field");
    Keys options = {{"rate", text(rate->text)}};
    uint64_t burst = 0;
    if (const std::string_view said = parameter(directive, "burst="); !said.empty()) {
      const auto number = parse_number<uint32_t>(said);
      if (!number || *number > 1'000'000)
        return target_.leave(directive, "a burst is a number up to a million");
      burst = *number;
    }
    options.emplace_back("burst", std::to_string(burst + 1));
    if (*key != "client") options.emplace_back("key", list({*key}));
    level.rates.push_back({"rate_limit", std::move(options)});
    if (burst != 0 && !std::ranges::contains(directive.words, "nodelay"))
      target_.remark(fmt::format("{}: nginx makes the requests of a burst wait, Leat answers them at once.",
                                 directive.written));
  }

  void carry_packing(const Directive& directive, NginxLevel& level) {
    const std::string_view name = directive.name(), said = directive.word(0);
    if (name == "gzip") {
      level.packs = said == "on";
    } else if (name == "gzip_types") {
      if (std::ranges::contains(directive.words, "*"))
        return target_.leave(directive,
                             "middleware `compress` packs what it is worth for, or the types that are named");
      level.packed = {"text/html"};  // which nginx always packs
      level.packed.insert(level.packed.end(), directive.words.begin() + 1, directive.words.end());
    } else if (name == "gzip_min_length") {
      const auto bytes = nginx_size(said);
      constexpr uint64_t kMost = uint64_t{1} << 20;
      if (!bytes || *bytes == 0 || *bytes > kMost)
        return target_.leave(directive, "compress.least is 1B to 1MiB");
      level.least_packed = text(size_text(*bytes));
    } else {
      const auto number = parse_number<int>(said);
      if (!number || *number < 1 || *number > 9)
        return target_.leave(directive, "compress.gzip_level is 1 to 9");
      level.pack_level = std::to_string(*number);
    }
  }

  void carry_passwords(const Directive& directive, NginxLevel& level) {
    if (directive.word(0).contains('$'))
      return target_.leave(directive, "middleware `basic_auth` has no variables");
    (directive.name() == "auth_basic" ? level.realm : level.passwords) = directive.word(0);
  }

  // --- Logs

  void carry_access_log(const Directive& directive, NginxLevel& level) {
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
      if (!told)
        target_.leave(*found->second, fmt::format("{}; the log is `combined` for now", told.error()));
      options.emplace_back("format", text(told.value_or("combined")));
    } else {
      return target_.leave(directive, "there is no log_format of this name");
    }
    level.access_logs.push_back({"access_log", std::move(options)});
  }

  void carry_error_log(const Directive& directive, NginxLevel&) {
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

  // --- Fields

  void carry_answer_field(const Directive& directive, NginxLevel& level) {
    const auto field = nginx_field(directive.word(0), directive.word(1));
    if (!field) return target_.leave(directive, field.error());
    if (field->empty()) return;
    (directive.word(2) == "always" ? level.always : level.on_success).push_back(*field);
  }
  void carry_request_field(const Directive& directive, NginxLevel& level) {
    if (is_known_by_leat(directive.word(0))) return;
    const auto field = nginx_field(directive.word(0), directive.word(1));
    if (!field) return target_.leave(directive, field.error());
    if (!field->empty()) level.to_handlers.push_back(*field);
  }

  Target& target_;
  std::map<std::string, const Directive*, std::less<>> zones_, formats_;  // by name
  std::map<std::string, std::vector<std::string>, std::less<>> hosts_;  // the names of the host that has one
  std::vector<std::string> listened_;
};

}  // namespace

void carry_over_nginx(const std::vector<Directive>& directives, Target& target) {
  NginxCarrier(target).run(directives);
}

}  // namespace leat::server::migrate

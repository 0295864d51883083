#include "server/migrate/nginx.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.h"
#include "pipeline/condition.h"
#include "server/migrate/foreign.h"
#include "server/migrate/nginx_answers.h"
#include "server/migrate/nginx_carrier.h"
#include "server/migrate/nginx_values.h"

namespace leat::server::migrate {

constexpr auto NginxCarrier::known() {
  using C = NginxCarrier;
  return std::to_array<Known>({
      {"http", &C::carry_all},
      {"events", &C::carry_all},
      {"server", &C::carry_server},
      {"location", &C::carry_location},
      {"listen", &C::carry_listen},
      {"ssl_certificate", &C::carry_certificate},
      {"ssl_certificate_key", &C::carry_certificate},
      {"ssl_protocols", &C::carry_versions},
      {"server_name", &C::carry_nothing},
      {"return", &C::carry_return},
      {"rewrite", &C::carry_rewrite},
      {"stub_status", &C::carry_stub_status},
      {"worker_processes", &C::carry_workers},
      {"worker_connections", &C::carry_connections},
      {"client_max_body_size", &C::carry_body},
      {"large_client_header_buffers", &C::carry_head},
      {"client_header_timeout", &C::carry_timeout},
      {"client_body_timeout", &C::carry_timeout},
      {"keepalive_timeout", &C::carry_timeout},
      {"send_timeout", &C::carry_timeout},
      {"keepalive_requests", &C::carry_keepalive_requests},
      {"allow", &C::carry_rule},
      {"deny", &C::carry_rule},
      {"limit_except", &C::carry_methods},
      {"limit_req", &C::carry_rate},
      {"limit_req_zone", &C::carry_nothing},
      {"limit_conn", &C::carry_crowd},
      {"limit_conn_zone", &C::carry_nothing},
      {"log_format", &C::carry_nothing},
      {"access_log", &C::carry_access_log},
      {"error_log", &C::carry_error_log},
      {"add_header", &C::carry_answer_field},
      {"expires", &C::carry_lifetime},
      {"proxy_set_header", &C::carry_request_field},
      {"gzip", &C::carry_packing},
      {"gzip_types", &C::carry_packing},
      {"gzip_min_length", &C::carry_packing},
      {"gzip_comp_level", &C::carry_packing},
      {"auth_basic", &C::carry_passwords},
      {"auth_basic_user_file", &C::carry_passwords},
      {"auth_request", &C::carry_question},
      {"error_page", &C::carry_pages},
      {"root", &C::carry_root},
      {"set_real_ip_from", &C::carry_trusted},
      {"real_ip_header", &C::carry_real_ip_header},
  });
}

void NginxCarrier::run(const std::vector<Directive>& directives) {
  certified_ = has_certificate(directives);
  gather(directives);
  NginxLevel main;
  for (const Directive& each : directives) carry(each, main);
}

// What may be used before it stands there.
void NginxCarrier::gather(const std::vector<Directive>& directives) {
  for (const Directive& each : directives) {
    if (each.name() == "limit_req_zone" || each.name() == "limit_conn_zone") {
      const std::string_view said = parameter(each, "zone=");
      (each.name() == "limit_req_zone" ? zones_ : crowd_zones_)
          .try_emplace(std::string(said.substr(0, said.find(':'))), &each);
    }
    if (each.name() == "log_format" && each.count() > 1)
      formats_.try_emplace(std::string(each.word(0)), &each);
    trusts_ = trusts_ || each.name() == "set_real_ip_from";
    if (each.name() == "server" && each.braces) gather_listening(each);
    gather(each.block);
  }
}

void NginxCarrier::carry(const Directive& directive, NginxLevel& level) {
  for (const Known& each : known())
    if (each.name == directive.name()) return (this->*each.carry)(directive, level);
  const auto foreign = foreign_to_nginx(directive.name());
  if (!foreign) return target_.leave(directive, "there is nothing like it in Leat");
  if (!foreign->why.empty()) target_.leave(directive, foreign->why);
}
void NginxCarrier::carry_all(const Directive& directive, NginxLevel& level) {
  for (const Directive& each : directive.block) carry(each, level);
}

// It holds for pages of errors, wherever they stand.
std::optional<std::string> NginxCarrier::root_of(const Directive& block) {
  const auto found = std::ranges::find(block.block, "root", &Directive::name);
  return found == block.block.end() ? std::nullopt : std::optional(std::string(found->word(0)));
}

bool NginxCarrier::makes_route(const Directive& directive) {
  return directive.name() == "location" || directive.name() == "return" || directive.name() == "rewrite";
}

// All but what makes routes comes first: it holds for them wherever it stands.
void NginxCarrier::carry_server(const Directive& server, NginxLevel& outside) {
  NginxLevel level{.outside = &outside};
  level.server = level.from = &server;
  level.root = root_of(server);
  level.names = begin_host(server);
  for (const Directive& each : server.block)
    if (!makes_route(each)) carry(each, level);
  add_certificates(level);
  if (std::ranges::any_of(server.block, makes_route)) return carry_answers(server, level);
  level.rank = "4";
  add_route(level, {"prefix", "/"}, {}, server);
}

// A `return` of the server comes before all of its locations, wherever it stands.
void NginxCarrier::carry_answers(const Directive& server, NginxLevel& level) {
  const auto all = std::ranges::find_if(server.block, [&](const Directive& each) {
    return each.name() == "return" && !is_to_https(each, level);
  });
  size_t number = 0;
  for (const Directive& each : server.block) {
    level.rank = fmt::format("0{:08}", number++);
    if (&each == &*all) break;
    if (each.name() == "rewrite" || each.name() == "return") carry(each, level);
  }
  if (all == server.block.end()) {
    for (const Directive& each : server.block)
      if (each.name() == "location") carry(each, level);
    return;
  }
  carry_return(*all, level);
  if (!level.returned) add_route(level, {"prefix", "/"}, {}, *all);
  for (const Directive& each : server.block)
    if (each.name() == "location")
      target_.remark(fmt::format("{}: the server's `return` comes before it.", each.written));
}

std::vector<std::string> NginxCarrier::names_of(const Directive& server, NamesLeft* others) {
  std::vector<std::string> names;
  for (const Directive& each : server.block)
    for (size_t i = 0; each.name() == "server_name" && i < each.count(); ++i) {
      std::string name(each.word(i));
      if (name == "_" || name.empty()) continue;
      if (name.starts_with('.')) {
        names.push_back(name.substr(1));
        name.insert(0, 1, '*');
      }
      std::ranges::transform(name, name.begin(), ascii_lower);
      if (!pipeline::HostPattern::parse(name)) {
        if (others != nullptr)
          others->emplace_back(&each, "a host has whole names, or all below one: *.example.org");
      } else if (!std::ranges::contains(names, name)) {
        names.push_back(std::move(name));
      }
    }
  return names;
}

// Names that a host cannot have are told.
std::vector<std::string> NginxCarrier::begin_host(const Directive& server) {
  NamesLeft others;
  const std::vector<std::string> names = names_of(server, &others);
  // A name is one host's: that of the first server which has it, of those with the same listeners.
  const std::vector<std::string> listeners = listeners_of(server);
  std::string by;
  for (const std::string& each : listeners) by += " " + each;
  for (const std::string& name : names)
    for (const auto& [key, index] : hosts_of_)
      if (key == name + by || (key.starts_with(name + " ") && by.empty()) || (key == name && !by.empty())) {
        const NginxHost& host = hosts_[index];
        target_.begin_host(host.names, host.listeners);
        for (const auto& [directive, why] : others) target_.leave(*directive, why);
        target_.remark(fmt::format("--- goes on with the server at line {}", server.line));
        return host.names;
      }
  for (const std::string& name : names) hosts_of_.try_emplace(name + by, hosts_.size());
  hosts_.push_back({names, listeners});
  target_.begin_host(names, listeners);
  target_.remark(fmt::format("--- the server at line {}", server.line));
  for (const auto& [directive, why] : others) target_.leave(*directive, why);
  return names;
}

// None where it is reached by all that there are, or, since it speaks TLS, by what stands in front.
std::vector<std::string> NginxCarrier::listeners_of(const Directive& server) const {
  const auto found = arriving_by_.find(&server);
  if (found == arriving_by_.end()) return {};
  const bool all = std::ranges::all_of(
      arriving_, [&](const std::string& each) { return std::ranges::contains(found->second, each); });
  return all ? std::vector<std::string>() : found->second;
}

void NginxCarrier::add_route(const NginxLevel& level, RoutePlace place, Keys answers, const Directive& from) {
  const bool early = !answers.empty() && (from.name() == "return" || from.name() == "rewrite");
  const bool rewrites = !answers.empty() && answers.front().first == "rewrite";
  Route route = rewrites ? Route() : route_of(level);
  const auto is_asked = [](const Instance& each) {
    return each.kind == "access" || each.kind == "basic_auth" || each.kind == "forward_auth";
  };
  if (early && std::ranges::any_of(route.instances, is_asked))
    target_.remark(
        fmt::format("{}: nginx answers before it looks who asks, Leat behind that.", from.written));
  route.places.push_back(std::move(place));
  route.answers = std::move(answers);
  route.rank = level.rank;
  route.from = from.name() == "return" && level.place ? level.from : &from;
  target_.add_route(std::move(route));
}

// Where its requests go; a sentence about one of which no route is like it.
std::expected<RoutePlace, std::string_view> NginxCarrier::place_of(const Directive& location) const {
  const std::string_view how = location.word(0);
  if (how == "~" || how == "~*") {
    auto place = place_of_expression(location.word(1));
    const bool letters = std::ranges::any_of(
        location.word(1), [](char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; });
    if (!place || (how == "~*" && letters))
      return std::unexpected("Leat has no regular expressions for paths: write routes with {name} for it");
    return std::move(place->place);
  }
  const bool exact = how == "=";
  const std::string_view path = location.word(exact || how == "^~" ? 1 : 0);
  if (path.starts_with('@')) return std::unexpected("Leat has no named locations");
  auto place = path.starts_with('~') ? std::nullopt : route_place(path, exact);
  if (!place) return std::unexpected("a route's path cannot be written like this");
  return *std::move(place);
}

// `location =`, then `location ^~`, expressions in their order, and of others the longest.
std::string NginxCarrier::rank_of(const Directive& location) {
  const std::string_view how = location.word(0);
  if (how == "=") return "1";
  if (how == "^~") return "2";
  return how.starts_with('~') ? fmt::format("3{:08}", expressions_++) : "4";
}

void NginxCarrier::carry_location(const Directive& location, NginxLevel& outside) {
  if (location.count() == 0) return target_.leave(location, "a location has a path");
  const auto place = place_of(location);
  if (!place) return target_.leave_all(location, place.error());
  NginxLevel level{.outside = &outside};
  level.root = root_of(location);
  level.place = *place;
  level.rank = rank_of(location);
  level.from = &location;
  for (const Directive& each : location.block)
    if (!makes_route(each)) carry(each, level);
  for (const Directive& each : location.block)
    if (makes_route(each) && each.name() != "location") carry(each, level);
  // Where a return stands, nothing else answers.
  if (!level.returned) add_route(level, *place, std::move(level.answers), location);
  for (const Directive& each : location.block)
    if (each.name() == "location") carry_location(each, level);
}

void NginxCarrier::carry_stub_status(const Directive& directive, NginxLevel& level) {
  if (!level.place) return target_.leave(directive, "it belongs into a location");
  level.answers = {{"handler", text("leat:metrics")}};
}

bool NginxCarrier::is_to_https(const Directive& directive, const NginxLevel& level) const {
  const NginxLevel* named = nearest(level, [](const NginxLevel& each) { return !each.names.empty(); });
  return leads_to_https(directive.word(directive.count() > 1 ? 1 : 0),
                        named != nullptr ? named->names : std::vector<std::string>());
}

void NginxCarrier::carry_return(const Directive& directive, NginxLevel& level) {
  if (level.returned) return;  // the first is the last
  if (is_to_https(directive, level))
    return target_.leave(directive, "a [[listener]] with `redirect_to_https` sends clients there");
  const RoutePlace place = level.place.value_or(RoutePlace{"prefix", "/"});
  auto answers = nginx_return(directive, place);
  if (!answers) return target_.leave(directive, answers.error());
  add_route(level, place, *std::move(answers), directive);
  level.returned = true;
}

// Whose requests go on where it leads to: what they pass is said there.
void NginxCarrier::carry_rewrite(const Directive& directive, NginxLevel& level) {
  auto rewritten = nginx_rewrite(directive);
  if (!rewritten) return target_.leave(directive, rewritten.error());
  if (level.place && !is_within(rewritten->place, *level.place))
    return target_.leave(directive, "its expression is for other paths than its location");
  const bool redirects = rewritten->answers.front().first == "redirect";
  const std::string_view flag = directive.word(2);
  if (!redirects && flag == "break" && level.place)
    return target_.leave(directive,
                         "it stays in its location, and a rewrite of Leat's leads to another route");
  const auto ends = [&](const Directive& each) {
    return each.name() == "return" && !is_to_https(each, level);
  };
  const bool returns =
      level.from != nullptr && std::ranges::any_of(level.from->block, ends);  // null: of no server
  if (!redirects && returns && (flag.empty() || !level.place))
    return target_.leave(directive, "a `return` stands beside it, which is there for what it made of a path");
  add_route(level, std::move(rewritten->place), std::move(rewritten->answers), directive);
}

void carry_over_nginx(const std::vector<Directive>& directives, Target& target) {
  NginxCarrier(target).run(directives);
  target.settle();
}

}  // namespace leat::server::migrate

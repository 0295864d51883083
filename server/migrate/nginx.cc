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
  gather(directives);
  NginxLevel main;
  for (const Directive& each : directives) carry(each, main);
}

// What may be used before it stands there.
void NginxCarrier::gather(const std::vector<Directive>& directives) {
  for (const Directive& each : directives) {
    if (each.name() == "limit_req_zone") {
      const std::string_view said = parameter(each, "zone=");
      zones_.try_emplace(std::string(said.substr(0, said.find(':'))), &each);
    }
    if (each.name() == "log_format" && each.count() > 1)
      formats_.try_emplace(std::string(each.word(0)), &each);
    trusts_ = trusts_ || each.name() == "set_real_ip_from";
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
  level.server = &server;
  level.root = root_of(server);
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
std::vector<std::string> NginxCarrier::begin_host(const Directive& server) {
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

void NginxCarrier::add_route(const NginxLevel& level, RoutePlace place, Keys answers) {
  Route route = route_of(level);
  route.places.push_back(std::move(place));
  route.answers = std::move(answers);
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

void NginxCarrier::carry_location(const Directive& location, NginxLevel& outside) {
  if (location.count() == 0) return target_.leave(location, "a location has a path");
  const auto place = place_of(location);
  if (!place) return target_.leave_all(location, place.error());
  NginxLevel level{.outside = &outside};
  level.root = root_of(location);
  level.place = *place;
  for (const Directive& each : location.block)
    if (!makes_route(each)) carry(each, level);
  for (const Directive& each : location.block)
    if (makes_route(each) && each.name() != "location") carry(each, level);
  // Where a return stands, nothing else answers.
  if (!level.returned) add_route(level, *place, std::move(level.answers));
  for (const Directive& each : location.block)
    if (each.name() == "location") carry_location(each, level);
}

void NginxCarrier::carry_stub_status(const Directive& directive, NginxLevel& level) {
  if (!level.place) return target_.leave(directive, "it belongs into a location");
  level.answers = {{"handler", text("leat:metrics")}};
}

void NginxCarrier::carry_return(const Directive& directive, NginxLevel& level) {
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

void NginxCarrier::carry_rewrite(const Directive& directive, NginxLevel& level) {
  auto rewritten = nginx_rewrite(directive);
  if (!rewritten) return target_.leave(directive, rewritten.error());
  add_route(level, std::move(rewritten->place), std::move(rewritten->answers));
}

void carry_over_nginx(const std::vector<Directive>& directives, Target& target) {
  NginxCarrier(target).run(directives);
}

}  // namespace leat::server::migrate
